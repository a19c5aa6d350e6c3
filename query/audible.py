"""Which units can be heard: a continuation does not go on into the silence after a piece."""

import numpy as np

from db.database import Database
from db.settings import DescriptorSettings

SILENT = -65.0  # LUFS; the descriptor goes no lower than -70
BELOW = 40.0  # dB below the mean loudness of the sound


def audible_units(database: Database) -> np.ndarray:
    """Return which units are neither silent nor far below their source, bool, (n_units,).

    All are where the database does not know their loudness.
    """
    column = _loudness_column(database.settings)
    audible = np.ones(len(database.units), bool)
    if column is None:
        return audible
    first = 0
    for number, source in enumerate(database.sources):
        if not source.n_units:
            continue
        rows = slice(first, first + source.n_units)
        loudness = database.source_descriptors(number)[:, column]
        audible[rows] = _audible(loudness, database.units.n_samples[rows])
        first += source.n_units
    return audible


def is_audible_throughout(
    seed: np.ndarray, step_samples: np.ndarray, settings: DescriptorSettings
) -> bool:
    """Return whether a seed, raw (steps, n_descriptors), has no step as quiet as that."""
    column = _loudness_column(settings)
    return column is None or bool(_audible(seed[:, column], step_samples).all())


def _audible(loudness: np.ndarray, n_samples: np.ndarray) -> np.ndarray:
    power = np.average(10 ** (loudness.astype(np.float64) / 10), weights=n_samples)
    return loudness > max(SILENT, 10 * np.log10(power) - BELOW)


def _loudness_column(settings: DescriptorSettings) -> int | None:
    return settings.names.index("loudness") if "loudness" in settings.names else None
