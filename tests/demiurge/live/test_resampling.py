import numpy as np
import pytest

from demiurge.live.resampling import TAPS, DeviceResampling

RATES = [(44100, 48000), (48000, 44100), (22050, 48000), (96000, 44100)]


def in_pieces(signal: np.ndarray, resampling: DeviceResampling, sizes: list[int]) -> np.ndarray:
    made = []
    at = 0
    for size in sizes:
        needed = resampling.needed(size)
        made.append(resampling.make(signal[at : at + needed], size))
        at += needed
    return np.concatenate(made)


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_sine_stays_a_sine_half_the_taps_later(from_rate, to_rate):
    frequency = 0.3 * min(from_rate, to_rate)
    times = np.arange(from_rate // 4) / from_rate
    signal = np.sin(2 * np.pi * frequency * times)[:, np.newaxis].astype(np.float32)
    made = in_pieces(signal, DeviceResampling(from_rate, to_rate, 1), [to_rate // 5])[:, 0]
    times = np.arange(len(made)) / to_rate - TAPS // 2 / from_rate
    wanted = np.sin(2 * np.pi * frequency * times)
    settled = 2 * TAPS * to_rate // from_rate
    np.testing.assert_allclose(made[settled:], wanted[settled:], atol=1e-4)


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_samples_do_not_depend_on_how_they_are_asked_for(from_rate, to_rate):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(9000, 2)).astype(np.float32)
    sizes = rng.integers(0, 9, 400).tolist()
    made = in_pieces(signal, DeviceResampling(from_rate, to_rate, 2), sizes)
    whole = in_pieces(signal, DeviceResampling(from_rate, to_rate, 2), [sum(sizes)])
    np.testing.assert_allclose(made, whole, atol=1e-6)


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_constant_stays_constant(from_rate, to_rate):
    made = in_pieces(np.ones((9000, 1), np.float32), DeviceResampling(from_rate, to_rate, 1), [900])
    np.testing.assert_allclose(made[2 * TAPS * to_rate // from_rate :], 1, atol=1e-6)


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_what_is_added_is_made_as_far_as_it_goes(from_rate, to_rate):
    signal = np.random.default_rng(0).normal(size=(3000, 1)).astype(np.float32)
    resampling = DeviceResampling(from_rate, to_rate, 1)
    made = np.concatenate([resampling.add(signal[at : at + 7]) for at in range(0, 3000, 7)])
    assert len(made) == pytest.approx(3000 * to_rate / from_rate, abs=1 + to_rate / from_rate)
    whole = in_pieces(signal, DeviceResampling(from_rate, to_rate, 1), [len(made)])
    np.testing.assert_allclose(made, whole, atol=1e-6)
