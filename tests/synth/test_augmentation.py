"""Excerpts changed at random for training."""

import numpy as np
import pytest
import torch

from synth.augmentation import MAX_TILT, Augmentation, mix_and_colour
from synth.mel import log_mel
from tests.synth.toys import MEL

GAIN = Augmentation(max_gain=1.0, max_shift=5.0, shifted=0.0)
SHIFT = Augmentation(max_gain=0.0, max_shift=5.0, shifted=1.0)


def clips(n=6, frames=60):
    """Tones of rising pitch at 8 kHz and their log-mel."""
    times = np.arange(frames * MEL.hop_length) / 8000
    tones = [np.sin(2 * np.pi * (300 + 200 * i) * times) for i in range(n)]
    audio = np.array(tones, np.float32)
    return torch.from_numpy(audio), torch.from_numpy(np.stack([log_mel(x, MEL) for x in audio]))


def test_a_gain_moves_all_values_of_a_clip_alike():
    audio, mel = clips()
    made = GAIN.apply(np.random.default_rng(0), audio, mel, 60, MEL)
    steps = [(a - b)[b > MEL.silence + 2] for a, b in zip(made, mel, strict=True)]
    assert all(float(step.std()) < 1e-5 for step in steps)
    gains = torch.stack([step.mean() for step in steps])
    assert gains.abs().max() <= 1
    assert gains.std() > 0.2


def test_a_shift_moves_the_peak_by_less_than_it_may():
    audio, mel = clips(n=2)
    frames = 40
    assert SHIFT.longest(frames) <= 60
    peaks = {float(mel[1].mean(1).argmax())}
    for seed in range(8):
        made = SHIFT.apply(np.random.default_rng(seed), audio, mel, frames, MEL)
        assert made.shape == (2, 20, frames)
        peaks.add(float(made[1].mean(1).argmax()))
    assert len(peaks) > 1


@pytest.mark.parametrize("seed", range(4))
def test_mixed_clips_are_never_softer_and_coloured_ones_tilt(seed):
    mel = torch.full((8, 20, 30), -3.0)
    made = mix_and_colour(np.random.default_rng(seed), mel, MEL)
    slopes = made[:, -1, 0] - made[:, 0, 0]
    assert slopes.abs().max() <= 2 * MAX_TILT + 1e-5
    assert slopes.std() > 0.3
    middle = made.mean((1, 2))  # a tilt leaves the mean as it is
    is_mixed = middle > -2.9
    torch.testing.assert_close(middle[~is_mixed], torch.full_like(middle[~is_mixed], -3.0))
    torch.testing.assert_close(
        middle[is_mixed], torch.full_like(middle[is_mixed], -3.0 + float(np.log(2)))
    )


def test_nothing_falls_below_silence_and_the_same_seed_gives_the_same():
    mel = torch.full((4, 20, 30), MEL.silence)
    made = [mix_and_colour(np.random.default_rng(1), mel, MEL) for _ in range(2)]
    assert made[0].min() >= MEL.silence
    assert torch.equal(*made)
