"""What a continuation is made of: runs of sources, and the joins between them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

SAME_SECONDS = 0.001  # a run that goes on within this time of the last one's end has no join
# a jump within a source by less than this is heard as a join, but what follows is still verbatim
NEAR_SECONDS = 0.05
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
    verbatim = [run.seconds for run in merge_runs(runs, NEAR_SECONDS)]
    return RunMeasures(
        joins_per_second=max(len(merge_runs(runs, SAME_SECONDS)) - 1, 0) / seconds,
        longest_run=max(verbatim, default=0.0),
        n_sources=len({run.source for run in runs}),
        verbatim_share=sum(run for run in verbatim if run > LONG_SECONDS) / seconds,
    )


def merge_runs(runs: Sequence[Run], tolerance: float) -> list[Run]:
    """Return the runs with those made one that go on in their source within `tolerance` seconds."""
    merged: list[Run] = []
    for run in runs:
        last = merged[-1] if merged else None
        if last and last.source == run.source and abs(run.start - last.end) <= tolerance:
            seconds = last.seconds + run.seconds
            played = run.end - last.start
            merged[-1] = replace(last, seconds=seconds, stretch=seconds / played)
        else:
            merged.append(run)
    return merged
