"""Navigate a corpus by context, without a network, as factor-oracle improvisers do.

    seed   … u u u u │                       find the moment of the corpus whose last units are
                     ▼                       most like the seed's
    source … u u u u u u u u u u             play on from there
                           ▼                 within each run, jump at the moment for which another
    source       … u u u u u u u u           one with the most similar last units is found

OMax (Assayag and Dubnov, Soft Computing 8, 2004) and PyOracle follow the suffix links of a factor
oracle: they jump between moments with a common suffix of symbols. Here the suffix has a fixed
length, and is compared by the distance of its descriptors, so no threshold makes symbols of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from db.database import Database
from demiurge.evaluate.contexts import Contexts
from demiurge.evaluate.continuation import Continuation, render_plan
from demiurge.evaluate.corpus import corpus_identity
from demiurge.evaluate.plans import Passage, make_plan
from demiurge.sequences import describe

CONTEXT_UNITS = {"beat": 4, "frame": 20}
MOST_RUN_SECONDS = 3.95  # with its crossfades, no run is a copy of more than 4 s
SHORTEST_RUN = 0.5  # of the mean length
MOMENTS = 8  # compared at most, to find the best one for a jump
NEAREST = 3  # a jump goes to one of so many places, by chance
ELSEWHERE_SECONDS = 2.0  # places are at least this far apart


@dataclass(frozen=True)
class Oracle:
    """Context navigation over the units of a database, of kind "beat" or "frame".

    The database must have the descriptors "mfcc" and "chroma". `joins_per_second`, at least 0.26,
    is how often it jumps on average.
    """

    database: Database
    joins_per_second: float = 0.5

    @property
    def name(self) -> str:
        return f"oracle, {self.database.settings.units}s"

    @property
    def identity(self) -> dict[str, Any]:
        return {
            "sources": corpus_identity(self.database),
            "settings": self.database.settings.hash,
            "joins_per_second": self.joins_per_second,
        }

    @cached_property
    def contexts(self) -> Contexts:
        return Contexts.of(self.database, CONTEXT_UNITS[self.database.settings.units])

    @property
    def run_seconds(self) -> tuple[float, float]:
        """Shortest and longest run, around the mean length that the rate of joins asks for."""
        mean = min(1 / self.joins_per_second, MOST_RUN_SECONDS)
        longest = min((2 - SHORTEST_RUN) * mean, MOST_RUN_SECONDS)
        return 2 * mean - longest, longest

    def continue_seed(self, seed: Path, seconds: float, random_seed: int) -> Continuation:
        """Continue a seed; raises as `describe` and `playback.render.render`."""
        heard = self.contexts.scores(describe(seed, self.database.settings).descriptors)
        n_samples = round(seconds * self.database.sample_rate)
        passages: list[Passage] = []
        for passage in self._navigate(heard, np.random.default_rng(random_seed)):
            passages.append(passage)
            n_samples -= passage.n_samples
            if n_samples <= 0:
                break
        return render_plan(make_plan(self.database, passages), self.database.roots, seconds)

    def _navigate(self, heard: np.ndarray, random: np.random.Generator) -> Iterator[Passage]:
        """Yield passages without end that follow what was heard, rows (n, d)."""
        units = self.database.units
        rows = self.contexts.rows
        _, start = self._find_jump([heard], [None], random)
        while True:
            moments = self._moments(start)
            heard_then = [np.concatenate([heard, rows[start : m + 1]]) for m in moments]
            number, following = self._find_jump(heard_then, moments, random)
            last = moments[number]
            end_sample = units.start_sample[last] + units.n_samples[last]
            begin_sample = units.start_sample[start]
            yield Passage(
                int(units.source[start]), int(begin_sample), int(end_sample - begin_sample)
            )
            heard = heard_then[number][-self.contexts.n_units :]
            start = following

    def _moments(self, start: int) -> list[int]:
        """Return the units after which a run from `start` may end."""
        units = self.database.units
        last = start + int(np.searchsorted(units.source[start:], units.source[start], "right"))
        ends = units.start_sample[start:last] + units.n_samples[start:last]
        seconds = (ends - units.start_sample[start]) / self.database.sample_rate
        shortest, longest = self.run_seconds
        allowed = np.flatnonzero((seconds >= shortest) & (seconds <= longest))
        if not len(allowed):  # the source ends sooner, or a unit is very long
            allowed = np.array([max(int(np.searchsorted(seconds, longest, "right")) - 1, 0)])
        spread = np.linspace(0, len(allowed) - 1, min(MOMENTS, len(allowed)))
        return [start + int(allowed[place]) for place in np.unique(np.rint(spread).astype(int))]

    def _find_jump(
        self, heard: list[np.ndarray], moments: Sequence[int | None], random: np.random.Generator
    ) -> tuple[int, int]:
        """Return at which of the moments to jump, as its number, and the unit to jump to.

        `heard` are the rows heard until each moment, and `moments` the last of these units, None
        for the end of the seed.
        """
        n_rows = min(self.contexts.n_units, *map(len, heard))
        distances = self.contexts.distances(np.stack([rows[-n_rows:] for rows in heard]))
        distances[~self._may_be_left] = np.inf
        for number, last in enumerate(moments):
            if last is not None:
                distances[self._is_near(last), number] = np.inf
        number = int(distances.min(axis=0).argmin())
        places = self._nearest_places(distances[:, number])
        if not places:  # the corpus is hardly longer than one run
            places = [int(random.choice(np.flatnonzero(self._may_be_left)))]
        place = places[int(random.integers(len(places)))]
        return number, place + 1 if self._has_successor[place] else place

    def _nearest_places(self, distances: np.ndarray) -> list[int]:
        """Return the nearest few units that are not near each other, of distances (n_units,)."""
        places: list[int] = []
        while len(places) < NEAREST and np.isfinite(distances.min()):
            places.append(int(distances.argmin()))
            distances[self._is_near(places[-1])] = np.inf
        return places

    def _is_near(self, position: int) -> np.ndarray:
        units = self.database.units
        apart = np.abs(units.start_sample - units.start_sample[position])
        reach = ELSEWHERE_SECONDS * self.database.sample_rate
        return (units.source == units.source[position]) & (apart < reach)

    @cached_property
    def _has_successor(self) -> np.ndarray:
        units = self.database.units
        return units.samples_left > units.n_samples

    @cached_property
    def _may_be_left(self) -> np.ndarray:
        """Which units can be followed by a whole run, or else by a unit, or else by themselves."""
        units = self.database.units
        samples_after = units.samples_left - units.n_samples
        long_enough = samples_after >= self.run_seconds[0] * self.database.sample_rate
        for allowed in (long_enough, self._has_successor):
            if allowed.any():
                return allowed
        return np.ones(len(units), bool)
