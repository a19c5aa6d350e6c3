"""What a continuation is made of: runs of sources, and the joins between them."""

from collections.abc import Sequence
from dataclasses import dataclass

SAME_SECONDS = 0.001  # a run that begins within this time of the last one's end has no join
NEAR_SECONDS = 0.05  # a smaller jump is a join, but what follows it is still a copy
LONG_SECONDS = 4.0  # a verbatim run longer than this is a copy


@dataclass(frozen=True)
class Run:
    """A part of a source as it is played: `seconds` in the output, from `start` in the source.

    `stretch` is 2 for twice as slow, so that half as much of the source is played.
    """

    source: str
    start: float
    seconds: float
    stretch: float = 1.0

    @property
    def end(self) -> float:
        """Time in the source, in seconds."""
        return self.start + self.seconds / self.stretch


@dataclass(frozen=True)
class RunMeasures:
    """Measures of the runs of one continuation.

    `joins_per_second`; `longest_run`, in seconds of one source on end; `n_sources`, how many are
    heard; `verbatim_share`, the share of the time that lies in such runs of more than 4 s.
    """

    joins_per_second: float
    longest_run: float
    n_sources: int
    verbatim_share: float


def measure_runs(runs: Sequence[Run], seconds: float) -> RunMeasures:
    """Measure the runs of a continuation of `seconds`, in the order in which they are played."""
    verbatim = verbatim_seconds(runs, NEAR_SECONDS)
    return RunMeasures(
        joins_per_second=max(len(verbatim_seconds(runs, SAME_SECONDS)) - 1, 0) / seconds,
        longest_run=max(verbatim, default=0.0),
        n_sources=len({run.source for run in runs}),
        verbatim_share=sum(run for run in verbatim if run > LONG_SECONDS) / seconds,
    )


def verbatim_seconds(runs: Sequence[Run], tolerance: float) -> list[float]:
    """Return how long each part of a continuation is in which a source goes on.

    All jumps within a part together move it by no more than `tolerance` seconds.
    """
    parts: list[float] = []
    last: Run | None = None
    moved = 0.0
    for run in runs:
        if last and run.source == last.source:
            moved += run.start - last.end
        if last and run.source == last.source and abs(moved) <= tolerance:
            parts[-1] += run.seconds
        else:
            parts.append(run.seconds)
            moved = 0.0
        last = run
    return parts
