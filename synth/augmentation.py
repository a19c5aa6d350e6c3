"""Change excerpts of log-mel at random, so that fewer files do for training."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audio.resample import resample
from synth.mel import MelSettings, log_mel

MIXED = 0.25  # share of the excerpts that sound together with another
MAX_TILT = 1.5  # nepers, from the middle band to the highest


@dataclass(frozen=True)
class Augmentation:
    """How far excerpts are made higher, lower, louder and softer."""

    max_gain: float  # nepers, up or down
    max_shift: float  # semitones, up or down
    shifted: float  # share of the excerpts whose pitch, and with it their speed, is shifted

    def longest(self, n_frames: int) -> int:
        """Return the length of an excerpt that has `n_frames` at any shift."""
        return int(np.ceil(n_frames * 2 ** (self.max_shift / 12))) + 1

    def apply(
        self,
        rng: np.random.Generator,
        audio: Tensor,
        mel: Tensor,
        n_frames: int,
        settings: MelSettings,
    ) -> Tensor:
        """Cut excerpts at random places, and change them.

        Parameters
        ----------
        audio : Tensor, shape (batch, longest * hop_length)
        mel : Tensor, shape (batch, n_mels, longest)

        Returns
        -------
        Tensor, shape (batch, n_mels, n_frames)
        """
        clips = []
        for samples, frames in zip(audio.numpy(), mel, strict=True):
            clip = frames
            if rng.random() < self.shifted:
                factor = 2 ** (rng.uniform(-self.max_shift, self.max_shift) / 12)
                rate = settings.sample_rate
                shifted = resample(samples, round(rate * factor), rate)
                clip = torch.from_numpy(log_mel(shifted, settings))
            start = int(rng.integers(clip.shape[1] - n_frames + 1))
            gain = rng.uniform(-self.max_gain, self.max_gain)
            clips.append(clip[:, start : start + n_frames] + gain / settings.nepers)
        return torch.stack(clips).clamp_min(settings.silence)


def mix_and_colour(rng: np.random.Generator, mel: Tensor, settings: MelSettings) -> Tensor:
    """Mix some excerpts with others, and make all darker or brighter.

    Parameters
    ----------
    mel : Tensor, shape (batch, n_mels, frames)
        Log-mel. The sum of two magnitudes stands for that of two sounds.
    """
    nepers = mel * settings.nepers
    is_mixed = torch.from_numpy(rng.random(len(mel)) < MIXED)[:, None, None]
    mixed = torch.where(is_mixed, torch.logaddexp(nepers, nepers.roll(1, dims=0)), nepers)
    tilts = torch.from_numpy(rng.uniform(-MAX_TILT, MAX_TILT, len(mel))).float()
    slope = torch.linspace(-1, 1, mel.shape[1])
    coloured = mixed + tilts[:, None, None] * slope[:, None]
    return (coloured / settings.nepers).clamp_min(settings.silence)
