"""Which units can be heard: a continuation does not go on into the silence after a piece."""

import numpy as np

from db.database import Database
from db.settings import DescriptorSettings

LOUDNESS = "loudness"
SILENT = -65.0  # LUFS; the descriptor goes no lower than -70
BELOW = 40.0  # dB below the mean loudness of the sound


def audible_units(database: Database) -> np.ndarray:
    """Return which units are neither silent nor far below their source, bool, (n_units,).

    All are where the database does not know their loudness.
    """
    units = database.units
    if LOUDNESS not in database.settings.names:
        return np.ones(len(units), bool)
    return _audible(database.column(LOUDNESS), units.n_samples, units.source)


def is_audible_throughout(
    seed: np.ndarray, step_samples: np.ndarray, settings: DescriptorSettings
) -> bool:
    """Return whether a seed, raw (steps, n_descriptors), has no step as quiet as that."""
    if LOUDNESS not in settings.names:
        return True
    loudness = seed[:, settings.names.index(LOUDNESS)]
    return bool(_audible(loudness, step_samples, np.zeros(len(seed), np.int64)).all())


def _audible(loudness: np.ndarray, n_samples: np.ndarray, source: np.ndarray) -> np.ndarray:
    energy = n_samples * 10 ** (loudness.astype(np.float64) / 10)
    means = np.bincount(source, energy)[source] / np.bincount(source, n_samples)[source]
    return loudness > np.maximum(SILENT, 10 * np.log10(means) - BELOW)
