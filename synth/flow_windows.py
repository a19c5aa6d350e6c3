"""Mel of any length by a flow, in windows that are given what is already there on either side.

::

    made by the first window
    ░░░░░░░░░░░░░░░░░░░░░░
               given      made by the second
               ███████████░░░░░░░░░░░

A short gap lies in the middle of its window, so that both sides of it are heard.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synth.flow import N_CURVES, Flow
from synth.flow_conditions import Conditions, mark
from synth.flow_sampling import follow_flow

CONTEXT_SHARE = 1 / 3  # of a window, given from the one before
GUIDED_UNTIL = 0.5  # later, guidance changes little (arXiv 2404.07724), and takes as long
BORDER_FRAMES = 8  # over which made mel is bent to fit: 93 ms at 22.05 kHz / 256
DRIFT_SECONDS = 60.0  # from one style to the next


@dataclass(frozen=True)
class Drift:
    """A style for every moment: styles drawn at random, each leading into the next.

    The idea is Musika's (arXiv 2208.08706, section 3.4).
    """

    styles: Tensor  # (n, style_size) to draw from
    random_seed: int

    def at(self, seconds: float) -> Tensor:
        """Return the style (style_size,) at a time."""
        number = int(seconds // DRIFT_SECONDS)
        share = seconds / DRIFT_SECONDS - number
        return torch.lerp(self._drawn(number), self._drawn(number + 1), share)

    def _drawn(self, number: int) -> Tensor:
        rng = np.random.default_rng([self.random_seed, number])
        return self.styles[int(rng.integers(len(self.styles)))]


@dataclass(frozen=True)
class WindowMaker:
    """Makes clips of normalised mel, window after window.

    Attributes
    ----------
    network : Flow
    length : int
        Frames of a window.
    frame_rate : float
    styles : Drift or Tensor, shape (style_size,)
        z-scores.
    curves : Tensor, shape (N_CURVES, frames), optional
        z-scores.
    random_seed : int >= 0
    steps : int > 0
        Predictions made for a window.
    guidance : float >= 1
    """

    network: Flow
    length: int
    frame_rate: float
    styles: Drift | Tensor
    curves: Tensor | None
    random_seed: int
    steps: int
    guidance: float

    def fill(self, mel: Tensor, given: Tensor) -> None:
        """Make the frames of (n_mels, frames) that are not given, (frames,) bool, in place."""
        context = int(self.length * CONTEXT_SHARE)
        known = given.clone()
        for number, (start, stop) in enumerate(windows(given, self.length, context)):
            noise = window_noise(self.random_seed, number, (len(mel), stop - start))
            conditions = self._conditions(known[start:stop], start, stop)
            mel[:, start:stop] = self._window(mel[:, start:stop], conditions, noise)
            known[start:stop] = True

    def close_loop(self, mel: Tensor) -> Tensor:
        """Make the end of (n_mels, frames) again, so that it leads into the beginning."""
        frames = mel.shape[1]
        gap = min(frames, self.length) // 4
        half = frames // 2
        turned = mel.roll(half, dims=1)  # the end and the beginning now meet in the middle
        given = torch.ones(frames, dtype=torch.bool)
        given[half - gap : half] = False
        self.fill(turned, given)
        return turned.roll(-half, dims=1)

    def _conditions(self, given: Tensor, start: int, stop: int) -> Conditions:
        device = next(self.network.parameters()).device
        values = torch.zeros(1, N_CURVES, stop - start, device=device)
        there = torch.zeros_like(values)
        if self.curves is not None:
            cut = self.curves[:, start:stop]
            values[0, :, : cut.shape[1]] = cut
            there[..., : cut.shape[1]] = 1
        middle = (start + stop) / 2 / self.frame_rate
        style = self.styles.at(middle) if isinstance(self.styles, Drift) else self.styles
        style = torch.cat([style, style.new_ones(1)])[None]
        return Conditions(given[None].float().to(device), mark(values, there), style)

    def _window(self, mel: Tensor, conditions: Conditions, noise: np.ndarray) -> Tensor:
        """Make the missing frames of a window (n_mels, frames)."""
        given = conditions.given[:, None] > 0
        both = conditions.with_and_without_style()

        def predict(z: Tensor, time: Tensor) -> Tensor:
            inputs = torch.where(given, mel, z)
            if self.guidance == 1 or time >= GUIDED_UNTIL:
                return self._predict(inputs, time, conditions)
            styled, free = self._predict(inputs.expand(2, -1, -1), time, both).chunk(2)
            return free + self.guidance * (styled - free)

        made = follow_flow(predict, torch.from_numpy(noise)[None].to(mel), self.steps)
        return bend_borders(torch.where(given, mel, made)[0], given[0, 0])

    def _predict(self, mel: Tensor, time: Tensor, conditions: Conditions) -> Tensor:
        prediction: Tensor = self.network(
            mel, conditions.given, time, conditions.curves, conditions.style
        )
        return prediction


def window_noise(random_seed: int, number: int, shape: tuple[int, int]) -> np.ndarray:
    """Return the white noise (n_mels, frames) of which a window is made, counted from 0."""
    rng = np.random.default_rng([random_seed, number])
    return rng.standard_normal(shape, np.float32)


def bend_borders(mel: Tensor, given: Tensor) -> Tensor:
    """Bend what was made towards what is given on either side of it.

    The step from the last given frame to the first made one is spread over BORDER_FRAMES, band by
    band, so that no join is heard where the network was a little louder or softer.

    Parameters
    ----------
    mel : Tensor, shape (n_mels, frames)
    given : Tensor of bool, shape (frames,)
    """
    bent = mel.clone()
    changes = torch.nonzero(given[1:] != given[:-1]).flatten().tolist()
    for change in changes:
        direction = 1 if given[change] else -1
        there = change if given[change] else change + 1
        frames = torch.arange(1, BORDER_FRAMES + 1, device=mel.device) * direction + there
        frames = frames[(frames >= 0) & (frames < len(given))]
        frames = frames[(~given[frames]).cumprod(0).bool()]  # to the end of the gap
        share = torch.linspace(1, 0, len(frames) + 2, device=mel.device)[1:-1]
        step = mel[:, there] - mel[:, there + direction]
        bent[:, frames] += step[:, None] * share
    return bent


def windows(given: Tensor, length: int, context: int) -> Iterator[tuple[int, int]]:
    """Yield windows (start, stop) that together cover all frames that are not given.

    Parameters
    ----------
    given : Tensor of bool, shape (frames,)
    length : int > context
        Frames of a window; all there are if they are fewer.
    context : int
        Frames that a window is given before a long gap, if there are as many. A gap that leaves so
        many lies in the middle of its window.
    """
    frames = len(given)
    length = min(length, frames)
    known = torch.nonzero(given).flatten().numpy()
    missing = torch.nonzero(~given).flatten().numpy()
    while len(missing):
        first = int(missing[0])
        next_known = known[np.searchsorted(known, first) :]
        end = int(next_known[0]) if len(next_known) else frames
        spare = length - (end - first)
        before = spare // 2 if spare >= context and end < frames else max(spare, context)
        start = min(max(first - before, 0), frames - length)
        stop = start + length
        yield start, stop
        missing = missing[np.searchsorted(missing, stop) :]
