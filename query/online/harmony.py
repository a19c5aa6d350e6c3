"""What units cost for their pitch classes, and for their place in the beat.

What a database does not describe costs nothing.
"""

import numpy as np

from db.columns import columns_of
from db.settings import METRICAL, DescriptorSettings
from query.metre import part_costs, tempo_costs
from query.online.choice import Wishes

CHROMA = "chroma"
SILENT = 1e-9  # least length of a chroma vector
# cost of a unit whose chroma is unrelated to what sounds beside: a third of what it is for voices
# that are found together (`query.together`), so that runs are not cut up for it
BESIDE = 8.0
WANTED = 24.0  # cost of a unit that has none of the wanted pitch classes


class Harmony:
    """The costs of the units of databases with these settings, by their raw descriptors."""

    def __init__(self, settings: DescriptorSettings) -> None:
        self._beat_parts = settings.beat_parts
        self._sample_rate = settings.sample_rate
        self._metrical = _find_columns(settings, METRICAL if settings.is_metrical else ())
        has_chroma = CHROMA in settings.descriptors
        names = columns_of(CHROMA, n_mfcc=1).names if has_chroma else ()
        self._chroma = _find_columns(settings, names)

    def costs(self, rows: np.ndarray, n_samples: np.ndarray, wishes: Wishes) -> np.ndarray:
        """Return what units cost for pitch classes, chroma, part and tempo, float64, (n,).

        Parameters
        ----------
        rows : ndarray, float32, shape (n, n_descriptors), raw
        n_samples : ndarray, int64, shape (n,)
            Lengths of the units.
        """
        costs = np.zeros(len(rows))
        if self._chroma and (wishes.pitch_classes or wishes.chroma is not None):
            costs += chroma_costs(rows[:, self._chroma], wishes)
        if self._metrical and wishes.tempo > 0:
            metrical = rows[:, self._metrical]
            part_samples = 60 * self._sample_rate / wishes.tempo / self._beat_parts
            costs += tempo_costs(metrical, n_samples, tempo=wishes.tempo, part_samples=part_samples)
            if wishes.part is not None:
                parts = np.array([wishes.part])
                costs += part_costs(metrical, parts, beat_parts=self._beat_parts)[0]
        return costs

    def aim(self, target: np.ndarray, wishes: Wishes) -> np.ndarray:
        """Return a raw target (n_descriptors,) with the wanted pitch classes as its chroma."""
        if not self._chroma or not wishes.pitch_classes:
            return target
        aimed = target.copy()
        aimed[self._chroma] = _has_wanted(wishes.pitch_classes)
        return aimed


def chroma_costs(chroma: np.ndarray, wishes: Wishes) -> np.ndarray:
    """Return what units of a raw chroma (n, 12) cost, float64, (n,).

    A unit costs the more, the less of its power is in the wanted pitch classes, and the less its
    chroma agrees with what sounds beside.
    """
    costs = np.zeros(len(chroma))
    if wishes.pitch_classes:
        wanted = chroma @ _has_wanted(wishes.pitch_classes)
        costs += WANTED * (1 - wanted / np.maximum(chroma.sum(axis=1), SILENT))
    if wishes.chroma is not None:
        costs += BESIDE * (1 - _centred(chroma) @ _centred(wishes.chroma))
    return costs


def _centred(chroma: np.ndarray) -> np.ndarray:
    """Return chroma (..., 12) without its mean, at length 1."""
    centred = chroma - chroma.mean(axis=-1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), SILENT)


def _has_wanted(pitch_classes: frozenset[int]) -> np.ndarray:
    """Return 1 for each wanted pitch class and 0 for the others, float32, (12,)."""
    wanted = np.zeros(12, np.float32)
    wanted[list(pitch_classes)] = 1
    return wanted


def _find_columns(settings: DescriptorSettings, names: tuple[str, ...]) -> list[int]:
    """Return where these columns are among a database's."""
    return [settings.names.index(name) for name in names]
