"""What rendering gave: the files, the plan and its path."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demiurge.continuation import Continuation
from demiurge.domains import Settled
from playback.plan import Plan
from playback.render import RenderSummary
from playback.runs import joined_runs
from query.path import UnitPath


@dataclass(frozen=True)
class RenderResult:
    """An audio file that was rendered, its plan, and its path.

    `target` is the sequence that was searched for, raw descriptors, (steps, n_descriptors): of a
    continuation, the units that were chosen. A mosaic has no `continuation`, but was `settled`.
    """

    wav: Path
    plan_file: Path
    plan: Plan
    target: np.ndarray
    path: UnitPath
    summary: RenderSummary
    continuation: Continuation | None = None
    settled: Settled | None = None

    @property
    def n_sources(self) -> int:
        return len({step.source for step in self.plan.steps})

    @property
    def n_distinct_units(self) -> int:
        database_of = self.plan.roots.split
        return len({(database_of(step.source)[0], step.unit) for step in self.plan.steps})

    @property
    def n_joins(self) -> int:
        """Number of moments where the audio does not simply continue in its source."""
        return len(joined_runs(self.plan.steps))

    @property
    def rest_seconds(self) -> float:
        """Seconds in which nothing is played."""
        return self.plan.rest_samples / self.plan.sample_rate

    @property
    def mean_distance(self) -> float:
        return float(np.mean([step.distance for step in self.plan.steps]))


def plan_path(wav: Path) -> Path:
    """Return OUT.plan.json for OUT.wav, .flac or .ogg."""
    return wav.with_suffix(".plan.json")


def variation_paths(out: Path, variations: int) -> list[Path]:
    """Return OUT.wav, or OUT-1.wav, OUT-2.wav, … if there are several."""
    if variations == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, variations + 1)]
