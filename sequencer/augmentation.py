"""Changes of a batch that leave what continues what as it is: transposition and level.

A forecaster that has heard every piece in all keys, at several levels, learns what is relative.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from db.descriptors.derived import static_columns
from sequencer.forecaster import Forecaster
from sequencer.track import frame_columns
from sequencer.windows import Batch

SEMITONES = 12
LEVELS = ("mfcc0", "loudness")
LEVEL = 0.5  # standard deviation of the random offset of z-scored levels


class Augmentation:
    """Transposes a whole batch at random, and makes it louder or softer.

    All of it alike: else a unit could be found by the key that its window happens to be in. A
    condition changes with the steps.
    """

    def __init__(self, model: Forecaster) -> None:
        settings = model.config.settings
        names = [settings.names[column] for column in static_columns(settings)]
        self._of_steps = _Change(names, model.mean.cpu(), model.std.cpu(), _levels(names))
        self._of_rows: _Change | None = None
        if model.config.condition:
            self._of_rows = _change_of_rows(model, model.config.condition.names(settings))

    def __call__(self, batch: Batch) -> Batch:
        """Return a changed batch, by torch's random numbers."""
        semitones = int(torch.randint(SEMITONES, ()))
        offset = LEVEL * float(torch.randn(()))
        change = self._of_steps
        averages = batch.averages.unflatten(-1, (-1, change.n_columns))
        rows = batch.conditions
        if rows is not None and self._of_rows is not None:
            rows = self._of_rows(rows, semitones, offset)
        return replace(
            batch,
            sequence=change(batch.sequence, semitones, offset),
            averages=change(averages, semitones, offset).flatten(-2),
            conditions=rows,
        )


class _Change:
    """Changes columns (..., n) by their names; descriptors may be there several times."""

    def __init__(self, names: list[str], mean: Tensor, std: Tensor, levels: Tensor) -> None:
        """Take z-scores' mean and std, and how much of an offset each column gets."""
        self.n_columns = len(names)
        self._mean = mean
        self._std = std
        self._levels = levels
        places = [
            [
                [place for place, name in enumerate(names) if name == f"chroma{i}{suffix}"]
                for i in range(SEMITONES)
            ]
            for suffix in ("", "_std")
        ]
        self._chroma = [block for of_suffix in places for block in zip(*of_suffix, strict=True)]

    def __call__(self, scores: Tensor, semitones: int, offset: float) -> Tensor:
        order = torch.arange(self.n_columns)
        for columns in self._chroma:
            order[list(columns)] = torch.tensor(columns).roll(semitones)
        factor = self._std[order] / self._std
        shift = (self._mean[order] - self._mean) / self._std + offset * self._levels
        return scores[..., order] * factor + shift


def _change_of_rows(model: Forecaster, names: list[str]) -> _Change:
    """Return the change of the rows of a condition, as if they were made from changed steps."""
    if model.coarse is None:
        columns = frame_columns(model.config.settings)
        repeats = len(names) // len(columns)
        mean, std = (part.cpu()[columns].repeat(repeats) for part in (model.mean, model.std))
        return _Change(names, mean, std, _levels(names))
    mean, std = (part.cpu() for part in (model.coarse.mean, model.coarse.std))
    levels = _levels(names[:-1]) * model.std.cpu() / std  # the last is the place in the group
    means = torch.cat([mean, mean.new_zeros(1)])
    return _Change(names, means, torch.cat([std, std.new_ones(1)]), F.pad(levels, (0, 1)))


def _levels(names: list[str]) -> Tensor:
    return torch.tensor([float(name in LEVELS) for name in names])
