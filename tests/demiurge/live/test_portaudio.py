"""Sessions through a real PortAudio, over ALSA."""

import numpy as np
import pytest

from demiurge.live.ring import FADE_SAMPLES
from tests.demiurge.live.portaudio import run_with_alsa, skip_without_portaudio, tape
from tests.pages import ROOT

# A device without a clock would leave any worker behind: it waits for it, but not always.
PREAMBLE = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
from demiurge.live.devices import DeviceSession
from demiurge.live.streams import DeviceOptions
from files.errors import ParameterError
from tests.demiurge.live.known_engine import KnownEngine

class Waiting(DeviceSession):
    n_blocks = 0

    def _fill(self, out, status):
        self.n_blocks += 1
        while self.n_blocks % 4 and self._ring.ahead < 2 * len(out) and not self._ended.is_set():
            time.sleep(0)
        super()._fill(out, status)

    def _take(self, block, status):
        while self._heard.waiting > 20000 and not self._ended.is_set():
            time.sleep(0)
        super()._take(block, status)

"""


@pytest.fixture
def folder(tmp_path):
    skip_without_portaudio(tmp_path)
    return tmp_path


def run(folder, script):
    ran = run_with_alsa(folder, PREAMBLE + script)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_device_plays_what_the_engine_knows(folder):
    heard = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32)
    heard.tofile(folder / "heard.raw")
    told = run(
        folder,
        """
engine = KnownEngine(most=60000, during=lambda name: time.sleep(0))
session = Waiting(engine, DeviceOptions(output="tape", input="take"))
session.run()
np.save("known.npy", engine.known)
np.save("heard.npy", np.concatenate(engine.heard)[:5000])
print(session.underruns, engine.input_rate, engine.n_late)
""",
    )
    assert told.startswith("0 44100 ")
    known = np.load(folder / "known.npy")
    played = tape(folder)
    begin = np.flatnonzero(played[:, 0])[0] - 1  # its first sample is 0
    end = begin + len(known)
    np.testing.assert_array_equal(played[begin:end, 0], known)
    np.testing.assert_array_equal(played[:, 0], played[:, 1])
    assert not played[end + FADE_SAMPLES :].any()
    np.testing.assert_array_equal(np.load(folder / "heard.npy"), heard[:5000])


def test_one_device_for_both_directions(folder):
    told = run(
        folder,
        """
engine = KnownEngine(most=30000)
session = Waiting(engine, DeviceOptions(output="nowhere", input="nowhere"))
session.run()
print(sum(map(len, engine.heard)) > 20000, session.late, engine.n_late, session.overruns)
""",
    )
    assert told.startswith("True ")


def test_engine_at_another_rate_and_with_more_channels_than_the_device(folder):
    told = run(
        folder,
        """
import sounddevice
check = sounddevice.check_output_settings

def takes(**options):
    if (options["samplerate"], options["channels"]) != (48000, 1):
        raise sounddevice.PortAudioError("Invalid sample rate")
    check(**options)

facts = sounddevice.query_devices("tape")
sounddevice.check_output_settings = takes
sounddevice.query_devices = lambda device=None, kind=None, asked=sounddevice.query_devices: (
    {**asked(device, kind), "max_output_channels": 1, "default_samplerate": 48000.0}
    if device is not None else asked()
)
engine = KnownEngine(most=44100, channels=2)
engine.produce = lambda n, made=engine.produce: (made(n), np.full((n, 2), 0.5, np.float32))[1]
engine.tail = lambda n: np.full((n, 2), 0.5, np.float32)
session = Waiting(engine, DeviceOptions(output="tape", has_input=False))
session.run()
print(session.output.channels, session.output.sample_rate, len(engine.known))
""",
    )
    channels, rate, n_known = map(int, told.split())
    assert (channels, rate) == (1, 48000)
    played = tape(folder, 1)[:, 0]
    sound = np.flatnonzero(np.abs(played - 0.5) < 1e-3)
    assert len(sound) == pytest.approx(n_known * 48000 / 44100, abs=100)
    assert (np.diff(sound[100:-100]) == 1).all()  # it rings at both ends


def test_unknown_device_names_those_that_are_there(folder):
    told = run(
        folder,
        """
try:
    DeviceSession(KnownEngine(), DeviceOptions(output="no such thing"))
except ParameterError as error:
    print(error)
""",
    )
    assert "device='no such thing': no such audio output" in told
    assert "nowhere" in told
