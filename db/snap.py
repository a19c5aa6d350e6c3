"""Where units that begin at tatums are cut: just before their attacks."""

import numpy as np

from db.envelope import ENVELOPE_SAMPLES, Envelope

QUIET_BLOCKS = 8  # blocks before a tatum without an onset in which its unit begins, 12 ms


def starts_at_tatums(
    tatums: np.ndarray, onsets: np.ndarray, envelope: Envelope, reach: float
) -> np.ndarray:
    """Return the starts of units, int64, in the order of their tatums.

    A unit begins with the onset nearest to its tatum. If that is farther than `reach`, or nearer to
    another tatum, it begins in a quiet moment just before the tatum.

    Parameters
    ----------
    tatums : ndarray, float64, shape (n_tatums,), rising, in samples
    onsets : ndarray, int64, shape (n_onsets,), rising, in samples
    envelope : Envelope
        Finished.
    reach : float
        Samples.
    """
    starts = np.rint(tatums).astype(np.int64)
    is_snapped = np.zeros(len(tatums), bool)
    if len(onsets) and len(tatums):
        nearest = _nearest(tatums, onsets)
        is_snapped = np.abs(onsets[nearest] - tatums) <= reach
        is_snapped &= _nearest(onsets, tatums)[nearest] == np.arange(len(tatums))
        starts[is_snapped] = onsets[nearest[is_snapped]]
    blocks = starts // ENVELOPE_SAMPLES
    for i in np.flatnonzero(~is_snapped & (blocks >= 0) & (blocks < envelope.n_blocks)):
        block = int(blocks[i])
        starts[i] = envelope.quiet_sample(max(block - QUIET_BLOCKS, 0), block)
    return starts


def _nearest(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the position of the nearest of `among`, which rise, for each value; int64."""
    after = np.clip(np.searchsorted(among, values), 1, max(len(among) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(among) - 1)
    is_before = np.abs(values - among[before]) <= np.abs(among[after] - values)
    return np.where(is_before, before, after)
