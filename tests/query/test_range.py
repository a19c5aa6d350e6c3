"""A target brought to the range of a corpus, and how far it lies from it."""

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from files.errors import ParameterError
from query.index import UnitIndex
from query.range import CorpusSample, bring_to_range, farness, moved_columns
from query.space import Space

RATE = 44100


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> UnitIndex:
    """Two sources of noise that gets brighter."""
    folder = tmp_path_factory.mktemp("range")
    (folder / "in").mkdir()
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        noise = random.normal(0, 0.1, 3 * RATE)
        mix = np.linspace(0, 1, len(noise))
        dark = np.convolve(noise, np.ones(16) / 16, mode="same")
        sf.write(folder / "in" / f"{name}.wav", mix * noise + (1 - mix) * dark, RATE)
    build_database(folder / "in", folder / "db")
    return UnitIndex(Space(Database(folder / "db")))


def rows_of(index: UnitIndex) -> np.ndarray:
    return index.database.rows_at(np.arange(index.database.n_units))


def brought(index: UnitIndex, rows: np.ndarray, audible: np.ndarray | None = None) -> np.ndarray:
    everything = np.ones(len(rows), bool) if audible is None else audible
    return bring_to_range(index, rows, everything, CorpusSample.of(index))


def test_a_target_that_was_scaled_and_moved_comes_back(index):
    rows = rows_of(index)
    away = np.tile(3 * rows + 5 * index.database.normaliser.std, (100, 1))  # many count alone
    np.testing.assert_allclose(
        index.database.normaliser.apply(brought(index, away)[: len(rows)]),
        index.database.normaliser.apply(rows),
        atol=0.3,
    )


def test_the_corpus_itself_hardly_moves(index):
    rows = rows_of(index)
    scores = index.database.normaliser.apply
    assert np.abs(scores(brought(index, rows)) - scores(rows)).max() < 0.05


def test_a_single_step_hardly_moves(index):
    scores = index.database.normaliser.apply
    step = rows_of(index)[:1] + 5 * index.database.normaliser.std
    assert np.abs(scores(brought(index, step)) - scores(step)).max() < 1


def test_silence_does_not_say_what_the_range_is(index):
    rows = rows_of(index)
    silent = np.full_like(rows, -1000)
    both = np.concatenate([rows, silent])
    audible = np.arange(len(both)) < len(rows)
    alone = brought(index, rows)
    np.testing.assert_allclose(brought(index, both, audible)[: len(rows)], alone, rtol=1e-6)


def test_the_noise_of_a_constant_target_is_not_raised_to_the_range_of_the_corpus(index):
    random = np.random.default_rng(1)
    scale = index.database.normaliser.std
    constant = rows_of(index)[5] + 1e-3 * scale * random.normal(size=(20_000, len(scale)))
    spread = index.database.normaliser.apply(brought(index, constant.astype(np.float32))).std(0)
    assert spread.max() < 0.02  # ten times as far, not a thousand


def test_constant_and_few_descriptors_give_finite_targets(index):
    one = CorpusSample.of(index).only(np.arange(len(CorpusSample.of(index).positions)) == 0)
    rows = np.tile(rows_of(index)[:1], (50, 1))
    moved = bring_to_range(index, rows, np.ones(50, bool), one)
    assert np.isfinite(moved).all()
    assert np.isfinite(brought(index, rows)).all()


def test_a_target_of_silence_stays_where_it_is(index):
    rows = rows_of(index)
    np.testing.assert_allclose(brought(index, rows, np.zeros(len(rows), bool)), rows, atol=1e-2)


def test_farness_is_low_within_the_corpus_and_high_outside(index):
    sample = CorpusSample.of(index)
    rows = rows_of(index)
    assert farness(index, rows, sample) < 0.1
    assert farness(index, rows + 5 * index.database.normaliser.std, sample) > 2
    assert farness(index, rows[:0], sample) == 0


def test_farness_of_a_corpus_of_one_unit_is_0(tmp_path):
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "one.wav", np.full(500, 0.1), RATE)
    build_database(tmp_path / "in", tmp_path / "db")
    index = UnitIndex(Space(Database(tmp_path / "db")))
    assert len(index) == 1
    rows = rows_of(index)
    assert farness(index, rows + 1, CorpusSample.of(index)) == 0
    assert np.isfinite(brought(index, rows + 1)).all()


def test_pitch_harmony_and_length_are_not_moved():
    names = DescriptorSettings(descriptors=("spectral", "chroma"), units="onset")
    moved = [names.names[column] for column in moved_columns(names)]
    assert "centroid" in moved
    assert "centroid_std" in moved
    for name in ("f0", "f0_std", "chroma3", "chroma3_std", "log2_duration"):
        assert name in names.names
        assert name not in moved


def test_a_target_that_is_not_finite_is_refused(index):
    rows = rows_of(index).copy()
    rows[3, 2] = np.nan
    with pytest.raises(ParameterError, match="step 3 of the sequence is not finite"):
        brought(index, rows)
