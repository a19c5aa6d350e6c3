"""Bring the units of a path to one level."""

import numpy as np

from audio.mel import hz_to_mel, mel_to_hz
from db.columns import columns_of
from db.database import Database
from db.settings import DescriptorSettings
from db.unit_table import Units
from demiurge.plans.placing import run_starts
from files.errors import DatabaseError

NEAR_SILENCE_DB = -60.0
LIMIT_DB = 12.0  # largest gain, up or down
# LUFS minus the level that MFCC give, the median of the bundled corpus; most of it, because a few
# coefficients smooth the peaks of a spectrum away
MFCC_TO_LUFS_DB = 4.0


def match_levels(
    positions: np.ndarray,
    units: Units,
    levels: np.ndarray,
    target_db: float,
    *,
    limit_db: float = LIMIT_DB,
) -> np.ndarray:
    """Return gains that bring each run of a path to one level, in dB; float64, shape (n,).

    All units of a run have the same gain. What is nearly silent is not raised.

    Parameters
    ----------
    positions : ndarray, int64, shape (n,)
        The units of the path, in `units`.
    levels : ndarray, shape (n,)
        The level of each of them, in dB; see `levels_of`.
    target_db : float
        The mean power that each run shall have, on the scale of `levels`.
    limit_db : float
        Largest gain, up or down.
    """
    starts = run_starts(positions, units)
    lengths = units.n_samples[positions]
    energy = lengths * 10 ** (levels.astype(np.float64) / 10)
    power = np.add.reduceat(energy, starts) / np.add.reduceat(lengths, starts)
    run_db = 10 * np.log10(np.maximum(power, 1e-30))
    gain_db = np.clip(target_db - run_db, -limit_db, limit_db)
    gain_db = np.where(run_db < NEAR_SILENCE_DB, np.minimum(gain_db, 0.0), gain_db)
    return np.repeat(gain_db, np.diff([*starts, len(positions)]))


def level_column(database: Database) -> np.ndarray:
    """Return the level of every unit of a database, in LUFS; float32, shape (n_units,).

    It is `loudness` if the database has it, else an estimate from MFCC: the power of the mel
    spectrum that they describe. In the bundled corpus half of all frames are within -2.3 and +3.4
    dB of their loudness, and four in five within -4 and +11 dB: dark sounds are estimated too low.
    (mfcc0 alone, the mean of the bands in dB, says less: -8 and +11 dB for half of them.)

    Raises
    ------
    DatabaseError
        If it has neither.
    """
    levels = [levels_of(rows, database.settings) for _, rows in database.sequences()]
    return np.concatenate([np.empty(0, np.float32), *levels])


def levels_of(rows: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Return the levels of raw descriptors (n, n_descriptors), as `level_column`, float32, (n,).

    Raises
    ------
    DatabaseError
        If they hold neither loudness nor MFCC.
    """
    if "loudness" in settings.descriptors:
        return rows[:, settings.names.index("loudness")]
    if "mfcc" not in settings.descriptors:
        raise DatabaseError(
            f"descriptors={','.join(settings.descriptors)} have neither loudness nor mfcc, so"
            " levels are not known; build the database with --descriptors loudness beside the"
            " others"
        )
    static = columns_of("mfcc", n_mfcc=settings.n_mfcc).static_names
    return _mfcc_levels(
        rows[:, [settings.names.index(name) for name in static]],
        n_mels=settings.n_mels,
        n_fft=settings.n_fft,
        sample_rate=settings.sample_rate,
    )


def mean_level(levels: np.ndarray, n_samples: np.ndarray) -> float:
    """Return the level of the mean power of units of given lengths, in dB."""
    energy = n_samples * 10 ** (levels.astype(np.float64) / 10)
    return float(10 * np.log10(max(energy.sum() / n_samples.sum(), 1e-30)))


def _mfcc_levels(mfcc: np.ndarray, *, n_mels: int, n_fft: int, sample_rate: int) -> np.ndarray:
    """Return levels from MFCC, shape (n, n_mfcc): an orthonormal DCT-II of mel bands in dB."""
    bands = np.arange(n_mels) + 0.5
    basis = np.cos(np.pi / n_mels * bands * np.arange(mfcc.shape[1])[:, None])
    basis *= np.sqrt(np.where(np.arange(mfcc.shape[1]) == 0, 1.0, 2.0) / n_mels)[:, None]
    mel_db = mfcc @ basis.astype(np.float32)
    edges = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), n_mels + 2))
    widths = (edges[2:] - edges[:-2]) / 2  # Hz; a band is a density, of unit area
    power = (10 ** (mel_db / 10)) @ widths
    of_noise = 3 * n_fft**2 / 16  # power of noise with mean square 1, through a Hann window
    return (10 * np.log10(power / of_noise) + MFCC_TO_LUFS_DB).astype(np.float32)
