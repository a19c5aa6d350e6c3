import numpy as np
import pytest

from db.band_filters import band_centres
from db.bands import describe_bands
from db.settings import DescriptorSettings
from query.voices.fit import FLOOR, divergences, weights_of
from query.voices.spectra import UnitSpectra, smoothing, transposing
from tests.query.voices.conftest import RATE

CENTRES = band_centres(RATE, 2048)
SHIFTS = range(-12, 13)


def bands_of_tone(hz: float) -> np.ndarray:
    """Return the mean bands of half a second of a tone with eight harmonics."""
    time = np.arange(RATE // 2) / RATE
    tone = 0.1 * sum(np.sin(2 * np.pi * hz * n * time + n) / n for n in range(1, 9))
    rows, _ = describe_bands(tone.astype(np.float32), DescriptorSettings())
    return rows[5:-5].mean(axis=0)


@pytest.mark.parametrize("semitones", SHIFTS)
def test_transposed_spectra_are_those_of_transposed_tones(semitones):
    """A divergence of up to 0.3, where those of tones that are not transposed have some 3."""
    off, as_it_is = [], []
    for hz in 110 * 2 ** (np.arange(0, 36, 5) / 12):
        tone, transposed = bands_of_tone(hz), bands_of_tone(hz * 2 ** (semitones / 12))
        off.append(divergences(transposed, tone @ transposing(CENTRES, semitones)))
        as_it_is.append(divergences(transposed, tone))
        found = (tone @ transposing(CENTRES, semitones)).sum()
        assert found == pytest.approx(transposed.sum(), rel=0.1)
    assert np.mean(off) < 0.04 + 0.02 * abs(semitones)
    if semitones:
        assert np.mean(off) < np.mean(as_it_is) / 10


@pytest.mark.parametrize("semitones", SHIFTS)
def test_transposing_keeps_the_sum_of_what_stays_within_the_bands(semitones):
    sums = transposing(CENTRES, semitones).sum(axis=1)
    heard = CENTRES * 2 ** (semitones / 12) <= CENTRES[-1]
    np.testing.assert_allclose(sums, heard, atol=1e-5)


def test_smooth_spectra_have_the_same_sum_and_no_partials():
    rows = np.stack([bands_of_tone(hz) for hz in (200, 210, 220)])
    smooth = rows @ smoothing(CENTRES)
    np.testing.assert_allclose(smooth.sum(axis=1), rows.sum(axis=1), rtol=1e-4)
    assert divergences(rows[0], rows[2]) > 20 * divergences(smooth[0], smooth[2])


def test_rows_are_the_bands_of_the_units(spectra, bands, database):
    positions = np.array([3, 999, 0, 3])
    np.testing.assert_array_equal(spectra.rows(positions), bands.rows(positions))
    np.testing.assert_array_equal(spectra.f0(positions), bands.f0(positions))
    assert spectra.n_units == len(database.units)


def test_position_says_the_transposition_as_well(copies, bands, database):
    shifted, spectra = copies
    n_units = len(database.units)
    positions = np.array([7, 7 + n_units, 7 + 2 * n_units])
    rows = bands.rows(np.array([7]))
    expected = [rows[0], (rows @ transposing(CENTRES, 2))[0], (rows @ transposing(CENTRES, -7))[0]]
    np.testing.assert_allclose(spectra.rows(positions), expected, rtol=1e-5, atol=1e-5)
    sources = shifted.units.source[positions]
    assert shifted.semitones[sources].tolist() == [0, 2, -7]


def test_pitch_is_that_of_the_transposed_unit(copies, bands, database):
    _, spectra = copies
    n_units = len(database.units)
    f0 = bands.f0(np.arange(n_units))
    unit = int(np.flatnonzero(f0)[0])
    positions = np.array([unit, unit + n_units, unit + 2 * n_units])
    np.testing.assert_allclose(
        spectra.f0(positions), f0[unit] * 2 ** (np.array([0, 2, -7]) / 12), rtol=1e-5
    )
    silent = int(np.flatnonzero(f0 == 0)[0])
    assert spectra.f0(np.array([silent + n_units])) == 0


def score(spectra: UnitSpectra, target: np.ndarray, others: np.ndarray, n: int) -> np.ndarray:
    """Return how much each unit of each copy lowers the weighted squared error, (steps, n)."""
    rows = spectra.rows(np.arange(n)).astype(np.float64)
    weights = weights_of(target).astype(np.float64)
    fitting = np.maximum(((target - others) * weights) @ rows.T, 0)
    return fitting**2 / (weights @ (rows * rows).T + FLOOR)


@pytest.mark.parametrize("with_others", [False, True])
def test_proposed_are_those_of_the_highest_scores(spectra, database, with_others):
    n_units = len(database.units)
    target = spectra.rows(np.arange(0, n_units, 40)) + spectra.rows(np.arange(5, n_units, 40))
    others = 0.5 * target if with_others else np.zeros_like(target)
    found = spectra.propose(target, others, np.ones(n_units, bool), 12)
    scores = score(spectra, target, others, n_units)
    of_found = np.sort(np.take_along_axis(scores, found, axis=1))
    np.testing.assert_allclose(of_found, np.sort(scores)[:, -12:], rtol=1e-3)


def test_every_unit_is_proposed_for_itself(copies, database):
    """Transposed or not: the target is moved towards the units, instead of all units."""
    _, spectra = copies
    n_units = len(database.units)
    for copy in range(3):
        loud = np.arange(0, n_units, 25) + copy * n_units
        target = spectra.rows(loud)
        loud = loud[target.sum(axis=1) > 10]
        target = spectra.rows(loud)
        found = spectra.propose(target, np.zeros_like(target), np.ones(n_units, bool), 16)
        assert (found == loud[:, None]).any(axis=1).mean() > 0.9


def test_only_allowed_units_are_proposed_in_any_copy(copies, database):
    _, spectra = copies
    n_units = len(database.units)
    allowed = np.arange(n_units) % 3 == 0
    target = spectra.rows(np.arange(1, n_units, 50))
    for others in (np.zeros_like(target), 2 * target):  # of which nothing is missing
        found = spectra.propose(target, others, allowed, 40)
        assert (found % n_units % 3 == 0).all()
        assert all(len(np.unique(row)) == 40 for row in found)
    found = spectra.propose(target, np.zeros_like(target), allowed, 40)
    assert len(np.unique(found // n_units)) == 3


def test_as_many_can_be_proposed_as_there_are(spectra, database):
    n_units = len(database.units)
    target = spectra.rows(np.array([10]))
    found = spectra.propose(target, np.zeros_like(target), np.ones(n_units, bool), n_units)
    assert sorted(found[0]) == list(range(n_units))
