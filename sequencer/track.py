"""Another track as the condition of a forecaster: what it plays when the next step begins.

Donahue et al. 2023, SingSong (arXiv 2301.12662), generate what accompanies a voice from pairs of
stems. Here the track joins the forecaster step by step, as means of its frames over fixed spans
around the moment where the step to be forecast begins:

    steps             … |  t - 1  |   t   |  t + 1, to be forecast
    spans of the track           [ -1 ][ 0 ][ 1 ][    2    ][        3        ]

How long the step to be forecast will be is not known yet, so the spans do not depend on it, and
units of any kind go with any track.
"""

import numpy as np
import torch
from torch import Tensor

from db.settings import DescriptorSettings
from sequencer.condition import TRACK_EDGES, TrackCondition
from sequencer.forecaster import Forecaster


class Track:
    """The frames of a track, z-scored as a forecaster's steps are.

    Parameters
    ----------
    frames : ndarray, float32, shape (n_frames, n_frame_descriptors), raw
    """

    def __init__(self, forecaster: Forecaster, frames: np.ndarray) -> None:
        condition = forecaster.config.condition
        assert isinstance(condition, TrackCondition)
        settings = forecaster.config.settings
        columns = frame_columns(settings)
        mean, std = (part.cpu().numpy()[columns] for part in (forecaster.mean, forecaster.std))
        scores = (frames[:, list(settings.frame_static)].astype(np.float64) - mean) / std
        self._running = np.concatenate([np.zeros((1, scores.shape[1])), scores.cumsum(axis=0)])
        edges = np.array(TRACK_EDGES) * condition.step_samples / settings.hop_length
        # each span is at least one frame
        self._edges = np.maximum(np.rint(edges), TRACK_EDGES).astype(np.int64)
        self._hop_length = settings.hop_length

    def rows(self, moments: np.ndarray) -> np.ndarray:
        """Return the rows for steps that begin at these samples of the track.

        (...,) -> (..., width), float32; NaN beyond either end of the track.
        """
        n_frames = len(self._running) - 1
        now = np.rint(np.asarray(moments) / self._hop_length).astype(np.int64)
        places = (now[..., None] + self._edges).clip(0, n_frames)
        n_in_span = np.diff(places)
        sums = np.diff(self._running[places], axis=-2)
        means = sums / np.where(n_in_span > 0, n_in_span, np.nan)[..., None]
        return means.reshape(*now.shape, -1).astype(np.float32)


def frame_columns(settings: DescriptorSettings) -> list[int]:
    """Return where the independent columns of frames are among those of steps."""
    if settings.units == "frame":
        return list(range(len(settings.frame_static)))
    return list(settings.frame_static)  # those of units begin with the means of all frame columns


class TrackConditions:
    """The rows of seeds (batch, steps, n) and what follows them; all begin with the track."""

    def __init__(self, forecaster: Forecaster, seeds: Tensor, track: Track) -> None:
        lengths = [forecaster.step_samples(step) for step in seeds.unbind(1)]
        self._ends = np.cumsum(lengths, axis=0).T  # (batch, steps)
        self._track = track
        self._device = seeds.device

    def of_seed(self) -> Tensor:
        return self._to_tensor(self._track.rows(self._ends))

    def after(self, n_steps: int, n_samples: np.ndarray) -> Tensor:
        return self._to_tensor(self._track.rows(self._ends[:, -1] + n_samples))

    def _to_tensor(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(rows).to(self._device)
