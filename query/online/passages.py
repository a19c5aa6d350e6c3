"""Passages of a corpus, described once, to find those like what was heard at any time.

There is one each 1.5 s, some thousands in some hours of sound. They are compared as
`query.style` compares the passages of all units.
"""

import numpy as np

from db.database import Database
from db.settings import METRICAL
from query.metre import tempo_costs
from query.space import Space
from query.style import (
    HARMONY,
    chroma_columns,
    correlations,
    passage_styles,
    seed_styles,
    without_levels,
)

PASSAGE_SECONDS = 1.5  # between the beginnings of passages


class Passages:
    """The passages of a database.

    Attributes
    ----------
    edges : ndarray, int64, shape (n + 1,)
        The first unit of each, a position, and the number of units. A passage is said to hold
        the units up to the next one; its style is also that of the seconds around.
    """

    def __init__(self, database: Database) -> None:
        """Describe all passages, which takes about a second for each million units."""
        units = database.units
        number = units.start_sample // round(PASSAGE_SECONDS * database.sample_rate)
        begins = (np.diff(units.source) > 0) | (np.diff(number) > 0)
        self.edges = np.concatenate([[0], np.flatnonzero(begins) + 1, [len(units)]])
        self._database = database
        self._plain = Space(database, weights=dict.fromkeys(database.settings.names, 1.0))
        self._styles = passage_styles(self._plain, self.edges[:-1])
        self._chroma = chroma_columns(database)
        self._lengths = units.n_samples[self.edges[:-1]]
        self._metrical = None
        if database.settings.is_metrical:
            columns = [database.settings.names.index(name) for name in METRICAL]
            self._metrical = database.rows_at(self.edges[:-1])[:, columns]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def style_distances(
        self, seed: np.ndarray, seed_samples: np.ndarray, factors: np.ndarray
    ) -> np.ndarray:
        """Return how far each is from a seed in style, float64, (n,).

        Parameters
        ----------
        seed : ndarray, float32, shape (steps, n_descriptors), raw
        seed_samples : ndarray, int64, shape (steps,)
        factors : ndarray, float32, shape (n_descriptors,)
            As `Space.factors`.
        """
        weights = np.tile(factors * without_levels(self._database), 2)
        vectors = self._plain.vectors(seed)
        of_seed = seed_styles(vectors, seed_samples, self._database.sample_rate)
        return np.mean(
            [np.linalg.norm((self._styles - style) * weights, axis=1) for style in of_seed], axis=0
        )

    def harmony_distances(
        self, seed: np.ndarray, seed_samples: np.ndarray, weight: float = HARMONY
    ) -> np.ndarray:
        """Return the distance of each one's chroma from a seed's, (n,), 0 if not known.

        `weight` is the distance if they are unrelated.
        """
        if not self._chroma:
            return np.zeros(len(self))
        normaliser = self._database.normaliser
        means = self._styles[:, self._chroma] * normaliser.std[self._chroma]
        means += normaliser.mean[self._chroma]
        of_seed = np.average(seed[:, self._chroma], axis=0, weights=seed_samples)
        return weight * (1 - correlations(means, of_seed))

    def tempo_costs(self, tempo: float) -> np.ndarray:
        """Return what each costs for its tempo, (n,); 0 if units are no parts of beats."""
        if self._metrical is None or tempo <= 0:
            return np.zeros(len(self))
        parts = self._database.settings.beat_parts
        part_samples = 60 * self._database.sample_rate / tempo / parts
        return tempo_costs(self._metrical, self._lengths, tempo=tempo, part_samples=part_samples)
