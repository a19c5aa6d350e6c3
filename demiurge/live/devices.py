"""A session through audio devices.

    device's thread ──► InputRing ──► worker: hear, produce, tail ──► OutputRing ──► device's thread

The device's thread only copies samples. The worker keeps the ring of the output filled, and the
main thread waits for the end, for signals, and for devices that vanish.
"""

import atexit
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from demiurge.live.feed import Feed, Playable
from demiurge.live.resampling import DeviceResampling
from demiurge.live.ring import InputRing, OutputRing
from demiurge.live.streams import DeviceOptions, choose_input, choose_output, open_streams
from files.errors import ParameterError
from playback.devices import import_sounddevice

AHEAD_SECONDS = 0.023  # that are certain before they are needed: one unit of work
INPUT_SECONDS = 2.0  # of input that wait at most
WAKE_SECONDS = 0.1  # the worker looks for itself, should a device not wake it
CHECK_SECONDS = 0.01  # between two looks at the devices
CLOSE_SECONDS = 2.0  # given to a device to close
GONE_SECONDS = 2.0  # without a sign of a device: it has vanished
SWITCH_SECONDS = 0.0005  # before Python lets the device's thread run; 0.005 by default


class DeviceSession:
    """An engine that is heard through audio devices.

    Attributes
    ----------
    output, input : Port
        How the devices are used; `input` is None without one.
    underruns, overruns : int
        Times that a device had nothing to play, and that samples of the input were lost.
    """

    def __init__(
        self, engine: Playable, asked: DeviceOptions, *, ahead_seconds: float = AHEAD_SECONDS
    ) -> None:
        """Find the devices; raise a ParameterError if there are none or they cannot be used."""
        rate = engine.sample_rate
        self.output = choose_output(asked, rate, engine.channels)
        self.input = choose_input(asked, self.output)
        self._engine = engine
        self._block_samples = asked.block_samples
        self._ring = OutputRing(self.output.channels)
        waiting = self.input or self.output
        self._heard = InputRing(round(INPUT_SECONDS * waiting.sample_rate), waiting.channels)
        ahead = max(round(ahead_seconds * rate), 2 * asked.block_samples)
        self._feed = Feed(engine, self._heard, self._ring, ahead)
        self._resampling: DeviceResampling | None = None
        if self.output.sample_rate != rate:
            self._resampling = DeviceResampling(rate, self.output.sample_rate, self.output.channels)
        self._gaps = 0
        self._lost = 0
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._signs: dict[str, float] = {}

    @property
    def underruns(self) -> int:
        return self._ring.underruns + self._gaps

    @property
    def overruns(self) -> int:
        return self._heard.overruns + self._lost

    @property
    def late(self) -> int:
        """Times that the last unit ran on."""
        return self._ring.late

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Play until the engine has ended or `stop` says so; what is certain is still played.

        Raises
        ------
        ParameterError
            If a device cannot be opened, or vanishes.
        """
        sounddevice = import_sounddevice()
        if self.input is not None:
            self._engine.set_input(self.input.sample_rate)
        worker = threading.Thread(target=self._work, name="live", daemon=True)
        streams: list[Any] = []
        try:
            with _undisturbed():
                streams = self._open()
                worker.start()
                self._wait_until(lambda: self._ring.ahead > 0 or self._ended.is_set())
                self._start(streams)
                self._wait_until(lambda: self._ended.is_set() or stop(), streams)
                self._finish(worker)
                self._wait_until(lambda: self._ring.ahead == 0, streams)
                for stream in streams:
                    stream.stop()  # waits for the last sample
        except sounddevice.PortAudioError as error:
            raise ParameterError(
                f"the audio devices cannot be used ({error}); choose others"
            ) from error
        finally:
            _close(streams)
            self._finish(worker)
        if self._failure is not None:
            raise self._failure

    def _open(self) -> list[Any]:
        return open_streams(
            self.output,
            self.input,
            block_samples=self._block_samples,
            fill=self._fill,
            take=self._take,
        )

    def _start(self, streams: list[Any]) -> None:
        now = time.monotonic()
        self._signs = {"output": now} if self.input is None else {"output": now, "input": now}
        for stream in streams:
            stream.start()

    def _finish(self, worker: threading.Thread) -> None:
        """End the worker, which finishes what it is at."""
        self._stopped.set()
        self._feed.is_stopped = True
        self._wake.set()
        if worker.ident is not None:
            worker.join()

    def _wait_until(self, is_over: Callable[[], bool], streams: list[Any] | None = None) -> None:
        while not is_over():
            time.sleep(CHECK_SECONDS)
            if self._failure is not None:
                raise self._failure
            if streams is not None:
                self._check(streams)

    def _check(self, streams: list[Any]) -> None:
        """Raise a ParameterError if a device has vanished."""
        for kind, sign in self._signs.items():
            silent_for = time.monotonic() - sign
            if silent_for > GONE_SECONDS or not all(stream.active for stream in streams):
                _leave_portaudio_as_it_is()
                raise ParameterError(
                    f"the audio {kind} {self._name_of(kind)} has vanished; connect it again and"
                    " start anew"
                )

    def _name_of(self, kind: str) -> str:
        port = self.output if self.input is None or kind == "output" else self.input
        return port.name

    def _work(self) -> None:
        try:
            while not self._stopped.is_set() and not self._engine.ended:
                self._wake.clear()
                self._feed.top_up()
                self._engine.meters.underruns = self.underruns
                self._wake.wait(WAKE_SECONDS)
            self._feed.finish()
        except BaseException as error:
            self._failure = error
        finally:
            self._ended.set()

    def _fill(self, out: np.ndarray, status: Any) -> None:
        """Give the device its next samples; called by its thread."""
        self._signs["output"] = time.monotonic()
        self._gaps += bool(status.output_underflow)
        if self._resampling is None:
            self._ring.fill(out)
        else:
            needed = self._resampling.needed(len(out))
            block = np.empty((needed, self.output.channels), np.float32)
            self._ring.fill(block)
            out[:] = self._resampling.make(block, len(out))
        self._wake.set()

    def _take(self, block: np.ndarray, status: Any) -> None:
        """Keep what the device has heard; called by its thread."""
        self._signs["input"] = time.monotonic()
        self._lost += bool(status.input_overflow)
        self._heard.write(block)


def _leave_portaudio_as_it_is() -> None:
    """Do not end PortAudio with the program: it aborts when a JACK server has vanished."""
    atexit.unregister(getattr(import_sounddevice(), "_exit_handler", _leave_portaudio_as_it_is))


def _close(streams: list[Any]) -> None:
    """Close streams, discarding what is not played, but do not wait for devices that are gone.

    PortAudio waits ten minutes for a JACK server that has ended.
    """
    closing = [threading.Thread(target=stream.close, daemon=True) for stream in streams]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join(CLOSE_SECONDS)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let the device's thread run soon, and keep collections of garbage short, within the block."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # what is there by now is not looked at again
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(interval)
