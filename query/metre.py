"""What units that are parts of beats cost in a tempo, and at a part of the beat."""

import numpy as np

from db.beat_grid import TEMPO_ORIGIN
from db.settings import METRICAL

TEMPO = 4.0  # cost of a unit that would have to be played at twice or half its speed
SAME_TEMPO = 0.03  # octaves that cost nothing
PART = 3.0  # cost of a unit at another part of the beat, for each quarter of a beat
COSINE, SINE, OWN_TEMPO, PULSE = range(len(METRICAL))


def tempo_costs(
    metrical: np.ndarray, n_samples: np.ndarray, *, tempo: float, part_samples: float
) -> np.ndarray:
    """Return what units cost for being of another tempo, (n,).

    Parameters
    ----------
    metrical : ndarray, float32, shape (n, 4)
        The columns `METRICAL` of the units.
    n_samples : ndarray, int64, shape (n,)
        Lengths of the units; those without a pulse have no tempo but their length.
    tempo : float
        Beats per minute.
    part_samples : float
        Length of a part of a beat at that tempo.
    """
    octaves = np.log2(n_samples / part_samples)
    with_pulse = metrical[:, PULSE] > 0
    octaves[with_pulse] = metrical[with_pulse, OWN_TEMPO] - np.log2(tempo / TEMPO_ORIGIN)
    return TEMPO * np.maximum(np.abs(octaves) - SAME_TEMPO, 0)


def part_costs(metrical: np.ndarray, parts: np.ndarray, *, beat_parts: int) -> np.ndarray:
    """Return what units cost for being another part of the beat, (len(parts), n).

    Parameters
    ----------
    metrical : ndarray, float32, shape (n, 4)
    parts : ndarray, int64, shape (m,)
        Wanted parts, 0 to `beat_parts` - 1.
    """
    angles = 2 * np.pi * parts[:, None] / beat_parts
    return PART * (1 - np.cos(angles) * metrical[:, COSINE] - np.sin(angles) * metrical[:, SINE])
