"""What is known of an input while it comes in."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from audio.resample import resample
from db.analyse import describe_signal
from db.settings import FOR_CONTINUATIONS
from demiurge.bundled import DATA
from demiurge.live.listener import Listener
from tests.sounds import chord, clicks, noise

RATE = 44100
SETTINGS = replace(FOR_CONTINUATIONS, units="frame")


@pytest.fixture(scope="module")
def loop():
    samples, _ = sf.read(DATA / "seed" / "loop_amen_full.ogg", dtype="float32", always_2d=True)
    return samples[: 3 * RATE]


def hear(listener, samples, block=256):
    for at in range(0, len(samples), block):
        listener.hear(samples[at : at + block])


def test_channels_and_blocks_do_not_matter(loop):
    rows = []
    mono = loop.mean(axis=1, keepdims=True)
    for samples, block in ((mono, 256), (np.repeat(mono, 3, axis=1), 1000)):
        listener = Listener(SETTINGS, sample_rate=RATE)
        hear(listener, samples, block)
        assert listener.n_heard == len(loop)
        rows.append(listener.target(1024))
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("rate", [22050, 48000, 96000])
def test_other_rates_are_resampled(loop, rate):
    listener = Listener(SETTINGS, sample_rate=rate)
    played = resample(loop, RATE, rate)
    hear(listener, played)
    assert listener.n_heard == pytest.approx(len(loop), abs=3)
    again = resample(played, rate, RATE).mean(axis=1)
    whole = describe_signal([again], SETTINGS).frames
    last = (listener.n_heard - 512 - 1024) // 1024
    lately = listener.target(1024)
    np.testing.assert_allclose(lately[1:13], whole[last, 1:13], atol=12)
    assert lately[0] == pytest.approx(whole[last, 0], abs=40)


def test_dc_is_not_heard(loop):
    plain = Listener(SETTINGS, sample_rate=RATE)
    shifted = Listener(SETTINGS, sample_rate=RATE)
    hear(plain, 0.5 * loop)
    hear(shifted, 0.5 * loop + np.float32(0.3))
    np.testing.assert_allclose(shifted.target(1024), plain.target(1024), atol=0.5)
    assert shifted.loudness_db == pytest.approx(plain.loudness_db, abs=0.05)


def test_samples_that_are_not_finite_are_repaired_and_counted(loop):
    broken = loop.copy()
    broken[1000:1010, 0] = np.nan
    broken[2000, :] = np.inf
    broken[3000, 1] = -1e30
    listener = Listener(SETTINGS, sample_rate=RATE)
    hear(listener, broken)
    assert listener.repaired == 12
    assert np.isfinite(listener.target(1024)).all()


def test_silence_is_told_after_half_a_second(loop):
    listener = Listener(SETTINGS, sample_rate=RATE)
    assert listener.is_silent
    hear(listener, loop[:RATE])
    assert not listener.is_silent
    silence = np.zeros((RATE, 1), np.float32)
    hear(listener, silence[: round(0.4 * RATE)])
    assert not listener.is_silent
    hear(listener, silence[: round(0.3 * RATE)])
    assert listener.is_silent
    hear(listener, loop[: RATE // 4])
    assert not listener.is_silent


def test_pitch_classes_of_the_last_second():
    listener = Listener(SETTINGS, sample_rate=RATE)
    assert not listener.chroma.any()
    hear(listener, chord([61, 66], 2, rate=RATE)[:, None])
    hear(listener, chord([60, 67], 2, rate=RATE)[:, None])
    assert sorted(np.argsort(listener.chroma)[-2:].tolist()) == [0, 7]


def test_the_pulse_of_the_last_seconds():
    listener = Listener(SETTINGS, sample_rate=RATE)
    assert listener.pulse() is None
    hear(listener, clicks(100, 12, first=0.2, rate=RATE)[:, None], 1024)
    pulse = listener.pulse()
    assert pulse.tempo == pytest.approx(100, rel=0.01)
    off = (pulse.beat_sample - 0.2 * RATE) % (0.6 * RATE)
    assert min(off, 0.6 * RATE - off) < 0.02 * RATE


def test_the_pulse_is_asked_for_while_the_input_goes_on():
    listener = Listener(SETTINGS, sample_rate=RATE)
    samples = clicks(100, 12, first=0.2, rate=RATE)[:, None]
    hear(listener, samples, 64)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(1) as pool:
            pulses = [pool.submit(listener.pulse) for _ in range(8)]
            while not all(pulse.done() for pulse in pulses):
                hear(listener, samples[:6400], 64)
    finally:
        sys.setswitchinterval(interval)
    assert [pulse.exception() for pulse in pulses] == [None] * 8


@pytest.mark.parametrize("block", [1, 1024, 3 * RATE])
def test_level_and_pitch_classes_are_of_each_frame_whatever_the_blocks(loop, block):
    sound = loop[:RATE] if block > 1 else loop[:5000]
    signal = np.concatenate([sound, np.zeros_like(sound)])
    expected = Listener(SETTINGS, sample_rate=RATE)
    hear(expected, signal, 512)
    listener = Listener(SETTINGS, sample_rate=RATE)
    hear(listener, signal, block)
    assert listener.loudness_db == expected.loudness_db
    assert listener.is_silent == expected.is_silent
    np.testing.assert_array_equal(listener.chroma, expected.chroma)
    np.testing.assert_array_equal(listener.target(9000), expected.target(9000))


def test_silence_does_not_decay_for_ever(loop):
    listener = Listener(SETTINGS, sample_rate=RATE)
    hear(listener, loop[:RATE])
    hear(listener, np.zeros((2 * RATE, 1), np.float32), 1024)
    assert listener._dc[0] == 0


def test_memory_does_not_grow(loop):
    listener = Listener(SETTINGS, sample_rate=RATE)
    hear(listener, np.tile(loop, (5, 1)), 4096)
    kept = sum(map(len, listener._samples))
    assert kept < 13 * RATE
    assert len(listener._frames) < 13 * RATE / 1024


def test_before_anything_was_heard_the_input_is_silence():
    listener = Listener(SETTINGS, sample_rate=RATE)
    silence = describe_signal([np.zeros(RATE, np.float32)], SETTINGS).frames
    np.testing.assert_allclose(listener.target(1024), silence[3], atol=1e-3)


def test_the_noise_of_a_room_is_no_sound(loop):
    """Noise 35 dB below the music, after it; by itself, before anything else, it sounds."""
    level = 10 ** (-35 / 20) * float(np.sqrt((loop**2).mean()))
    room = noise(30, rate=RATE, level=level)[:, None]
    listener = Listener(SETTINGS, sample_rate=RATE)
    hear(listener, loop + room[: len(loop)], 1024)
    assert not listener.is_silent
    hear(listener, room, 1024)
    assert listener.is_silent
    hear(listener, loop[:RATE], 1024)
    assert not listener.is_silent
