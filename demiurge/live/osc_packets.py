"""OSC packets: messages and bundles, from and to bytes.

python-osc parses messages. What holds them is taken apart here, since in python-osc 1.10 a bundle
with a negative size is read for ever, and one that is nested deeply ends in a RecursionError.
"""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from files.errors import ParameterError, install_command

MAX_BYTES = 4096
MOST_MESSAGES = 64  # of a packet
MOST_DEPTH = 8  # of bundles in bundles
MOST_ARGUMENTS = 64  # brackets included

BUNDLE = b"#bundle\0"
HEADER = struct.Struct(">Q")  # the time tag after it
SIZE = struct.Struct(">i")
IMMEDIATELY = 1
NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
ALIGNMENT = 4  # bytes
TIME_UNITS = 2.0**32  # of a time tag, per second
MESSAGE = re.compile(rb"(/[\x20-\x7e]*)\0{1,4}(?:,([ihfdsbrmtTFN\[\]]*)\0{1,4}|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Received:
    """A message.

    Attributes
    ----------
    address : str
    arguments : tuple
        Numbers, texts, and whatever else OSC knows.
    due : float
        When it is to be obeyed, in seconds since 1970; 0 for at once.
    """

    address: str
    arguments: tuple[Any, ...] = ()
    due: float = 0.0


def read_packet(data: bytes) -> list[Received]:
    """Return the messages of a packet in their order.

    Raises
    ------
    ParameterError
        If the packet is malformed or too large.
    """
    if len(data) > MAX_BYTES:
        raise ParameterError(f"the packet has more than {MAX_BYTES} bytes; send several")
    found: list[Received] = []
    waiting = [(data, 0.0, 0)]  # the next one last
    while waiting:
        part, due, depth = waiting.pop()
        if not part.startswith(BUNDLE):
            found.append(_read_message(part, due))
            continue
        if depth >= MOST_DEPTH:
            raise ParameterError(f"bundles are nested more than {MOST_DEPTH} deep")
        due, inner = _split_bundle(part)
        waiting += [(one, due, depth + 1) for one in reversed(inner)]
        if len(found) + len(waiting) > MOST_MESSAGES:
            raise ParameterError(f"the packet has more than {MOST_MESSAGES} messages; send several")
    return found


def _split_bundle(data: bytes) -> tuple[float, list[bytes]]:
    """Return when a bundle is due, and what it holds."""
    start = len(BUNDLE) + HEADER.size
    if len(data) < start:
        raise ParameterError("a bundle ends before its time tag")
    (tag,) = HEADER.unpack_from(data, len(BUNDLE))
    due = 0.0 if tag == IMMEDIATELY else max(0.0, tag / TIME_UNITS - NTP_EPOCH)
    inner = []
    while start < len(data):
        size = SIZE.unpack_from(data, start)[0] if start + SIZE.size <= len(data) else -1
        start += SIZE.size
        if not 0 < size <= len(data) - start:
            raise ParameterError("a bundle ends within a message, or has an impossible size")
        inner.append(data[start : start + size])
        start += size
    return due, inner


def _read_message(data: bytes, due: float) -> Received:
    from pythonosc.osc_message import OscMessage, ParseError

    found = MESSAGE.match(data)
    # the types come after a comma
    is_aligned = found is not None and (found[2] is None or found.start(2) % ALIGNMENT == 1)
    if found is None or not is_aligned or len(found[2] or b"") > MOST_ARGUMENTS:
        raise ParameterError(
            "the packet is no OSC message: it must have an address that begins with /, and at most"
            f" {MOST_ARGUMENTS} arguments of the types i f s h d T F N"
        )
    try:
        message = OscMessage(data)
    except (ParseError, UnicodeDecodeError) as error:
        raise ParameterError(f"{found[1].decode()}: its arguments are malformed") from error
    return Received(message.address, tuple(message.params), due)


def write_message(address: str, arguments: Iterable[Any]) -> bytes:
    """Return a message as bytes; integers, floats and texts are i, f and s."""
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in arguments:
        builder.add_arg(value)
    return builder.build().dgram


def write_bundle(messages: Iterable[bytes]) -> bytes:
    """Return a bundle of messages that is due at once."""
    parts = [SIZE.pack(len(message)) + message for message in messages]
    return BUNDLE + HEADER.pack(IMMEDIATELY) + b"".join(parts)


def check_installed() -> None:
    """Raise a ParameterError that says how to install python-osc, unless it is there."""
    try:
        import pythonosc  # noqa: F401
    except ImportError as error:
        raise ParameterError(
            f"OSC needs python-osc; install it with {install_command('live')}"
        ) from error
