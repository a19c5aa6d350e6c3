"""What a flow can be told: given frames, curves of loudness and onsets, and a style.

All are computed from the mel that they condition, so any recording can serve as an example.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from synth.flow import N_CURVES
from synth.mel import MelSettings
from synth.mel_statistics import N_COEFFICIENTS, WINDOW_FRAMES, mel_statistics

STYLE_SIZE = 3 * N_COEFFICIENTS
KEPT_STYLE = 0.8  # share of the training excerpts whose style is told
KEPT_CURVE = 0.35  # of each curve: most sounds are made without
# shares of the training excerpts: nothing is given, the beginning, both ends, the end
MASKS = {"nothing": 0.6, "beginning": 0.2, "both ends": 0.15, "end": 0.05}
SHORTEST_GAP = 0.06  # of an excerpt: half a second of nine
LONGEST_GAP = 0.6


@dataclass(frozen=True)
class Conditions:
    """Conditions of a batch, as `synth.flow.Flow` takes them.

    `given` is (batch, frames), `curves` (batch, 2 * N_CURVES, frames), `style` (batch, STYLE_SIZE
    + 1).
    """

    given: Tensor
    curves: Tensor
    style: Tensor

    def with_and_without_style(self) -> "Conditions":
        """Return a batch twice as long, whose second half is for any style."""
        return Conditions(
            torch.cat([self.given, self.given]),
            torch.cat([self.curves, self.curves]),
            torch.cat([self.style, torch.zeros_like(self.style)]),
        )


def style_of(normalised: Tensor) -> Tensor:
    """Describe normalised mel (n_mels, frames >= 1) by its mean mel statistics: (STYLE_SIZE,)."""
    frames = normalised.shape[1]
    if frames < WINDOW_FRAMES:
        repeats = -(-WINDOW_FRAMES // frames)
        normalised = normalised.repeat(1, repeats)[:, :WINDOW_FRAMES]
    statistics = mel_statistics(normalised[None].numpy())
    return torch.from_numpy(statistics.mean(axis=0)).float()


def curves_of(mel: Tensor, settings: MelSettings) -> Tensor:
    """Describe log-mel (..., n_mels, frames) by loudness and onsets: (..., N_CURVES, frames).

    Loudness is the logarithm of the sum of all bands; onsets are the mean rise of the bands since
    the frame before.
    """
    nepers = mel * settings.nepers
    loudness = torch.logsumexp(nepers, dim=-2)
    rise = (nepers[..., 1:] - nepers[..., :-1]).clamp_min(0).mean(dim=-2)
    return torch.stack([loudness, F.pad(rise, (1, 0))], dim=-2)


def drawn_masks(rng: np.random.Generator, batch: int, frames: int) -> Tensor:
    """Draw which frames of training excerpts are given: (batch, frames), 1 or 0."""
    kinds = rng.choice(len(MASKS), size=batch, p=list(MASKS.values()))
    return torch.stack([_mask(rng, list(MASKS)[kind], frames) for kind in kinds])


def _mask(rng: np.random.Generator, kind: str, frames: int) -> Tensor:
    given = torch.zeros(frames)
    if kind == "beginning":
        given[: int(frames * rng.uniform(0.1, 0.8))] = 1
    elif kind == "end":
        given[int(frames * rng.uniform(0.2, 0.9)) :] = 1
    elif kind == "both ends":
        gap = int(frames * rng.uniform(SHORTEST_GAP, LONGEST_GAP))
        start = int(rng.integers(frames - gap + 1))
        given[:start] = 1
        given[start + gap :] = 1
    return given


def drop_conditions(
    rng: np.random.Generator, curves: Tensor, style: Tensor
) -> tuple[Tensor, Tensor]:
    """Drop standardised conditions at random, and mark which are left.

    (batch, N_CURVES, frames) -> (batch, 2 * N_CURVES, frames); (batch, STYLE_SIZE) -> (batch,
    STYLE_SIZE + 1).
    """
    batch, _, frames = curves.shape
    of_curves = torch.from_numpy(rng.random((batch, N_CURVES, 1)) < KEPT_CURVE).float()
    of_style = torch.from_numpy(rng.random((batch, 1)) < KEPT_STYLE).float()
    marked_curves = mark(curves, of_curves.expand(-1, -1, frames))
    return marked_curves, mark(style, of_style)


def mark(values: Tensor, there: Tensor) -> Tensor:
    """Join conditions and where they are there, along axis 1; they are 0 where not."""
    return torch.cat([values * there, there], dim=1)
