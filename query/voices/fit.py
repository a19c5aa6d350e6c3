"""How well sums of spectra fit a target, and the gains that fit best.

The divergence of a sum V from a target T is the generalised Kullback-Leibler divergence
Σ T ln(T / V) - T + V over the bands (Lee & Seung, NIPS 2000): it counts what is missing in a loud
band by its amount, and what is too much in a quiet band as well. It is divided by the target's sum,
so that quiet steps count as much as loud ones.

It hardly notices what is quiet beside a loud band, though it is heard. For the choice of units, the
difference of the spectra in decibels is therefore added, as its root mean square over the bands.
"""

import numpy as np

LOGARITHMIC = 1.0  # what a difference of one neper (8.7 dB) in all bands counts for
FLOOR = 1e-3  # of a band: far below the quantisation noise of 16 bits
LEAST_WEIGHT = 1e-3  # of the loudest band: quieter ones count as that in the choice of candidates
HIGHEST_GAIN = 15.85  # 24 dB; what is raised further brings up its noise
MOST_CHANGE = 2.0  # of the level by `level_factors`: 6 dB, four voices alike
LEAST_START = 0.02  # of the target: from a gain of 0, multiplicative updates never rise
BLOCK_STEPS = 16  # of some 100 candidates of 160 bands: 1 MB, to stay in the processor's cache


def divergences(targets: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Return the divergence of each sum from its target, (..., bands) -> (...)."""
    targets = targets + FLOOR
    sums = sums + FLOOR
    difference = targets * np.log(targets / sums) - targets + sums
    return difference.sum(axis=-1) / targets.sum(axis=-1)


def weights_of(targets: np.ndarray) -> np.ndarray:
    """Return how much a squared error counts in each band, (..., bands)."""
    wanted = targets + FLOOR
    return 1 / np.maximum(wanted, LEAST_WEIGHT * wanted.max(axis=-1, keepdims=True))


def fit_one(
    rows: np.ndarray, target: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add each of some spectra, at the gain of least divergence, to what other voices play.

    Parameters
    ----------
    rows : ndarray, float32, shape (..., n, bands)
    target, others : ndarray, float32, shape (..., bands)

    Returns
    -------
    cost, gain : ndarray, float32, shape (..., n)
        The cost is the divergence and `LOGARITHMIC` times the logarithmic difference.
    """
    wanted = target + FLOOR
    known = (others + FLOOR)[..., None, :]
    weights = weights_of(target)
    fitting = _dot(rows, (target - others) * weights)
    gain = fitting / (_dot(rows * rows, weights) + FLOOR)
    sums = rows.sum(axis=-1)
    least = LEAST_START * wanted.sum(axis=-1)[..., None] / (sums + FLOOR)
    np.clip(gain, least, HIGHEST_GAIN, out=gain)
    for _ in range(2):  # multiplicative updates of the gain towards the least divergence
        ratio = wanted[..., None, :] / (known + gain[..., None] * rows)
        gain *= (ratio * rows).sum(axis=-1) / (sums + FLOOR)
        np.clip(gain, 0, HIGHEST_GAIN, out=gain)
    total = known + gain[..., None] * rows
    logs = _dot(np.log(total, out=total), wanted)
    of_target = (wanted * np.log(wanted)).sum(axis=-1) - wanted.sum(axis=-1)
    divergence = of_target[..., None] - logs + known.sum(axis=-1) + gain * sums
    total -= np.log(wanted)[..., None, :]
    difference = np.sqrt(np.einsum("...b,...b->...", total, total) / total.shape[-1])
    return divergence / wanted.sum(axis=-1)[..., None] + LOGARITHMIC * difference, gain


def _dot(rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(..., n, bands) and (..., bands) -> (..., n)."""
    return np.einsum("...nb,...b->...n", rows, vector)


def level_factors(rows: np.ndarray, targets: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Return the factors on all gains of each step that give the sum its target's power, (steps,).

    The gains fit magnitudes, which add up less in a sum of sounds: their powers add up instead.
    Parameters as `joint_gains`.
    """
    wanted = np.square(targets).sum(axis=1)
    played = np.square(gains[:, :, None] * rows).sum(axis=(1, 2))
    factors = np.sqrt((wanted + FLOOR) / (played + FLOOR))
    return np.clip(factors, 1 / MOST_CHANGE, MOST_CHANGE)


def joint_gains(
    rows: np.ndarray, targets: np.ndarray, gains: np.ndarray, *, rounds: int
) -> np.ndarray:
    """Improve the gains of all voices together, by multiplicative updates.

    Parameters
    ----------
    rows : ndarray, float32, shape (steps, voices, bands)
    targets : ndarray, float32, shape (steps, bands)
    gains : ndarray, float32, shape (steps, voices)

    Returns
    -------
    ndarray, float32, shape (steps, voices)
    """
    sums = rows.sum(axis=2) + FLOOR
    wanted = targets + FLOOR
    for _ in range(rounds):
        total = np.matmul(gains[:, None, :], rows)[:, 0] + FLOOR
        gains = gains * (_dot(rows, wanted / total) / sums)
        np.clip(gains, 0, HIGHEST_GAIN, out=gains)
    return gains
