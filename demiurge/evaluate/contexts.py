"""How much the last units before each moment of a corpus resemble those of another."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from db.database import Database
from db.normaliser import Normaliser
from db.settings import DURATION, STD_SUFFIX, DescriptorSettings
from files.errors import ParameterError

DESCRIPTORS = ("mfcc", "chroma")


@dataclass(frozen=True)
class Contexts:
    """The units of a corpus, each with those before it in its source.

    Attributes
    ----------
    rows : ndarray, float32, shape (n_units, d)
        Z-scored descriptors.
    number_in_source : ndarray, int64, shape (n_units,)
        How many units come before in the same source.
    n_units : int
        Length of a context, with the unit itself.
    columns, normaliser
        How rows are made from a database's.
    """

    rows: np.ndarray
    number_in_source: np.ndarray
    n_units: int
    columns: np.ndarray
    normaliser: Normaliser

    @classmethod
    def of(cls, database: Database, n_units: int) -> Self:
        """Take all units of a database that has MFCC and chroma.

        Of units longer than a frame, standard deviations and duration count as well: they tell a
        beat from a steady noise.

        Raises
        ------
        ParameterError
            If it lacks one of them.
        """
        settings = database.settings
        if missing := [name for name in DESCRIPTORS if name not in settings.descriptors]:
            raise ParameterError(
                f"{database.path} has no {' and no '.join(missing)}; build it with --descriptors"
                f" {','.join(DESCRIPTORS)}"
            )
        columns = _independent_columns(settings)
        rows = database.normaliser.apply(database.descriptors)[:, columns]
        counts = np.array([source.n_units for source in database.sources])
        first = np.repeat(np.cumsum(counts) - counts, counts)
        return cls(rows, np.arange(len(rows)) - first, n_units, columns, database.normaliser)

    def scores(self, descriptors: np.ndarray) -> np.ndarray:
        """Return rows like the corpus's from raw descriptors, (n, n_descriptors) -> (n, d)."""
        return self.normaliser.apply(descriptors)[:, self.columns]

    def distances(self, contexts: np.ndarray) -> np.ndarray:
        """Return the mean squared distance of the context of each unit to each of those given.

        Parameters
        ----------
        contexts : ndarray, float32, shape (m, k <= n_units, d)
            From the earliest unit to the latest.

        Returns
        -------
        ndarray, float32, shape (n_units, m)
            A unit that is missing, before the start of a source, is as far away as a random one is
            from the mean: d.
        """
        total = np.zeros((len(self.rows), len(contexts)), np.float32)
        squares = (self.rows**2).sum(axis=1)[:, None]
        n_wanted = contexts.shape[1]
        for back in range(n_wanted):
            wanted = contexts[:, n_wanted - 1 - back]
            between = squares + (wanted**2).sum(axis=1) - 2 * self.rows @ wanted.T
            earlier = np.roll(between, back, axis=0)
            earlier[self.number_in_source < back] = self.rows.shape[1]
            total += earlier
        return total / n_wanted


def _independent_columns(settings: DescriptorSettings) -> np.ndarray:
    """Return the positions of the MFCC and chroma, without Δ and ΔΔ, and of what beats add."""
    static = [name for part in DESCRIPTORS for name in settings.columns[part].static_names]
    wanted = {*static, *(f"{name}{STD_SUFFIX}" for name in static), DURATION}
    return np.flatnonzero([name in wanted for name in settings.names])
