"""Bring a target into the range of a corpus that is unlike it.

    shared       corpus  ▒▒▓▓▓▒▒                 own       ▒▒▓▓▓▒▒
                             ▲ target  ▓▓▓                  ▓▓▓▓▓
                             └─ all steps find this unit

Descriptors are z-scored over the corpus. If those of a target lie elsewhere, such as a drum loop's
beside those of speech, then the nearest units of all its steps are the few at that edge. In its
own range, what is bright for the target becomes what is bright for the corpus. (AudioGuide
normalises target and corpus each by its own mean and deviation.)

Column by column, that would ask for what the corpus does not have: the strokes of a drum are loud
and bright at once, but the loud sounds of speech are its dark vowels. So the target is moved by the
linear map that gives it the mean *and the covariance* of the corpus, and of all such maps the one
that moves it least (optimal transport between Gaussians: Dowson and Landau 1982):

    T(x) = A (x - m) + c,    A = C^½ (C^½ S C^½)^-½ C^½

with mean m and covariance S of the target, c and C of the corpus. If both are alike, A is nearly
the identity. A short target says little of its range: some steps count as if they were the
corpus's, so that one alone hardly moves.

Pitch, harmony, length and place in the beat are not moved: an A is not to become another note.
"""

from dataclasses import dataclass

import numpy as np

from db.settings import DURATION, METRICAL, STD_SUFFIX, DescriptorSettings
from query.index import UnitIndex, evenly
from query.space import PITCH_COLUMN

MOST_ROWS = 1 << 14  # units that the range of a corpus is measured on
MOST_MEASURED = 400  # steps, and units, whose distances are measured
NEAREST = 64  # units among which one from elsewhere is looked for
ELSEWHERE = 32  # units further on in a source: most of a second of frames
MEAN_STEPS = 8  # of the corpus's mean in the target's, which few steps tell; 0.2 s of frames
# As many steps as there are descriptors are the corpus's in the covariance. Their share is at least
# this, so that the noise of a target that does not change is raised tenfold at most, and not to the
# range of the corpus.
LEAST_SHARE = 0.01
RIDGE = 1e-4  # of the variance of a descriptor, added so that constant ones can be inverted


@dataclass(frozen=True)
class CorpusSample:
    """Units of a corpus that its range is measured on.

    Attributes
    ----------
    positions : ndarray, int64, shape (n,)
        Positions in `Database.units`, ascending.
    rows : ndarray, float32, shape (n, n_descriptors), raw
    source : ndarray, int64, shape (n,)
    """

    positions: np.ndarray
    rows: np.ndarray
    source: np.ndarray

    @classmethod
    def of(cls, index: UnitIndex) -> "CorpusSample":
        """Return units that may be played, evenly spaced if there are many."""
        return cls(*index.spread(MOST_ROWS))

    def only(self, kept: np.ndarray) -> "CorpusSample":
        """Return the units at `kept`, bool, (n,), or some of their numbers."""
        return CorpusSample(self.positions[kept], self.rows[kept], self.source[kept])


def farness(index: UnitIndex, sequence: np.ndarray, sample: CorpusSample) -> float:
    """Return how many times as far a sequence lies from the units as they lie from one another.

    It is the mean distance of steps to the nearest unit, by that of units to the nearest one of
    another source, or elsewhere in a corpus of one source. 0 if either cannot be measured.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
        The steps that can be heard.
    sample : CorpusSample
        The units that can be heard.
    """
    if not len(sequence) or not len(sample.positions):
        return 0.0
    chosen = evenly(len(sample.positions), MOST_MEASURED)
    apart = _distances_apart(index, sample.only(chosen))
    if not apart.any():
        return 0.0
    steps = evenly(len(sequence), MOST_MEASURED)
    nearest = index.search(sequence[steps], k=1).distances
    return float(nearest.mean() / apart.mean())


def _distances_apart(index: UnitIndex, sample: CorpusSample) -> np.ndarray:
    """Return the distance of each unit to the nearest from elsewhere, if one is among the near."""
    found = index.search(sample.rows, k=min(NEAREST, len(index)))
    is_other = index.sources_of(found.positions) != sample.source[:, None]
    if index.n_sources == 1:
        is_other = np.abs(found.positions - sample.positions[:, None]) > ELSEWHERE
    first = is_other.argmax(axis=1)
    return found.distances[np.arange(len(first)), first][is_other.any(axis=1)]


def bring_to_range(
    index: UnitIndex, sequence: np.ndarray, audible: np.ndarray, sample: CorpusSample
) -> np.ndarray:
    """Return a target in the range of the corpus, float32, (steps, n_descriptors), raw.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    audible : ndarray, bool, shape (steps,)
        The steps that say what the target's range is. All are moved, silence beyond the range.
    sample : CorpusSample
        The units that say what the corpus's range is, at least one.

    Raises
    ------
    ParameterError
        As `Space.check_sequence`.
    """
    sequence = index.space.check_sequence(sequence)
    columns = moved_columns(index.database.settings)
    if not columns or not len(sample.rows):
        return sequence
    normaliser = index.database.normaliser
    target = normaliser.apply(sequence)[:, columns].astype(np.float64)
    corpus = normaliser.apply(sample.rows)[:, columns].astype(np.float64)
    scores = _transport(target, audible, corpus)
    moved = sequence.copy()
    moved[:, columns] = scores * normaliser.std[columns] + normaliser.mean[columns]
    return moved


def moved_columns(settings: DescriptorSettings) -> list[int]:
    """Return the columns that have a range, by number."""
    fixed = {PITCH_COLUMN, DURATION, *METRICAL}
    if "chroma" in settings.descriptors:
        fixed |= set(settings.columns["chroma"].names)
    names = enumerate(settings.names)
    return [i for i, name in names if name.removesuffix(STD_SUFFIX) not in fixed]


def _transport(target: np.ndarray, audible: np.ndarray, corpus: np.ndarray) -> np.ndarray:
    """Return T of every row of the target; see above."""
    heard = target[audible]
    width = corpus.shape[1]
    centre = corpus.mean(axis=0)
    wanted = _covariance(corpus, centre) + RIDGE * np.eye(width)
    n_own = len(heard)
    n_prior = max(width, LEAST_SHARE * n_own)
    own = heard.mean(axis=0) if n_own else centre
    mean = (n_own * own + MEAN_STEPS * centre) / (n_own + MEAN_STEPS)
    covariance = (n_own * _covariance(heard, own) + n_prior * wanted) / (n_own + n_prior)
    root = _power(wanted, 0.5)
    matrix = root @ _power(root @ covariance @ root, -0.5) @ root
    return (target - mean) @ matrix + centre


def _covariance(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    away = rows - mean
    return away.T @ away / max(len(rows), 1)


def _power(symmetric: np.ndarray, exponent: float) -> np.ndarray:
    """Return a power of a symmetric, positive matrix."""
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
