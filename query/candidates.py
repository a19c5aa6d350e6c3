"""The candidates for each step of a sequence, and their target costs.

A step's candidates are its k nearest units, and the units that the search adds because they follow
in their source. If a step is longer than max_run, or than the rest of the source of each of its
nearest units, it is split into parts, which are then treated as steps. A step that no unit fits may
be a rest.

A locked step has one candidate, whatever the filters and rules are, and is not split.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from files.errors import ParameterError
from query.gumbel import gumbel_noise
from query.index import Matches, UnitIndex
from query.options import DEFAULT_K, PathOptions
from query.rules import NEAR, REST
from query.steps import check_locked, split_steps

LEAST_SPREAD = 1e-3  # of target costs, in case all candidates are alike
EXPECTED_PARTS = 256  # whose candidates are fetched at once if units are elsewhere
_TRUE = np.ones(1, bool)


class Candidates:
    """The candidates of every step.

    Units are named by their positions in `Database.units`.

    Attributes
    ----------
    matches : Matches
        The k nearest units of each step of the sequence.
    steps : ndarray, int64, shape (n,)
        The step of the sequence that each part belongs to.
    n_samples : ndarray, int64, shape (n,)
        The length that each part should have.
    targets : ndarray, float32, shape (n, n_descriptors)
        The target of each part, as `Space.vectors`.
    rests : ndarray, bool, shape (n,)
        True for parts in which nothing is played.
    join_weights : ndarray, float64, shape (n,)
        Factors on the cost of the join before each part.
    locked : dict
        The unit, or `REST`, of each locked part.
    """

    def __init__(
        self,
        index: UnitIndex,
        sequence: np.ndarray,
        options: PathOptions,
        step_samples: np.ndarray,
        *,
        whole_units: bool = False,
        in_time: bool = False,
        locked: Mapping[int, int] | None = None,
    ) -> None:
        """Find the nearest units of each step; arguments and errors as `query.path.find_paths`."""
        self.options = options
        self.space = index.space
        self.units = index.database.units
        self.whole_units = whole_units
        self.in_time = in_time or not whole_units
        self.k = min(DEFAULT_K, len(index)) if options.k is None else options.k
        self.matches = self._find_matches(index, sequence)
        self._allowed = index.allowed
        step_samples = np.asarray(step_samples)
        locked_steps = locked or {}
        check_locked(self.units, locked_steps, step_samples, whole_units=whole_units)
        n_parts = self._count_parts(step_samples, locked_steps)
        self.steps, self.n_samples = split_steps(step_samples, n_parts)
        self.targets = self.space.vectors(np.asarray(sequence, np.float32))[self.steps]
        self._least_samples = self.n_samples if self.in_time else np.ones_like(self.n_samples)
        self._one_unit_long = whole_units | (self.n_samples == self._frame_samples())
        self._nearest = self._sort_nearest()
        self.rests = (self.matches.distances[:, 0] > options.rest_threshold)[self.steps]
        self.join_weights = np.ones(len(self.steps))
        self.locked = self._lock(locked_steps)
        self._check_rests()
        self._earlier: list[np.ndarray] = []
        self._expected = range(0)

    def __len__(self) -> int:
        """Number of parts."""
        return len(self.steps)

    def _find_matches(self, index: UnitIndex, sequence: np.ndarray) -> Matches:
        """Return the k units that fit each step best."""
        return index.search(sequence, k=self.k)

    def _count_parts(self, step_samples: np.ndarray, locked: Mapping[int, int]) -> np.ndarray:
        """Return the number of parts to split each step into.

        At least one of the nearest units must be able to fill a part, and no part may be longer
        than max_run.
        """
        if not self.in_time:
            return np.ones(len(step_samples), np.int64)
        longest = self.units.samples_left[self.matches.positions].max(axis=1)
        if np.isfinite(self.options.max_run):
            max_samples = int(self.options.max_run * self.space.database.sample_rate)
            longest = np.minimum(longest, max(max_samples, 1))
        n_parts = -(-step_samples // longest)
        n_parts[list(locked)] = 1
        return n_parts

    def _frame_samples(self) -> int:
        """Return the length in samples of frames, or 0 for other units.

        The last frame of a source may be shorter.
        """
        settings = self.space.database.settings
        return settings.hop_length if settings.units == "frame" else 0

    def _sort_nearest(self) -> list[np.ndarray]:
        """Return, in ascending order, the nearest units of each part that are long enough."""
        nearest = np.sort(self.matches.positions, axis=1)[self.steps]
        lasts = self.units.samples_left[nearest] >= self._least_samples[:, None]
        return [units[enough] for units, enough in zip(nearest, lasts, strict=True)]

    def _lock(self, locked: Mapping[int, int]) -> dict[int, int]:
        """Leave each locked part its unit or rest only; return the units by part."""
        parts = {
            part: locked[step] for part, step in enumerate(self.steps.tolist()) if step in locked
        }
        for part, position in parts.items():
            self._nearest[part] = np.array([position])
            self.rests[part] = position == REST
        return parts

    def _check_rests(self) -> None:
        """Raise a ParameterError if nothing is played at all, and not because of locked steps."""
        if self.rests.all() and len(self.locked) < len(self.steps):
            nearest = self.matches.distances[:, 0].min()
            raise ParameterError(
                f"rest_threshold={self.options.rest_threshold:g} leaves nothing to play: the"
                f" nearest unit of all steps is {nearest:.3g} away; raise it"
            )

    def fill_steps(self) -> None:
        """From now on, consider only units that can last as long as the step.

        Steps for which none of the nearest units can do so are left as they are.
        """
        self._least_samples = self.n_samples
        for part, nearest in enumerate(self._nearest):
            lasts = self.units.samples_left[nearest] >= self.n_samples[part]
            if lasts.any():
                self._nearest[part] = nearest[lasts]

    def at(self, part: int, going_on: np.ndarray) -> np.ndarray:
        """Return the candidates of a part in ascending order.

        They are its nearest units, and those of `going_on` that may be played.

        Parameters
        ----------
        going_on : ndarray, int64, shape (n,)
            Units that follow, in their source, what is played before, or `REST`. Those that the
            filters leave out or that end too soon are not added; at a locked part none is.
        """
        nearest = self._nearest_of(part)
        if part in self.locked:
            return nearest
        may_play = self._allowed[going_on]
        may_play &= going_on >= 0
        may_play &= self.units.samples_left[going_on] >= self._least_samples[part]
        here = np.concatenate([nearest, going_on[may_play]])
        here.sort()
        return here[np.concatenate([_TRUE, here[1:] != here[:-1]])]

    def with_one(self, part: int, unit: int) -> np.ndarray:
        """Return `at` of a single unit that goes on, or of a `REST`."""
        nearest = self._nearest_of(part)
        if unit == REST or part in self.locked or not self._allowed[unit]:
            return nearest
        place = int(nearest.searchsorted(unit))
        is_near = place < len(nearest) and nearest[place] == unit
        if is_near or self.units.samples_left[unit] < self._least_samples[part]:
            return nearest
        return np.concatenate([nearest[:place], [unit], nearest[place:]])

    def _nearest_of(self, part: int) -> np.ndarray:
        """Return the nearest units of a part; from now on, expect those of the parts after it."""
        if part not in self._expected:
            self._expected = range(part, min(part + EXPECTED_PARTS, len(self)))
            parts = self._nearest[part : self._expected.stop]
            here = np.concatenate(parts)
            played = self.n_samples[part : self._expected.stop]
            played = np.repeat(played, [len(one) for one in parts])
            self.units.expect(here[here != REST], played[here != REST])
        return self._nearest[part]

    def lasting(self, part: int, here: np.ndarray) -> np.ndarray:
        """Return the length in samples of each candidate of a part."""
        if not self.in_time:
            return self.units.n_samples[here]
        return np.full(len(here), self.n_samples[part])

    def after(self, part: int, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `Units.after` where each candidate of a part stops playing."""
        if self._one_unit_long[part]:
            following = self.units.successors(here)
            return following, following
        return self.units.after(here, self.lasting(part, here))

    def samples_of(self, part: int, unit: int) -> int:
        """Return the length in samples of a unit, or `REST`, at a part."""
        if not self.in_time and unit != REST:
            return int(self.units.n_samples[unit])
        return int(self.n_samples[part])

    def costs(self, part: int, here: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Return the target costs of candidates, float64, given their `vectors`.

        They include the random variation and the cost of likeness to earlier paths.
        """
        cost = self.target_costs(part, here, vectors).astype(np.float64)
        if self.options.temperature:
            # here - part stays the same along a run, and so does its noise
            noise = gumbel_noise(self.options.random_seed, here - part)
            cost -= self.options.temperature * noise
        if self._earlier:
            cost += self._likeness(part, here)
        return cost

    def target_costs(self, part: int, here: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Return how badly candidates fit a part, given their `Space.vectors`, float32, (n,)."""
        return self.space.target_costs(here, vectors, self.targets[part])

    def path_costs(self, path: np.ndarray) -> np.ndarray:
        """Return how badly each unit of a path fits its part, float32, (n,); 0 at rests."""
        played = np.flatnonzero(path != REST)
        costs = np.zeros(len(path), np.float32)
        vectors = self.space.unit_vectors(path[played])
        costs[played] = self.space.target_costs(path[played], vectors, self.targets[played])
        return costs

    def keep_apart(self, path: np.ndarray) -> float:
        """Make the units of a found path cost more from now on.

        Returns
        -------
        float
            The part of the path's own cost that is due to its likeness to earlier paths.
        """
        likeness = 0.0
        if self._earlier:
            likeness = sum(
                float(self._likeness(part, path[part : part + 1])[0]) for part in range(len(path))
            )
        self._earlier.append(path)
        return likeness

    def _likeness(self, part: int, here: np.ndarray) -> np.ndarray:
        """Return the cost of each candidate's likeness to the units of earlier paths here."""
        source = self.units.source
        likeness = np.zeros(len(here))
        for path in self._earlier:
            played = path[part]
            if played != REST:
                likeness += (np.abs(here - played) <= NEAR) & (source[here] == source[played])
        return self._spread * likeness

    @cached_property
    def _spread(self) -> float:
        """Mean difference between the highest and lowest target cost of a step's matches."""
        distances = self.matches.distances
        return max(float((distances[:, -1] - distances[:, 0]).mean()), LEAST_SPREAD)
