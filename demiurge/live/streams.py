"""The streams of audio devices that a session plays through, opened with what they can do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from files.errors import ParameterError
from playback.devices import device_names, find_device, import_sounddevice

BLOCK_SAMPLES = 256  # that a device asks for at a time: 6 ms at 44.1 kHz


@dataclass(frozen=True)
class DeviceOptions:
    """Which devices are used.

    Attributes
    ----------
    output, input : str or int, optional
        Number of a device, or part of its name; the system's default if None.
    has_input : bool
        Whether there is an input at all.
    block_samples : int
        What a device hands over at a time, at its rate.
    """

    output: str | int | None = None
    input: str | int | None = None
    has_input: bool = True
    block_samples: int = BLOCK_SAMPLES


@dataclass(frozen=True)
class Port:
    """A device as it is used: in one direction, with a number of channels and a rate."""

    kind: str  # "input" or "output"
    device: int
    name: str
    channels: int
    sample_rate: int

    def options(self, block_samples: int) -> dict[str, Any]:
        """Return them for sounddevice."""
        return {
            "device": self.device,
            "channels": self.channels,
            "dtype": "float32",
            "samplerate": self.sample_rate,
            "blocksize": block_samples,
            "latency": "low",
        }


def choose_output(asked: DeviceOptions, sample_rate: int, channels: int) -> Port:
    """Return the output, at this rate and with these channels if the device takes them.

    Raises
    ------
    ParameterError
        If sounddevice or PortAudio is missing, or there is no such device.
    """
    return _choose("output", asked.output, sample_rate, channels)


def choose_input(asked: DeviceOptions, output: Port) -> Port | None:
    """Return the input, if there is one, at the rate of the output if the device takes it.

    Raises as `choose_output`.
    """
    return _choose("input", asked.input, output.sample_rate, 2) if asked.has_input else None


def _choose(kind: str, device: str | int | None, sample_rate: int, channels: int) -> Port:
    sounddevice = import_sounddevice()
    number = find_device(sounddevice, device, kind)
    facts = sounddevice.query_devices(number)
    most = facts[f"max_{kind}_channels"]
    check = getattr(sounddevice, f"check_{kind}_settings")
    errors = []
    for rate in _unique((sample_rate, round(facts["default_samplerate"]))):
        for count in _unique((min(channels, most), min(2, most), most)):
            port = Port(kind, number, facts["name"], count, rate)
            try:
                check(device=number, channels=count, dtype="float32", samplerate=rate)
            except sounddevice.PortAudioError as error:
                errors.append(str(error))
            else:
                return port
    raise ParameterError(
        f"the audio {kind} {number} {facts['name']} cannot be used ({errors[0]}); choose another of"
        f" {device_names(sounddevice, kind)}"
    )


def _unique(values: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(values))


def open_streams(
    output: Port,
    input_: Port | None,
    *,
    block_samples: int,
    fill: Callable[..., None],
    take: Callable[..., None],
) -> list[Any]:
    """Return streams, not yet started: one for both directions if they are the same device's.

    Drivers such as ASIO give a device to one stream only, and a stream for both keeps them in step.

    Parameters
    ----------
    fill : callable (outdata, status)
        Called by the device's thread to fill an array, (n, channels).
    take : callable (indata, status)
        Called likewise to take one, which is used again afterwards.
    """
    sounddevice = import_sounddevice()

    def play(outdata: Any, frames: int, time: Any, status: Any) -> None:
        fill(outdata, status)

    def hear(indata: Any, frames: int, time: Any, status: Any) -> None:
        take(indata, status)

    def both(indata: Any, outdata: Any, frames: int, time: Any, status: Any) -> None:
        take(indata, status)
        fill(outdata, status)

    playing = output.options(block_samples)
    if input_ is None:
        return [sounddevice.OutputStream(**playing, callback=play)]
    hearing = input_.options(block_samples)
    if (input_.device, input_.sample_rate) == (output.device, output.sample_rate):
        pairs = {name: (hearing[name], playing[name]) for name in ("device", "channels")}
        return [sounddevice.Stream(**{**playing, **pairs}, callback=both)]
    streams = [sounddevice.InputStream(**hearing, callback=hear)]
    try:
        streams.append(sounddevice.OutputStream(**playing, callback=play))
    except sounddevice.PortAudioError:
        streams[0].close()
        raise
    return streams
