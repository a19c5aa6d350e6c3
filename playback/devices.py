"""The audio devices of this machine, through PortAudio (optional package sounddevice)."""

from typing import Any

from files.errors import ParameterError, install_command

REMEDIES = {"output": "connect one, or write a file instead", "input": "connect one"}


def import_sounddevice() -> Any:
    """Return the module sounddevice; raise a ParameterError if it or PortAudio is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise ParameterError(
            f"playing live needs the package sounddevice; {install_command('live')}"
        ) from error
    except OSError as error:
        raise ParameterError(
            f"playing live needs the library PortAudio ({error}); apt install libportaudio2 on"
            " Debian and Ubuntu (on macOS and Windows it comes with the package: pip install"
            " --force-reinstall sounddevice)"
        ) from error
    return sounddevice


def find_device(sounddevice: Any, device: str | int | None, kind: str) -> int:
    """Return the number of a device.

    Parameters
    ----------
    device : str or int, optional
        Its number, or part of its name; the system's default if omitted.
    kind : str
        "input" or "output".

    Raises
    ------
    ParameterError
        If there is no such device.
    """
    names = device_names(sounddevice, kind)
    if not names:
        raise ParameterError(f"no audio {kind} device; {REMEDIES[kind]}")
    wanted = int(device) if isinstance(device, str) and device.isdigit() else device
    try:
        return sounddevice.query_devices(wanted, kind=kind)["index"]
    except (ValueError, sounddevice.PortAudioError) as error:
        raise ParameterError(
            f"device={device!r}: no such audio {kind} ({error}); choose one of {names}"
        ) from error


def device_names(sounddevice: Any, kind: str) -> str:
    """Return the devices of a kind, with their numbers, as messages show them."""
    found = [device for device in sounddevice.query_devices() if device[f"max_{kind}_channels"] > 0]
    return ", ".join(f"{device['index']} {device['name']}" for device in found)


def check_output_device(device: str | int | None = None) -> None:
    """Raise a `ParameterError` if there is no way to play audio on this machine."""
    find_device(import_sounddevice(), device, "output")
