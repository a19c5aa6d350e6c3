"""Loudness and true peak against closed forms, pyloudnorm and any cutting into blocks."""

from itertools import pairwise

import numpy as np
import pyloudnorm
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.loudness import LoudnessMeter, TruePeakMeter, k_weighting
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError

RATE = 44100


def sine(frequency: float, seconds: float, *, rate: int = RATE, phase: float = 0.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * frequency * time + phase).astype(np.float32)[:, None]


def loudness(samples: np.ndarray, rate: int = RATE) -> float:
    meter = LoudnessMeter(rate, samples.shape[1])
    meter.add(samples)
    return meter.integrated()


def true_peak(samples: np.ndarray) -> float:
    meter = TruePeakMeter(samples.shape[1])
    meter.add(samples)
    return meter.peak()


def test_k_weighting_at_48_khz_is_the_standards_table():
    shelf, cut = k_weighting(48000)
    expected = [
        1.53512485958697,
        -2.69169618940638,
        1.19839281085285,
        1,
        -1.69065929318241,
        0.73248077421585,
    ]
    np.testing.assert_allclose(shelf, expected, atol=1e-13)
    np.testing.assert_allclose(cut, [1, -2, 1, 1, -1.99004745483398, 0.99007225036621], atol=1e-13)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
def test_stereo_sine_of_997_hz_at_minus_23_dbfs(rate):
    tone = np.repeat(sine(997, 4, rate=rate) * np.float32(10 ** (-23 / 20)), 2, axis=1)
    assert loudness(tone, rate) == pytest.approx(-23.0, abs=0.05)
    assert loudness(tone[:, :1], rate) == pytest.approx(-26.0, abs=0.05)


def test_surrounds_weigh_more_and_the_lfe_nothing():
    tone = sine(997, 2) / 10
    alone = loudness(tone)
    for channel, difference in enumerate([0, 0, 0, None, 1.5, 1.5]):
        samples = np.zeros((len(tone), 6), np.float32)
        samples[:, channel] = tone[:, 0]
        assert loudness(samples) == (
            -np.inf if difference is None else pytest.approx(alone + difference, abs=0.01)
        )


@pytest.mark.parametrize("rate", [22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_agrees_with_pyloudnorm_on_recordings(rate, channels):
    recordings = [
        sf.read(path, dtype="float32", always_2d=True)[0][:, :1]
        for path in sorted(CORPUS_DIR.rglob("*.ogg"))[:12]
    ]
    samples = np.concatenate(recordings)[: 8 * rate]
    samples = np.concatenate([samples, np.roll(samples, 999) / 2], axis=1)[:, :channels]
    assert loudness(samples, rate) == pytest.approx(
        pyloudnorm.Meter(rate).integrated_loudness(samples), abs=0.1
    )


def test_silence_between_does_not_count(tabla):
    once = tabla[:, None]
    padded = np.concatenate([once, np.zeros((10 * RATE, 1), np.float32), once])
    assert loudness(padded) == pytest.approx(loudness(np.concatenate([once, once])), abs=1.0)


def test_half_the_amplitude_is_6_lu_less(tabla):
    assert loudness(tabla[:, None] / 2) == pytest.approx(loudness(tabla[:, None]) - 6.02, abs=0.1)


def test_shorter_than_400_ms_is_one_block():
    tone = sine(997, 0.37) / 10
    assert loudness(tone) == pytest.approx(loudness(sine(997, 4) / 10), abs=0.1)
    assert loudness(tone[: RATE // 5]) == pytest.approx(loudness(sine(997, 4) / 10), abs=0.1)
    assert loudness(tone[:7]) > -100


def test_silence_and_nothing_are_minus_infinity():
    assert loudness(np.zeros((RATE, 2), np.float32)) == -np.inf
    assert LoudnessMeter(RATE, 2).integrated() == -np.inf


def test_what_is_below_minus_70_lufs_alone_is_nothing():
    tone = sine(997, 1)
    assert loudness(tone * np.float32(10 ** (-72 / 20))) == -np.inf
    assert loudness(tone * np.float32(10 ** (-64 / 20))) == pytest.approx(-67, abs=0.1)


def test_asking_in_between_changes_nothing(tabla):
    meter = LoudnessMeter(RATE, 1)
    for block in np.array_split(tabla[:, None], 9):
        meter.add(block)
        meter.integrated()
    assert meter.integrated() == loudness(tabla[:, None])


def test_filters_come_to_rest_in_silence():
    meter = LoudnessMeter(RATE, 1)
    meter.add(np.ones((RATE, 1), np.float32))
    meter.add(np.zeros((10 * RATE, 1), np.float32))
    assert not meter._state.any()


@settings(deadline=None, max_examples=20)
@given(
    cuts=st.lists(st.integers(0, RATE), max_size=12),
    n_samples=st.sampled_from([0, 300, 9000, RATE]),
)
def test_cutting_changes_no_bit(cuts, n_samples):
    samples = np.random.default_rng(1).normal(size=(n_samples, 2)).astype(np.float32) / 4
    edges = [0, *sorted(min(cut, n_samples) for cut in cuts), n_samples]
    loud = LoudnessMeter(RATE, 2)
    high = TruePeakMeter(2)
    for start, stop in pairwise(edges):
        loud.add(samples[start:stop])
        high.add(samples[start:stop])
    assert loud.integrated() == loudness(samples)
    assert high.peak() == true_peak(samples)


def test_true_peak_between_samples():
    tone = sine(RATE / 4, 1, phase=np.pi / 4) * np.hanning(RATE).astype(np.float32)[:, None]
    assert 20 * np.log10(true_peak(tone) / np.abs(tone).max()) == pytest.approx(3.01, abs=0.2)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.2, 0.3, 0.4])
def test_true_peak_of_a_sine_is_its_amplitude(fraction):
    fade = np.hanning(RATE).astype(np.float32)[:, None]
    assert 20 * np.log10(true_peak(sine(fraction * RATE, 1, phase=0.3) * fade)) == pytest.approx(
        0, abs=0.2
    )


def test_true_peak_of_a_stream_that_comes_sample_by_sample(tabla):
    part = tabla[9000:9400, None]
    meter = TruePeakMeter(1)
    for sample in part[:, None]:
        meter.add(sample)
    assert meter.peak() == true_peak(part) > np.abs(part).max()


def test_true_peak_is_never_below_a_sample(tabla):
    assert true_peak(tabla[:, None]) >= np.abs(tabla).max()
    assert true_peak(np.array([[0.0], [-0.75], [0.0]], np.float32)) == 0.75
    assert TruePeakMeter(1).peak() == 0


def test_true_peak_after_the_last_sample():
    assert true_peak(np.array([[0.5], [0.5]], np.float32)) > 0.55
    assert true_peak(np.tile(np.array([[0.5], [-0.5]], np.float32), (20, 1))) > 0.55


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ParameterError, match="sample_rate=2000 Hz must be at least 4000 Hz"):
        LoudnessMeter(2000, 1)
    with pytest.raises(ParameterError, match="channels=0 must be at least 1"):
        LoudnessMeter(RATE, 0)
    with pytest.raises(ParameterError, match="channels=0 must be at least 1"):
        TruePeakMeter(0)
    for meter in (LoudnessMeter(RATE, 2), TruePeakMeter(2)):
        with pytest.raises(
            ParameterError,
            match=r"float32 block of shape \(5, 1\) must be float32 of shape \(n_samples, 2\)",
        ):
            meter.add(np.zeros((5, 1), np.float32))
