import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from files.errors import ParameterError, PlanError
from playback.devices import check_output_device
from playback.live import CHUNK_SAMPLES, Played, play

RATE = 44100
OUTPUTS = [
    {"index": 0, "name": "microphone", "max_output_channels": 0},
    {"index": 1, "name": "built-in", "max_output_channels": 2},
    {"index": 2, "name": "interface", "max_output_channels": 8},
]


class PortAudioError(Exception):
    pass


class StandIn:
    """What `play` uses of sounddevice; remembers what was written."""

    PortAudioError = PortAudioError

    def __init__(self, devices=OUTPUTS, rates=(RATE,), late=(), fail_at=None, interrupt_at=None):
        self.devices = devices
        self.rates = rates
        self.late = late
        self.fail_at = fail_at
        self.interrupt_at = interrupt_at
        self.written = []
        self.calls = []
        self.options = {}

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return self.devices
        outputs = [
            d
            for d in self.devices
            if d["max_output_channels"] and device in (None, d["index"], d["name"])
        ]
        if not outputs:
            raise ValueError(f"No output device matching {device!r}")
        return outputs[0]

    def check_output_settings(self, *, device, channels, dtype, samplerate):
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    def OutputStream(self, **options):  # noqa: N802
        self.options = options
        called = {
            name: lambda name=name: self.calls.append(name) for name in ("start", "stop", "close")
        }
        return SimpleNamespace(write=self.write, **called)

    def write(self, chunk):
        if len(self.written) == self.fail_at:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        if len(self.written) == self.interrupt_at:
            raise KeyboardInterrupt
        assert chunk.flags.c_contiguous
        assert chunk.dtype == np.float32
        self.written.append(chunk.copy())
        return len(self.written) - 1 in self.late


@pytest.fixture
def stand_in(monkeypatch):
    def use(**options) -> StandIn:
        module = StandIn(**options)
        monkeypatch.setitem(sys.modules, "sounddevice", module)
        return module

    yield use
    assert "playback" not in {thread.name for thread in threading.enumerate()}


def blocks(*sizes: int, channels: int = 2):
    start = 0
    for size in sizes:
        yield np.arange(start, start + size * channels, dtype=np.float32).reshape(size, channels)
        start += size * channels


def test_every_sample_is_written_once_in_order(stand_in):
    module = stand_in()
    assert play(blocks(1, 5000, 0, 777, 3 * RATE), sample_rate=RATE, channels=2) == Played(
        5778 + 3 * RATE, 0
    )
    np.testing.assert_array_equal(np.concatenate(module.written), next(blocks(5778 + 3 * RATE)))
    assert {len(chunk) for chunk in module.written[:-1]} == {CHUNK_SAMPLES}
    assert module.calls == ["start", "stop", "close"]
    assert {**module.options, "latency": None} == {
        "device": 1,
        "channels": 2,
        "dtype": "float32",
        "samplerate": RATE,
        "latency": None,
    }


def test_nothing_to_play(stand_in):
    stand_in()
    assert play(iter([]), sample_rate=RATE, channels=2) == Played(0, 0)


def test_columns_stored_one_after_the_other_are_written_alike(stand_in):
    module = stand_in()
    play(iter([np.asfortranarray(next(blocks(3000)))]), sample_rate=RATE, channels=2)
    np.testing.assert_array_equal(np.concatenate(module.written), next(blocks(3000)))


def test_progress_is_told_after_every_write(stand_in):
    stand_in()
    told: list[int] = []
    play(blocks(2500), sample_rate=RATE, channels=2, progress=told.append)
    assert told == [CHUNK_SAMPLES, 2 * CHUNK_SAMPLES, 2500]


def test_late_writes_are_counted_but_not_the_first(stand_in):
    stand_in(late={0, 2, 3})
    assert play(blocks(9 * CHUNK_SAMPLES), sample_rate=RATE, channels=2).underruns == 2


def test_making_runs_two_seconds_ahead_and_no_further(stand_in):
    module = stand_in()
    made = []
    gaps = []

    def source():
        for block in blocks(*[CHUNK_SAMPLES] * 300):
            made.append(len(block))
            yield block

    def progress(played):
        time.sleep(0.001)
        gaps.append(sum(made) - played)

    play(source(), sample_rate=RATE, channels=2, progress=progress)
    assert (
        RATE < max(gaps) <= 3.2 * RATE
    )  # two in the queue and the one that was in hand at the start
    assert len(module.written) == 300


def test_pause_of_the_source_does_not_stop_the_device(stand_in, monkeypatch):
    module = stand_in()
    times = []

    def source():
        for number, block in enumerate(blocks(*[CHUNK_SAMPLES] * 120)):
            if number == 100:
                time.sleep(0.3)
            yield block

    def write(chunk):
        times.append(time.perf_counter())
        time.sleep(0.005)
        return False

    monkeypatch.setattr(module, "write", write)
    play(source(), sample_rate=RATE, channels=2)
    assert np.diff(times).max() < 0.25


def test_error_of_the_source_is_raised_and_the_device_closed(stand_in):
    module = stand_in()

    def source():
        yield from blocks(3 * RATE)
        raise PlanError("kick.wav: not in the corpus folder")

    with pytest.raises(PlanError, match="kick.wav: not in the corpus folder"):
        play(source(), sample_rate=RATE, channels=2)
    assert module.calls == ["start", "close"]


def test_interrupt_closes_without_playing_on(stand_in):
    module = stand_in(interrupt_at=2)

    def endless():
        while True:
            yield np.zeros((1000, 2), np.float32)

    with pytest.raises(KeyboardInterrupt):
        play(endless(), sample_rate=RATE, channels=2)
    assert module.calls == ["start", "close"]


def test_device_that_goes_away_is_told(stand_in):
    stand_in(fail_at=3)
    with pytest.raises(
        ParameterError,
        match="Device unavailable.*choose another of 1 built-in, 2 interface, or write a file",
    ):
        play(blocks(3 * RATE), sample_rate=RATE, channels=2)


@pytest.mark.parametrize(("device", "number"), [(None, 1), ("interface", 2), (2, 2), ("2", 2)])
def test_device_by_number_or_name(stand_in, device, number):
    module = stand_in()
    play(blocks(10), sample_rate=RATE, channels=2, device=device)
    assert module.options["device"] == number


def test_unknown_device_lists_those_there_are(stand_in):
    stand_in()
    with pytest.raises(
        ParameterError,
        match="device='usb': no such audio output.*choose one of 1 built-in, 2 interface",
    ):
        play(blocks(10), sample_rate=RATE, channels=2, device="usb")


def test_device_is_checked_without_a_sound(stand_in):
    module = stand_in()
    for device in (None, "interface", "2", 2):
        check_output_device(device)
    with pytest.raises(
        ParameterError,
        match="device='usb': no such audio output.*choose one of 1 built-in, 2 interface",
    ):
        check_output_device("usb")
    assert (module.calls, module.options) == ([], {})


def test_no_output_at_all(stand_in):
    stand_in(devices=OUTPUTS[:1])
    with pytest.raises(
        ParameterError, match="no audio output device; connect one, or write a file instead"
    ):
        play(blocks(10), sample_rate=RATE, channels=2)


def test_sample_rate_the_device_does_not_take(stand_in):
    stand_in(rates=(48000,))
    with pytest.raises(
        ParameterError, match="does not play 2 channels at 44100 Hz .Invalid sample rate"
    ):
        play(blocks(10), sample_rate=RATE, channels=2)


def test_missing_package_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ParameterError, match=r'-m pip install .*"sounddevice>='):
        play(blocks(10), sample_rate=RATE, channels=2)


def test_missing_portaudio_is_told_with_the_remedy(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(
        ParameterError, match="PortAudio library not found.*apt install libportaudio2"
    ):
        play(blocks(10), sample_rate=RATE, channels=2)


def test_real_portaudio_without_a_device_says_so():
    try:
        import sounddevice
    except (ImportError, OSError):
        pytest.skip("sounddevice or PortAudio is not installed")
    if any(device["max_output_channels"] for device in sounddevice.query_devices()):
        pytest.skip("this machine has an audio output")
    with pytest.raises(ParameterError, match="no audio output device"):
        play(blocks(10), sample_rate=RATE, channels=2)
