"""The condition of a forecaster: a second sequence that it goes with, joined to every step.

The row that enters with a step is about what comes after it: the step that is to be forecast, and a
little more. There are two kinds, by name:

coarse   means over groups of steps, which another forecaster forecasts first (`sequencer.coarse`)
track    what another track plays at the time (`sequencer.track`)

In training a share of the excerpts goes without, so that the forecaster works without as well (as
in classifier-free guidance: Ho & Salimans 2022, arXiv 2207.12598).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from db.descriptors.derived import static_columns
from db.settings import DescriptorSettings

if TYPE_CHECKING:
    from sequencer.forecaster import ForecasterConfig

GroupSteps = int | Literal["beats", "bars"]

CONDITION_SIZE = 64  # columns that it is projected to, before it joins a step
CONDITION_DROPOUT = 0.3
CONDITION_NOISE = 0.3  # standard deviation; rows are z-scored
DROPPED_CONDITION = 0.2  # share of the excerpts of a batch that are trained on without
# Edges of the spans of another track, from the moment where the next step begins, in usual lengths
# of a step: what came just before, and ever longer spans of what comes.
TRACK_EDGES = (-1, 0, 1, 2, 4, 8)


@dataclass(frozen=True)
class CoarseCondition:
    """The config of a condition `coarse`.

    Attributes
    ----------
    steps : int, "beats" or "bars"
        Steps of a group.
    forecaster : ForecasterConfig
        Of the forecaster of the groups' means.
    """

    steps: GroupSteps
    forecaster: "ForecasterConfig"

    kind = "coarse"

    def names(self, settings: DescriptorSettings) -> list[str]:
        """Return the descriptor of each column of a row; the place within the group is none."""
        return [*(settings.names[column] for column in static_columns(settings)), ""]


@dataclass(frozen=True)
class TrackCondition:
    """The config of a condition `track`.

    Attributes
    ----------
    pattern : str
        Name of the sources that accompany others, as `fnmatch` reads it.
    step_samples : int
        The usual length of a step.
    """

    pattern: str
    step_samples: int

    kind = "track"

    def names(self, settings: DescriptorSettings) -> list[str]:
        """Return the descriptor of each column of a row."""
        columns = [settings.frame_names[column] for column in settings.frame_static]
        return columns * (len(TRACK_EDGES) - 1)


class ConditionInput(nn.Module):
    """Rows (batch, steps, width), NaN where nothing is known -> (batch, steps, CONDITION_SIZE).

    In training noise is added to all columns that are descriptors: a coarse level will be sampled,
    and not always right (Ho et al. 2022, arXiv 2106.15282), and from the last digits of a track a
    forecaster would know by heart where in a song it is.
    """

    described: Tensor

    def __init__(self, names: list[str]) -> None:
        """Take the descriptor of each column, "" if it is none."""
        super().__init__()
        self.width = len(names)
        self.projection = nn.Linear(2 * self.width, CONDITION_SIZE)
        self.dropout = nn.Dropout(CONDITION_DROPOUT)
        described = torch.tensor([float(name != "") for name in names])
        self.register_buffer("described", described, persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        known = ~rows.isnan()
        if self.training:
            known &= torch.rand(len(rows), 1, 1, device=rows.device) >= DROPPED_CONDITION
            rows = rows + CONDITION_NOISE * torch.randn_like(rows) * self.described
        values = torch.where(known, rows, 0)
        projected = self.projection(torch.cat([values, known.to(rows)], dim=-1))
        return self.dropout(nn.functional.gelu(projected))


class Conditions(Protocol):
    """The rows of some sequences that are gone on with, (batch, …), z-scored."""

    def of_seed(self) -> Tensor:
        """Return the row that enters with each step of the seeds, (batch, steps, width)."""

    def after(self, n_steps: int, n_samples: np.ndarray) -> Tensor:
        """Return the rows that enter with the latest step of what goes on, (batch, width).

        Parameters
        ----------
        n_steps : int
            Steps since the end of the seed.
        n_samples : ndarray, shape (batch,)
            How long they last.
        """
