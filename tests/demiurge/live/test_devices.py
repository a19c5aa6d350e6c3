"""Faults of audio devices, with a stand-in for sounddevice."""

import gc
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from demiurge.live import devices
from demiurge.live.devices import DeviceSession
from demiurge.live.streams import DeviceOptions
from files.errors import ParameterError
from tests.demiurge.live.known_engine import KnownEngine

NO_STATUS = SimpleNamespace(output_underflow=False, input_overflow=False)
BAD_STATUS = SimpleNamespace(output_underflow=True, input_overflow=True)


class PortAudioError(Exception):
    pass


class Stream:
    """Calls back in a thread until it is stopped, closed, or has played `most` blocks."""

    latency = 0.01

    def __init__(self, module, options):
        self.module = module
        self.options = options
        self.active = False
        self.is_closed = False
        self.thread = threading.Thread(target=self.play)

    def start(self):
        if self.module.fails_to_start:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        self.active = True
        self.thread.start()

    def play(self):
        out = np.empty((self.options["blocksize"], self.options["channels"]), np.float32)
        for _ in range(self.module.most):
            if not self.active:
                return
            self.options["callback"](out, len(out), None, self.module.status)
            self.module.between()
        self.active = self.module.stays_active

    def stop(self):
        self.close()

    def close(self):
        self.active = False
        self.is_closed = True
        if self.thread.ident is not None:
            self.thread.join()


class StandIn:
    """What a session uses of sounddevice."""

    PortAudioError = PortAudioError

    def __init__(self, most=10**6, rates=(44100,), between=lambda: None, **options):
        self.most = most
        self.rates = rates
        self.between = between
        self.status = options.get("status", NO_STATUS)
        self.fails_to_start = options.get("fails_to_start", False)
        self.stays_active = options.get("stays_active", False)
        self.fails_to_open = options.get("fails_to_open", ())
        self.streams = []

    def query_devices(self, device=None, kind=None):
        facts = {
            "index": 0,
            "name": "interface",
            "max_input_channels": 2,
            "max_output_channels": 2,
            "default_samplerate": 48000.0,
        }
        return [facts] if device is None and kind is None else facts

    def check_output_settings(self, *, device, channels, dtype, samplerate):
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    check_input_settings = check_output_settings

    def _open(self, name, options):
        if name in self.fails_to_open:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        self.streams.append(Stream(self, options))
        return self.streams[-1]

    def OutputStream(self, **options):  # noqa: N802
        return self._open("output", options)

    def InputStream(self, **options):  # noqa: N802
        return self._open("input", options)


@pytest.fixture
def use(monkeypatch):
    made = []

    def stand_in(**options):
        made.append(StandIn(**options))
        monkeypatch.setitem(sys.modules, "sounddevice", made[-1])
        return made[-1]

    interval = sys.getswitchinterval()
    frozen = gc.get_freeze_count()
    yield stand_in
    assert all(stream.is_closed for module in made for stream in module.streams)
    assert "live" not in {thread.name for thread in threading.enumerate()}
    assert sys.getswitchinterval() == interval
    assert gc.get_freeze_count() == frozen


OUTPUT = DeviceOptions(has_input=False)


def test_session_ends_with_its_engine(use):
    use()
    engine = KnownEngine(most=20000)
    DeviceSession(engine, OUTPUT).run()
    assert engine.ended
    assert len(engine.known) >= 20000


def test_session_stops_when_told(use):
    use()
    engine = KnownEngine()
    DeviceSession(engine, OUTPUT).run(stop=lambda: len(engine.known) > 5000)
    assert not engine.ended


def test_rate_that_no_device_takes(use):
    use(rates=())
    with pytest.raises(ParameterError, match="output 0 interface cannot be used .Invalid sample"):
        DeviceSession(KnownEngine(), OUTPUT)


def test_missing_package_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ParameterError, match="needs the package sounddevice"):
        DeviceSession(KnownEngine(), OUTPUT)


def test_device_that_does_not_start(use):
    use(fails_to_start=True)
    with pytest.raises(ParameterError, match="cannot be used .Device unavailable"):
        DeviceSession(KnownEngine(), OUTPUT).run()


def test_device_that_cannot_be_opened(use):
    use(fails_to_open=("output",))
    with pytest.raises(ParameterError, match="cannot be used .Device unavailable"):
        DeviceSession(KnownEngine(), OUTPUT).run()


def test_device_that_vanishes(use):
    use(most=50)
    with pytest.raises(ParameterError, match="the audio output interface has vanished; connect"):
        DeviceSession(KnownEngine(), OUTPUT).run()


def test_device_that_says_nothing_any_more(use, monkeypatch):
    monkeypatch.setattr(devices, "GONE_SECONDS", 0.05)
    use(most=5, stays_active=True)
    with pytest.raises(ParameterError, match="has vanished"):
        DeviceSession(KnownEngine(), OUTPUT).run()


def test_device_that_cannot_even_be_closed_is_not_waited_for(use, monkeypatch):
    """As PortAudio waits for a JACK server that has ended."""
    monkeypatch.setattr(devices, "CLOSE_SECONDS", 0.01)
    is_over = threading.Event()
    close = Stream.close
    monkeypatch.setattr(Stream, "close", lambda stream: (close(stream), is_over.wait(10)))
    use(most=50)
    with pytest.raises(ParameterError, match="has vanished"):
        DeviceSession(KnownEngine(), OUTPUT).run()
    is_over.set()


def test_error_of_the_engine_is_raised(use):
    def during(name):
        if name == "made" and len(engine.known) > 5000:
            raise ParameterError("the database has gone")

    use()
    engine = KnownEngine(during=during)
    with pytest.raises(ParameterError, match="the database has gone"):
        DeviceSession(engine, OUTPUT).run()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupt_closes_the_devices(use, error):
    def stop():
        if len(engine.known) > 3000:
            raise error
        return False

    use()
    engine = KnownEngine()
    with pytest.raises(error):
        DeviceSession(engine, OUTPUT).run(stop)


def test_what_the_device_misses_is_counted(use):
    module = use(status=BAD_STATUS)
    engine = KnownEngine(most=20000)
    session = DeviceSession(engine, OUTPUT)
    session.run()
    assert session.underruns > 0
    assert engine.meters.underruns > 0
    assert module.streams[0].options["latency"] == "low"
