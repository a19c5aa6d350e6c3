"""AIFF and AIFC: FORM size AIFF, COMM: how many samples, SSND: the samples.

Source: Apple "Audio Interchange File Format" 1.3 and AIFF-C, draft of 1991.
"""

import struct
from typing import BinaryIO

from audio.containers.layout import (
    COPY,
    UNKNOWN_LENGTH,
    Layout,
    Part,
    damaged,
    is_placeholder,
    patched,
    read_at,
    truncated,
)
from audio.containers.riff import MAX_CHUNKS
from files.errors import AudioError

SSND_HEAD = 16  # name, size, offset and block size
PACKED = (b"ima4", b"GSM ", b"MAC3", b"MAC6", b"QDM2", b"QDMC")  # frames that are no samples
LOGARITHMIC = (b"ulaw", b"ULAW", b"alaw", b"ALAW")  # a byte each, of 16 bits before
WRAP = 1 << 32


def aiff_layout(file: BinaryIO, size: int) -> Layout:
    """Decide which bytes of an AIFF are its samples."""
    form = read_at(file, 8, 4)
    places: dict[bytes, tuple[int, int]] = {}  # of each chunk: where, and its stated size
    at = 12
    for _ in range(MAX_CHUNKS):
        head = read_at(file, at, 8)
        if len(head) < 8 or not head[:4].isascii():
            break
        name, stated = struct.unpack(">4sI", head)
        places.setdefault(name, (at, stated))
        at += 8 + stated
        at += _padding(file, at) if stated % 2 else 0
    if b"SSND" not in places:
        raise truncated("it ends in front of its samples: it has no SSND chunk")
    if b"COMM" not in places:
        raise damaged("it has no COMM chunk, which says how its samples are stored")
    return _layout(file, size, form, *places[b"COMM"], *places[b"SSND"])


def _padding(file: BinaryIO, at: int) -> int:
    """Return 1 for the byte after a chunk of odd size."""
    names = (b"SSND", b"COMM")
    if read_at(file, at, 4) in names and read_at(file, at + 1, 4) not in names:
        raise damaged(f"the byte that fills up a chunk of odd size is missing at byte {at}")
    return 1


def _check_end(file: BinaryIO, size: int, end: int) -> tuple[str, ...]:
    """Return a warning if something that is no chunk follows the samples."""
    following = read_at(file, end + end % 2, 4)
    if not any(following) or (following.isascii() and following.decode().isprintable()):
        return ()
    return (f"{size - end} bytes after its samples are no chunk: they were left out",)


def _layout(
    file: BinaryIO, size: int, form: bytes, comm_at: int, comm_size: int, at: int, stated: int
) -> Layout:
    comm = read_at(file, comm_at + 8, min(comm_size, 64)).ljust(22, b"\0")
    channels, frames, bits = struct.unpack(">HIH", comm[:8])
    packed = form == b"AIFC" and comm[18:22] in PACKED
    is_byte = form == b"AIFC" and comm[18:22] in LOGARITHMIC
    block = channels * (1 if is_byte else -(-bits // 8))
    rest = size - at - SSND_HEAD
    promised = stated - 8
    is_unknown = is_placeholder(stated) and not 0 < promised <= rest
    if not is_unknown and promised > rest:
        raise truncated(f"its header promises {promised} bytes of samples but {rest} are there")
    if packed or not block:
        if is_unknown:
            raise AudioError(f"its header states no length of its compressed samples; {COPY}")
        return Layout()
    n_frames = (rest if is_unknown else promised) // block
    if frames == n_frames and not is_unknown:
        return Layout((), _check_end(file, size, at + 8 + stated))
    if not is_unknown and not is_placeholder(frames) and frames > n_frames:
        raise truncated(f"its header promises {frames} samples but {n_frames} are there")
    stop = at + SSND_HEAD + n_frames * block
    if stop >= WRAP:
        raise damaged("its samples are more than the 4 GiB that AIFF can hold")
    patches = {
        4: struct.pack(">I", stop - 8),
        comm_at + 10: struct.pack(">I", n_frames),
        at + 4: struct.pack(">I", n_frames * block + 8),
    }
    found = UNKNOWN_LENGTH
    if not is_unknown:
        found = f"its header states {frames} samples, but {n_frames} are there: all were read"
    return Layout((Part(patched(stop, patches)),), (found,))
