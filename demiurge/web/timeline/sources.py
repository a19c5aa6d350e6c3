"""The sources of a plan, checked once and read by several threads."""

import threading
from collections.abc import Set
from dataclasses import replace

import numpy as np

from audio.decoded import DecodedCache
from files.progress import Progress, no_progress
from files.roots import Roots
from playback.plan import Plan, Step
from playback.playable import keep_steps, playable_numbers
from playback.sources import SourceReader, sources_of


class PlanSources:
    """Sources for plans of one sample rate and channel count.

    It is a `playback.sources.SampleReader` that may be used from several threads.
    """

    def __init__(
        self, roots: Roots, *, sample_rate: int, channels: int, cache: DecodedCache
    ) -> None:
        self.roots = roots
        self._reader = SourceReader(roots, sample_rate=sample_rate, channels=channels, cache=cache)
        self._reading = threading.Lock()
        self._problems: dict[str, str] = {}  # of sources that were checked and cannot be played
        self._lengths: dict[str, int] = {}  # of sources that were checked and can be played

    def length(self, source: str) -> int:
        """Return the length of a source, as `SourceReader.length`."""
        with self._reading:
            return self._reader.length(source)

    def read_into(self, out: np.ndarray, source: str, start_sample: int) -> None:
        """Read samples of a source, as `SourceReader.read_into`."""
        with self._reading:
            self._reader.read_into(out, source, start_sample)

    def close(self) -> None:
        """Close the open files; later reads open them again."""
        with self._reading:
            self._reader.__exit__(None, None, None)

    def check(self, plan: Plan, progress: Progress = no_progress, *, again: bool = False) -> None:
        """Check the sources of a plan that were not checked yet, or all of them `again`.

        Sources that cannot be read in place are decoded now.
        """
        known = set() if again else self._problems.keys() | self._lengths.keys()
        self._check(plan, set(sources_of(plan)) - known, progress)

    def check_failed(self, plan: Plan) -> bool:
        """Check unplayable sources of a plan again; return whether there were any."""
        sources = set(sources_of(plan)) & self._problems.keys()
        self._check(plan, sources, no_progress)
        return bool(sources)

    def _check(self, plan: Plan, sources: Set[str], progress: Progress) -> None:
        if not sources:
            return
        steps = tuple(step for step in plan.steps if step.source in sources)
        with self._reading:
            problems = self._reader.prepare(replace(plan, steps=steps), progress)
            playable = sources - problems.keys()
            lengths = {source: self._reader.length(source) for source in playable}
        self._problems = _without(self._problems, sources) | problems
        self._lengths = _without(self._lengths, sources) | lengths

    def problem(self, source: str) -> str | None:
        """Return why a source cannot be played; until it is checked, only missing files count."""
        if source in self._lengths:
            return None
        if source in self._problems:
            return self._problems[source]
        return "missing" if self.roots.stamp_of(source) is None else None

    def playable(self, plan: Plan) -> Plan | None:
        """Return the plan without the steps that cannot be played; None if none can."""
        self.check(plan)
        numbers = playable_numbers(plan, self._lengths)
        if len(numbers) == len(plan.steps):
            return plan
        return keep_steps(plan, numbers) if numbers else None

    def is_playable(self, step: Step) -> bool:
        """Return whether a step's source was checked, can be played and is long enough."""
        return step.source in self._lengths and step.fits_in(self._lengths[step.source])


def _without(facts: dict, sources: Set[str]) -> dict:
    return {source: fact for source, fact in facts.items() if source not in sources}
