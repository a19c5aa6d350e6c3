"""The MIDI ports of the system, through python-rtmidi (extra `live`).

Debian has them if its kernel has ALSA's sequencer (/dev/snd/seq) or a JACK server runs.
"""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from demiurge.live.midi import MidiHandler
from files.errors import ParameterError, install_command
from files.names import printable
from files.ranges import shown

CLIENT = "demiurge"
VIRTUAL = "virtual"  # a port of our own, for other programs to connect to
CHECK_S = 0.25
LOOK_S = 2.0  # how often the ports are listed, to see that a device is there
ALSA_NUMBERS = re.compile(r" \d+:\d+$")
SEQUENCER = Path("/dev/snd/seq")
NO_MIDI = (
    "no MIDI: the system has no ports at all (on Linux, ALSA's sequencer /dev/snd/seq is missing"
    " and no JACK server runs); load it with: modprobe snd-seq, start JACK, or leave MIDI out"
)


def list_ports() -> list[str]:
    """Return the names of the input ports.

    Raises
    ------
    ParameterError
        If mido or python-rtmidi is missing, or the system has no MIDI.
    """
    client = _open_client(_import_rtmidi())
    try:
        return [printable(name) for name in client.get_ports()]
    finally:
        client.delete()


class MidiInput:
    """Hands the messages of an input port to a handler, until it is closed.

    A device that vanishes is told and waited for.

    Parameters
    ----------
    port : str
        Name of the port, or a part of it that no other has; "virtual" for a port of our own.
    handler : MidiHandler
    tell : callable (text)

    Attributes
    ----------
    name : str
        Of the port.
    malformed : int
        Messages that were none.

    Raises
    ------
    ParameterError
        As `list_ports`; or if there is no such port, or it cannot be opened.
    """

    def __init__(
        self, port: str, handler: MidiHandler, *, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self.malformed = 0
        self._handler = handler
        self._tell = tell
        self._rtmidi = _import_rtmidi()
        self._is_there = True
        self._closed = threading.Event()
        self._client = _open_client(self._rtmidi)
        try:
            self.name = self._open(port)
        except BaseException:
            self._client.delete()
            raise
        self._thread = threading.Thread(target=self._watch, name="midi", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port; nothing more is handed on."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join()
        self._client.cancel_callback()
        self._client.close_port()
        self._client.delete()
        self._handler.release()

    def _open(self, port: str) -> str:
        """Open a port; return its name."""
        self._client.ignore_types(sysex=True, timing=False, active_sense=True)
        self._client.set_callback(self._hear)
        is_virtual = port == VIRTUAL
        name = CLIENT if is_virtual else _find(port, self._client.get_ports())
        try:
            if is_virtual:
                self._client.open_virtual_port(CLIENT)
            else:
                self._connect(name)
        except (self._rtmidi.RtMidiError, OSError, NotImplementedError) as error:
            raise ParameterError(
                f"MIDI port {shown(name)} cannot be opened ({error}); close the program that uses"
                " it, or choose another"
            ) from error
        self._is_virtual = is_virtual
        return name

    def _connect(self, name: str) -> None:
        self._client.open_port(self._client.get_ports().index(name), CLIENT)

    def _hear(self, data: tuple[list[int], float], _: object) -> None:
        """Take a message; runs in a thread of rtmidi."""
        import mido

        at_s = time.monotonic()
        try:
            message = mido.Message.from_bytes(data[0])
        except ValueError:
            self.malformed += 1
            return
        self._handler.handle(message, at_s)

    def _watch(self) -> None:
        """Notice until the end that the clock has stopped, or the device vanished or came back."""
        looked_s = time.monotonic()
        while not self._closed.wait(CHECK_S):
            now_s = time.monotonic()
            self._handler.check(now_s)
            if not self._is_virtual and now_s - looked_s >= LOOK_S:
                looked_s = now_s
                self._look()

    def _look(self) -> None:
        """See whether the device is there; connect again if it is back."""
        same = [name for name in self._client.get_ports() if _stable(name) == _stable(self.name)]
        if self._is_there and not same:
            self._is_there = False
            self._tell(f"MIDI: {printable(self.name)} has vanished; it is waited for")
            self._client.close_port()
            self._handler.release()
        elif same and not self._is_there:
            try:
                self._connect(same[0])
            except (self._rtmidi.RtMidiError, OSError, ValueError):
                return  # it is not ready, or gone again; look once more
            self._is_there = True
            self._tell(f"MIDI: {printable(self.name)} is back")


def _import_rtmidi() -> Any:
    try:
        import mido  # noqa: F401
        import rtmidi
    except ModuleNotFoundError as error:
        raise ParameterError(
            f"MIDI needs mido and python-rtmidi; install them with: {install_command('live')}"
        ) from error
    return rtmidi


def _open_client(rtmidi: Any) -> Any:
    """Return an `rtmidi.MidiIn` of the first of the system's MIDI services that works."""
    for api in rtmidi.get_compiled_api():
        is_dummy = api == rtmidi.API_RTMIDI_DUMMY
        if is_dummy or (api == rtmidi.API_LINUX_ALSA and not SEQUENCER.exists()):
            continue
        try:
            return rtmidi.MidiIn(api, CLIENT)
        except (rtmidi.RtMidiError, OSError):
            continue  # such as JACK without a server
    raise ParameterError(NO_MIDI)


def _stable(name: str) -> str:
    """Return a port's name without ALSA's numbers, which change when a device comes back."""
    return ALSA_NUMBERS.sub("", name)


def _find(port: str, names: list[str]) -> str:
    """Return the port of a name, or the only one whose name contains it."""
    if port in names:
        return port
    found = [name for name in names if port.casefold() in name.casefold()]
    if len(found) == 1:
        return found[0]
    is_or_are = "fits several" if found else "is none"
    known = ", ".join(map(printable, found or names)) or "none at the moment"
    raise ParameterError(
        f"MIDI port {shown(port)} {is_or_are} of the ports: {known}; give one's name, or"
        f' "{VIRTUAL}" for one that other programs connect to'
    )
