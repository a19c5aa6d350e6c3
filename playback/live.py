"""Play audio while it is made, through PortAudio (optional package sounddevice).

blocks ──► thread: up to 2 s ahead ──► blocking writes ──► device
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Any

import numpy as np

from files.errors import ParameterError
from playback.devices import device_names, find_device, import_sounddevice

AHEAD_S = 2.0  # made in advance, so that a slow file does not cause a gap
LATENCY_S = 0.2  # the device's buffer: longer than the interpreter is ever busy with other things
CHUNK_SAMPLES = 1024  # per write: Ctrl-C and `progress` respond within 23 ms at 44.1 kHz


@dataclass(frozen=True)
class Played:
    """The result of `play`; `underruns` counts late writes, each of which is a gap."""

    n_samples: int
    underruns: int


def play(
    blocks: Iterator[np.ndarray],
    *,
    sample_rate: int,
    channels: int,
    device: str | int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Played:
    """Play blocks one after the other; return when the last has ended.

    Ctrl-C stops the sound at once and raises KeyboardInterrupt.

    Parameters
    ----------
    blocks : iterator of float32, shape (any, channels)
        Read in another thread, about two seconds ahead; its errors are raised here.
    device : str or int, optional
        Number of the output device, or part of its name; the system's default if omitted.
    progress : callable (samples handed to the device)

    Raises
    ------
    ParameterError
        If sounddevice or PortAudio is missing, or no device plays this.
    """
    sounddevice = import_sounddevice()
    options = {
        "device": find_device(sounddevice, device, "output"),
        "channels": channels,
        "dtype": "float32",
        "samplerate": sample_rate,
    }
    depth = max(2, round(AHEAD_S * sample_rate / CHUNK_SAMPLES))
    with _made_ahead(_chunks(blocks, channels), depth) as chunks:
        first = list(islice(chunks, depth // 2))  # one second, ready before the device starts
        try:
            sounddevice.check_output_settings(**options)
            stream = sounddevice.OutputStream(**options, latency=LATENCY_S)
            return _write(stream, chain(first, chunks), progress)
        except sounddevice.PortAudioError as error:
            names = device_names(sounddevice, "output")
            raise ParameterError(
                f"device={device!r} does not play {channels} channels at {sample_rate} Hz"
                f" ({error}); choose another of {names}, or write a file with -o"
            ) from error


def _write(stream: Any, chunks: Iterator[np.ndarray], progress: Callable[[int], None]) -> Played:
    played = 0
    underruns = 0
    try:
        stream.start()
        for chunk in chunks:
            was_late = stream.write(chunk)
            if was_late and played > 0:  # before the first write the device has nothing to play
                underruns += 1
            played += len(chunk)
            progress(played)
        stream.stop()  # waits for the last sample
    finally:
        stream.close()  # discards the rest
    return Played(played, underruns)


def _chunks(blocks: Iterator[np.ndarray], channels: int) -> Iterator[np.ndarray]:
    """Yield the same samples in chunks of `CHUNK_SAMPLES`, the last one shorter."""
    waiting = np.empty((0, channels), np.float32)
    for block in blocks:
        waiting = np.ascontiguousarray(np.concatenate([waiting, block]), dtype=np.float32)
        whole = len(waiting) - len(waiting) % CHUNK_SAMPLES
        for at in range(0, whole, CHUNK_SAMPLES):
            yield waiting[at : at + CHUNK_SAMPLES]
        waiting = waiting[whole:]
    if len(waiting):
        yield waiting


@contextmanager
def _made_ahead(items: Iterator[np.ndarray], depth: int) -> Iterator[Iterator[np.ndarray]]:
    """Make up to `depth` items ahead in a thread, which ends with the block."""
    ready: SimpleQueue[np.ndarray | Exception | None] = SimpleQueue()
    places = Semaphore(depth)
    stopped = Event()

    def make() -> None:
        try:
            for item in items:
                places.acquire()
                if stopped.is_set():
                    return
                ready.put(item)
        except Exception as error:
            ready.put(error)
        finally:
            ready.put(None)

    def take() -> Iterator[np.ndarray]:
        while (item := ready.get()) is not None:
            if isinstance(item, Exception):
                raise item
            places.release()
            yield item

    thread = Thread(target=make, name="playback", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        places.release()
        thread.join()
