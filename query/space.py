"""The space in which descriptors are compared: distances to units, and join costs between units.

Descriptors are z-scored over the database and weighted; a metric gives the distance of two such
vectors. The distance from a step of a sequence to a unit is its target cost.

The join cost says how badly unit b continues unit a. The unit that would have followed a in its
source is compared with b by the same metric, with level columns counting double; if the pitch of
both is known, the octaves between them are added. If b is that unit, the cost is 0. If nothing
would have followed, because the source of a has ended, the cost is the mean of pairs drawn at
random. The same is true if a would have been followed by b from its middle, not from its start.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from db.database import Database
from files.errors import ParameterError
from query.metrics import parse_metric, squared_lengths
from query.weights import share_of_distances, split_weights, weight_columns

LEVEL_COLUMNS = ("mfcc0", "loudness", "rms")
LEVEL = 2.0  # a step in level is more audible than any other
PITCH_COLUMN = "f0"
PITCH = 1.0  # distance that an octave counts for
AUDIBLE_HZ = 20.0  # anything lower is not a pitch
RANDOM_PAIRS = 1024  # of units, for the mean join cost
RANDOM_SEED = 0


class Space:
    """Distances between descriptors and the units of a database, and join costs of units.

    Units are named by their positions in `database.units`.

    Attributes
    ----------
    database : Database
    metric : Metric
    factors : ndarray, float32, shape (n_descriptors,)
        Weight of each descriptor.
    preferences : dict of str to float
        Weights of databases.
    """

    def __init__(
        self, database: Database, *, weights: dict[str, float] | None = None, metric: str = "l2"
    ) -> None:
        """Define distances for a database.

        Parameters
        ----------
        weights : dict, optional
            As `query.weights.weight_columns`; and of databases among several, by whose weights the
            distances of their units are divided.
        metric : str
            One of `query.names.METRICS`.

        Raises
        ------
        DatabaseError
            If the database holds no units.
        ParameterError
            As `parse_metric` and `weight_columns`.
        """
        self.database = database
        self.metric = parse_metric(metric)
        self._weights, self.preferences = split_weights(weights or {}, database.names)
        self.factors = weight_columns(database.settings, self._weights)
        self._shares = share_of_distances(self.preferences, database.names)
        self._mean = database.normaliser.mean
        self._scale = self.factors / database.normaliser.std

    def vectors(self, descriptors: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return raw descriptors (..., d) as vectors to compare: z-scored and weighted.

        With the cosine metric, they are also scaled to unit length. If `out` is given, it is used
        for the computation.
        """
        rows = np.subtract(descriptors, self._mean, out=out)
        rows *= self._scale
        return self.metric.prepare(rows)

    def unit_vectors(self, positions: np.ndarray) -> np.ndarray:
        """Return the vectors of units, float32, (n, d)."""
        rows = self.database.rows_at(positions)
        return self.vectors(rows, out=rows)

    def sequence_vectors(self, sequence: np.ndarray) -> np.ndarray:
        """Return the vectors of a raw sequence, float32, (steps, d); raises as `check_sequence`."""
        return self.vectors(self.check_sequence(sequence))

    def check_sequence(self, sequence: np.ndarray) -> np.ndarray:
        """Return a raw sequence as float32, (steps, n_descriptors).

        Raises
        ------
        ParameterError
            If it has another width, is empty or not finite, or is too far away to be measured.
        """
        sequence = np.asarray(sequence, np.float32)
        width = len(self.factors)
        if sequence.ndim != 2 or sequence.shape[1] != width:
            raise ParameterError(
                f"a sequence of shape {sequence.shape} does not fit {self.database.path}: it must"
                f" be (steps, {width})"
            )
        if not len(sequence):
            raise ParameterError("the sequence has 0 steps; it must have at least one")
        if not np.isfinite(sequence).all():
            raise ParameterError(
                f"step {int(np.argwhere(~np.isfinite(sequence))[0, 0])} of the sequence is not"
                " finite; make the sequence again"
            )
        self._check_range(sequence)
        return sequence

    def _check_range(self, sequence: np.ndarray) -> None:
        away = np.abs((sequence - self._mean) * self._scale).max(axis=1)
        most = self.metric.farthest
        if not (away < most).all():
            raise ParameterError(
                f"step {int(np.argmax(~(away < most)))} of the sequence is {away.max():.3g}"
                f" standard deviations from the mean of {self.database.path}; {self.metric} can"
                f" measure up to {most:.3g}: make it again, or use another metric"
            )

    def distances(self, vectors: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the distances of vectors from targets, (..., d) and (..., d) -> (...)."""
        return self.metric.of_differences(vectors - targets)

    def target_costs(
        self, positions: np.ndarray, vectors: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """Return what units cost for targets: their distances, by the weights of their databases.

        Parameters
        ----------
        positions : ndarray, int64, shape (...)
        vectors, targets : ndarray, float32, shape (..., d)
            `vectors` are those of the units.
        """
        distances = self.distances(vectors, targets)
        if self._shares is not None:
            distances *= self._shares[self.database.member_of(positions)]
        return distances

    def preference_costs(self, positions: np.ndarray) -> np.ndarray:
        """Return what units cost by the weights of their databases, in nats, float32, (n,).

        A unit of a database that weighs 2 is twice as likely to be played as another that fits as
        well.
        """
        if self._shares is None:
            return np.zeros(len(positions), np.float32)
        return np.log(self._shares)[self.database.member_of(positions)]

    def of(self, database: Database) -> "Space":
        """Return the space of another database with the same weights of descriptors and metric."""
        return Space(database, weights=self._weights, metric=str(self.metric))

    @cached_property
    def joins(self) -> "JoinCosts":
        """Join costs between the units."""
        return JoinCosts(self)


@dataclass(slots=True)
class JoinVectors:
    """The features by which units are compared at a join.

    Attributes
    ----------
    vectors : ndarray, float32, shape (n, d)
    octaves : ndarray, float32, shape (n,), optional
        log2 of the pitch, NaN where there is none; None if the database has no pitch.
    squared : ndarray, float32, shape (n,), optional
        `squared_lengths` of the vectors.
    """

    vectors: np.ndarray
    octaves: np.ndarray | None = None
    squared: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray | slice) -> "JoinVectors":
        octaves = None if self.octaves is None else self.octaves[rows]
        squared = None if self.squared is None else self.squared[rows]
        return JoinVectors(self.vectors[rows], octaves, squared)

    def reshape(self, shape: tuple[int, ...]) -> "JoinVectors":
        """Return them in an array of units, as `JoinCosts.pairwise` takes them."""
        octaves = None if self.octaves is None else self.octaves.reshape(shape)
        return JoinVectors(self.vectors.reshape(*shape, self.vectors.shape[-1]), octaves)


class JoinCosts:
    """Join costs between the units of a space."""

    def __init__(self, space: Space) -> None:
        self._space = space
        names = space.database.settings.names
        emphasis = np.array([LEVEL if name in LEVEL_COLUMNS else 1.0 for name in names], np.float32)
        self._emphasis = emphasis if (emphasis != 1).any() else None
        self._f0 = names.index(PITCH_COLUMN) if PITCH_COLUMN in names else None

    def unit_vectors(self, positions: np.ndarray) -> tuple[np.ndarray, JoinVectors]:
        """Return the `Space.unit_vectors` of units, and their join vectors."""
        rows = self._space.database.rows_at(positions)
        vectors = self._space.vectors(rows)
        octaves = None
        if self._f0 is not None:
            f0 = rows[:, self._f0]
            octaves = np.where(f0 > AUDIBLE_HZ, np.log2(np.maximum(f0, AUDIBLE_HZ)), np.nan)
        emphasised = vectors if self._emphasis is None else vectors * self._emphasis
        return vectors, JoinVectors(emphasised, octaves)

    def with_squared(self, joined: JoinVectors) -> JoinVectors:
        """Return join vectors with the squared lengths that `between` needs."""
        squared = squared_lengths(joined.vectors)
        return JoinVectors(joined.vectors, joined.octaves, squared)

    def between(self, expected: JoinVectors, offered: JoinVectors) -> np.ndarray:
        """Return the join costs of `offered` (m) in place of each of `expected` (n), (n, m).

        `expected` are the units that would have followed. The result is float32. This is faster
        than `pairwise`, and less exact.
        """
        cost = self._space.metric.between(
            expected.vectors, offered.vectors, expected.squared, offered.squared
        )
        if expected.octaves is not None and offered.octaves is not None:
            cost += _octave_cost(expected.octaves[:, None], offered.octaves)
        return cost

    def pairwise(self, expected: JoinVectors, offered: JoinVectors) -> np.ndarray:
        """Return the join cost of each of `offered` in place of `expected` in the same row, (n,).

        `expected` are the units that would have followed. The result is float32. Either argument
        may have a single row.
        """
        cost = self._space.distances(offered.vectors, expected.vectors)
        if expected.octaves is not None and offered.octaves is not None:
            cost = cost + _octave_cost(expected.octaves, offered.octaves)
        return cost.astype(np.float32, copy=False)

    @cached_property
    def by_chance(self) -> float:
        """Mean join cost of two units drawn at random."""
        pairs = np.random.default_rng(RANDOM_SEED).integers(
            len(self._space.database.units), size=(2, RANDOM_PAIRS)
        )
        (_, a), (_, b) = (self.unit_vectors(positions) for positions in pairs)
        return float(self.pairwise(a, b).mean())

    def along(self, positions: np.ndarray, n_samples: np.ndarray) -> np.ndarray:
        """Return the join cost of each unit of a path from the one before, float32, (n,).

        Parameters
        ----------
        positions, n_samples : ndarray, int64, shape (n,)
            Units, or -1 for a rest, and how long each is played; `n_samples[-1]` does not count.
        """
        costs = np.zeros(len(positions), np.float32)
        costs[1:] = self.to_each(positions[:-1], n_samples[:-1], positions[1:, None])[:, 0]
        return costs

    def to_each(self, before: np.ndarray, n_samples: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the join cost of each of `after`, once `before` was played for `n_samples`.

        Parameters
        ----------
        before : ndarray, int64, shape (n,)
            Units, or -1 for a rest.
        n_samples : ndarray, int64, shape (n,)
        after : ndarray, int64, shape (n, k)
            Units, or -1 for a rest.

        Returns
        -------
        ndarray, float32, shape (n, k)
            0 for the unit that starts just there in the source of `before`, and beside a rest.
        """
        there, starting = self._space.database.units.after(before, n_samples)
        _, expected = self.unit_vectors(np.maximum(there, 0))
        _, offered = self.unit_vectors(after.ravel())
        cost = self.pairwise(expected.reshape((len(after), 1)), offered.reshape(after.shape))
        cost[(there < 0)[:, None] | (after == there[:, None])] = self.by_chance
        cost[(before < 0)[:, None] | (after < 0) | (after == starting[:, None])] = 0
        return cost


def _octave_cost(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cost of the octaves between pitches; 0 where either has no pitch."""
    return PITCH * np.nan_to_num(np.abs(a - b))
