"""Coarse before fine: means over groups of steps, forecast first, as the condition of the steps.

As in AudioLM (Borsos et al. 2022, arXiv 2209.03143), where coarse tokens are forecast before fine
ones: a forecaster of groups hears as much in one step as that of steps in many. Groups are so many
steps, or beats or bars of four beats, if units are parts of beats.

    groups       |   g - 1   |     g     |   g + 1   |
    steps        | . . . . . | . t * . . | . . . . . |      * = t + 1 is to be forecast

The row that enters with step t holds the mean of group g, and the place of t + 1 in it.
"""

import numpy as np
import torch
from torch import Tensor

from db.descriptors.derived import static_columns
from db.settings import METRICAL, DescriptorSettings
from files.errors import ParameterError
from sequencer.condition import CoarseCondition, GroupSteps
from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER
from sequencer.sample_steps import steps_after
from sequencer.sampling import SamplingOptions

BEATS_IN_BAR = 4


def steps_in_group(steps: GroupSteps, settings: DescriptorSettings) -> int:
    """Return the usual number of steps of a group.

    Raises
    ------
    ParameterError
        If units have no beats, or are beats already.
    """
    if isinstance(steps, int):
        if steps < 2:
            raise ParameterError(f"coarse={steps}: a group must have at least 2 steps")
        return steps
    parts = settings.beat_parts
    if steps == "beats" and parts < 2:
        raise ParameterError(
            f"coarse=beats needs units that are parts of beats, and they are {settings.units}; give"
            " a number of steps, or build a database with --units beat/4"
        )
    if parts < 1:
        raise ParameterError(
            f"coarse=bars needs units that are beats or parts of them, and they are"
            f" {settings.units}; give a number of steps, or build a database with --units beat/4"
        )
    return parts if steps == "beats" else parts * BEATS_IN_BAR


def group_starts(rows: np.ndarray, steps: GroupSteps, settings: DescriptorSettings) -> np.ndarray:
    """Return where the groups of a raw sequence (steps, n_descriptors) begin, int64, ascending.

    Beats begin where the metre does, and after so many parts where there is none. Bars are counted
    from the first beat on.
    """
    if isinstance(steps, int) or not settings.is_metrical:
        return np.arange(0, len(rows), steps_in_group(steps, settings))
    parts = settings.beat_parts
    cosine, sine = (rows[:, settings.names.index(name)] for name in METRICAL[:2])
    part = np.rint(np.arctan2(sine, cosine) / (2 * np.pi) * parts).astype(np.int64) % parts
    has_pulse = (cosine != 0) | (sine != 0)
    starts = [0]
    for step in range(1, len(rows)):
        wraps = has_pulse[step] and has_pulse[step - 1] and part[step] <= part[step - 1]
        if wraps or step - starts[-1] >= parts:
            starts.append(step)
    return np.array(starts if steps == "beats" else starts[::BEATS_IN_BAR], np.int64)


def group_means(rows: np.ndarray, starts: np.ndarray, usual: int) -> np.ndarray:
    """Return the mean of each group of a sequence (steps, n), float32, (groups, n).

    The last group is left out if it has fewer steps than is `usual`: it is not over.
    """
    counts = np.diff([*starts, len(rows)])
    means = np.add.reduceat(rows, starts, axis=0, dtype=np.float64) / counts[:, None]
    n_complete = len(starts) - (counts[-1] < usual)
    return means[:n_complete].astype(np.float32)


def coarse_sequence(
    rows: np.ndarray, steps: GroupSteps, settings: DescriptorSettings
) -> np.ndarray:
    """Return the means of the groups of a raw sequence, float32, (groups, n_descriptors)."""
    if not len(rows):
        return rows
    return group_means(rows, group_starts(rows, steps, settings), steps_in_group(steps, settings))


def starts_of(forecaster: Forecaster, scores: Tensor, steps: GroupSteps) -> np.ndarray:
    """Return where the groups of a z-scored sequence (steps, n_static) begin, as `group_starts`."""
    raw = np.zeros((len(scores), forecaster.config.settings.n_descriptors), np.float32)
    raw[:, static_columns(forecaster.config.settings)] = forecaster.denormalise(scores).cpu()
    return group_starts(raw, steps, forecaster.config.settings)


class _Groups:
    """The groups of a z-scored sequence (steps, n): their means and the places of steps."""

    def __init__(self, forecaster: Forecaster, scores: Tensor) -> None:
        condition = forecaster.config.condition
        assert isinstance(condition, CoarseCondition)
        assert forecaster.coarse is not None
        settings = forecaster.config.settings
        raw = forecaster.denormalise(scores).cpu().numpy()
        starts = starts_of(forecaster, scores, condition.steps)
        self.usual = steps_in_group(condition.steps, settings)
        means = group_means(raw, starts, self.usual)
        self.n_steps = len(raw)
        self.means = forecaster.coarse.normalise(torch.from_numpy(means).to(scores.device))
        whole = raw.mean(axis=0, keepdims=True)
        self.whole = forecaster.coarse.normalise(torch.from_numpy(whole).to(scores.device))
        self._starts = starts
        n_complete = len(self.means)
        self._going_on = starts[n_complete] if n_complete < len(starts) else self.n_steps
        self.n_begun = self.n_steps - self._going_on  # steps of the group that is not over

    def locate(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the group of each step, and its place there; the sequence may be over by then."""
        group = np.searchsorted(self._starts, steps, side="right") - 1
        place = steps - self._starts[group]
        beyond = steps - self._going_on
        group = np.where(beyond >= 0, len(self.means) + beyond // self.usual, group)
        place = np.where(beyond >= 0, beyond % self.usual, place)
        return group, place / self.usual


def coarse_rows(forecaster: Forecaster, scores: Tensor) -> Tensor:
    """Return the row that enters with each step of a whole z-scored sequence.

    (steps, n) -> (steps, width), NaN where a group is not complete.
    """
    groups = _Groups(forecaster, scores)
    group, place = groups.locate(np.arange(1, len(scores) + 1))
    n_unknown = int(group.max()) + 1 - len(groups.means)
    unknown = scores.new_full((n_unknown, scores.shape[1]), torch.nan)
    return _gather(torch.cat([groups.means, unknown])[None], group[None], place[None])[0]


def _gather(means: Tensor, group: np.ndarray, place: np.ndarray) -> Tensor:
    """Return rows (batch, steps, width) of groups and places (batch, steps)."""
    row = torch.arange(len(means), device=means.device)[:, None]
    column = torch.from_numpy(group).to(means.device)
    places = torch.from_numpy(place).to(means)[..., None]
    return torch.cat([means[row, column], places], dim=-1)


class CoarseConditions:
    """The rows of z-scored seeds (batch, steps, n) and of what follows them.

    The groups after the seeds are sampled when they are needed.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        seeds: Tensor,
        *,
        generator: torch.Generator,
        sampling: SamplingOptions,
    ) -> None:
        assert forecaster.coarse is not None
        groups = [_Groups(forecaster, scores) for scores in seeds]
        self._n_known = max(ORDER, *(len(one.means) for one in groups))
        known = torch.stack([_pad(one, self._n_known) for one in groups])
        self._means = list(known.unbind(1))  # of each group, (batch, n)
        self._coming = steps_after(forecaster.coarse, known, generator=generator, sampling=sampling)
        self._usual = groups[0].usual
        self._n_begun = np.array([one.n_begun for one in groups])
        located = [one.locate(np.arange(1, seeds.shape[1] + 1)) for one in groups]
        group, self._place = (np.stack(part) for part in zip(*located, strict=True))
        n_means = np.array([len(one.means) for one in groups])
        self._group = group + self._n_known - n_means[:, None]

    def of_seed(self) -> Tensor:
        return self._rows(self._group, self._place)

    def after(self, n_steps: int, n_samples: np.ndarray) -> Tensor:
        n_begun = (self._n_begun + n_steps)[:, None]
        group = self._n_known + n_begun // self._usual
        rows = self._rows(group, n_begun % self._usual / self._usual)[:, 0]
        return rows.expand(len(n_samples), -1)  # hypotheses share one seed, and one condition

    def _rows(self, group: np.ndarray, place: np.ndarray) -> Tensor:
        first = int(group.min())
        last = int(group.max())
        while len(self._means) <= last:
            self._means.append(next(self._coming))
        return _gather(torch.stack(self._means[first : last + 1], dim=1), group - first, place)


def _pad(groups: _Groups, n: int) -> Tensor:
    """Return the last `n` groups of a sequence; the first is repeated if there are fewer."""
    means = groups.means if len(groups.means) else groups.whole
    return torch.cat([means[:1].expand(n - len(means), -1), means])
