"""What of a plan can be heard: its sources, looked at once, and read by several threads."""

import threading
from collections.abc import Set
from dataclasses import replace
from pathlib import Path

import numpy as np

from audio.decoded import DecodedCache
from files.progress import Progress, no_progress
from playback.plan import Plan
from playback.sources import SourceReader, sources_of


class Corpus:
    """The sources that plans of one sample rate and channel count play: a `playback.sources.SampleReader`."""

    def __init__(self, root: Path, *, sample_rate: int, channels: int, cache: DecodedCache) -> None:
        self.root = root
        self._reader = SourceReader(root, sample_rate=sample_rate, channels=channels, cache=cache)
        self._reading = threading.Lock()
        self._problems: dict[
            str, str | None
        ] = {}  # by source: what is wrong with it, of those that were looked at

    def length(self, source: str) -> int:
        """As `SourceReader.length`."""
        with self._reading:
            return self._reader.length(source)

    def read_into(self, out: np.ndarray, source: str, start_sample: int) -> None:
        """As `SourceReader.read_into`."""
        with self._reading:
            self._reader.read_into(out, source, start_sample)

    def close(self) -> None:
        """Close the files that are open; whoever reads on opens them again."""
        with self._reading:
            self._reader.__exit__(None, None, None)

    def look(self, plan: Plan, progress: Progress = no_progress, *, again: bool = False) -> None:
        """Look at the sources of a plan that were not looked at before, or at all of them, and
        decode what must be decoded.
        """
        self._look(
            plan,
            {source for source in sources_of(plan) if again or source not in self._problems},
            progress,
        )

    def look_at_problems(self, plan: Plan) -> bool:
        """Look again at the sources of a plan that could not be played; whether there were any."""
        sources = {source for source in sources_of(plan) if self._problems.get(source)}
        self._look(plan, sources)
        return bool(sources)

    def _look(self, plan: Plan, sources: Set[str], progress: Progress = no_progress) -> None:
        if sources:
            with self._reading:
                part = replace(
                    plan, steps=tuple(step for step in plan.steps if step.source in sources)
                )
                found = self._reader.prepare(part, progress)
            self._problems |= {source: found.get(source) for source in sources}

    def problem(self, source: str) -> str | None:
        """Why a source cannot be played; until it has been looked at, only whether it is there."""
        if source in self._problems:
            return self._problems[source]
        return None if (self.root / source).is_file() else "missing"

    def audible(self, plan: Plan) -> Plan | None:
        """The plan without the steps that cannot be played, as `playback.render.playable` has it;
        None if none can.
        """
        self.look(plan)
        steps = tuple(step for step in plan.steps if self.is_audible(step))
        if len(steps) == len(plan.steps):
            return plan
        return (
            replace(plan, steps=steps, tail_samples=plan.n_samples - steps[-1].until_sample)
            if steps
            else None
        )

    def is_audible(self, step) -> bool:
        """Whether a step's source can be played, and lasts long enough."""
        return self.problem(step.source) is None and step.end_sample <= self.length(step.source)
