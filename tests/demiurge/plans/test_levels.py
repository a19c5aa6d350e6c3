import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from demiurge.plans.levels import level_column, match_levels
from files.errors import DatabaseError
from tests.demiurge.plans.test_placing import make_units

UNITS = make_units([100, 100, 300], [100] * 3)
LEVELS = np.array([-20.0, -10.0, -40.0, -65.0, -18.0, -28.0], np.float32)


def test_runs_are_brought_to_one_level_each_with_one_gain():
    gains = match_levels(np.array([0, 1, 4, 5]), UNITS, LEVELS[[0, 1, 4, 5]], -14.0)
    first = -14 - 10 * np.log10((10**-2 + 10**-1) / 2)
    second = -14 - 10 * np.log10((10**-1.8 + 10**-2.8) / 2)
    np.testing.assert_allclose(gains, [first, first, second, second])


def test_longer_units_count_more():
    gains = match_levels(np.array([1, 2]), UNITS, LEVELS[[1, 2]], -20.0)
    expected = -20 - 10 * np.log10((100 * 10**-1 + 300 * 10**-4) / 400)
    np.testing.assert_allclose(gains, [expected] * 2)


def test_gains_are_limited_and_silence_is_not_raised():
    assert match_levels(np.array([2]), UNITS, LEVELS[[2]], -14.0).tolist() == [12.0]
    assert match_levels(np.array([1]), UNITS, LEVELS[[1]], -40.0, limit_db=9.0).tolist() == [-9.0]
    assert match_levels(np.array([3]), UNITS, LEVELS[[3]], -14.0).tolist() == [0.0]
    np.testing.assert_allclose(match_levels(np.array([3]), UNITS, LEVELS[[3]], -70.0), [-5.0])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels") / "in"
    folder.mkdir()
    for name in ("loop_breakbeat", "ambi_choir", "bass_hard_c"):
        samples, rate = sf.read(CORPUS_DIR / f"{name}.ogg")
        sf.write(folder / f"{name}.wav", samples[: 2 * rate], rate)
        sf.write(folder / f"{name} -12 dB.wav", samples[: 2 * rate] / 4, rate)
    return folder


def build(corpus, *descriptors: str) -> Database:
    path = corpus.parent / "+".join(descriptors)
    build_database(corpus, path, settings=DescriptorSettings(descriptors=descriptors))
    return Database(path)


def test_levels_are_the_loudness_or_near_it(corpus):
    both = build(corpus, "mfcc", "loudness")
    loudness = level_column(both)
    np.testing.assert_array_equal(loudness, both.column("loudness"))
    levels = level_column(build(corpus, "mfcc"))
    assert levels.shape == loudness.shape
    loud = loudness > -50
    assert np.median(np.abs(levels - loudness)[loud]) < 5
    assert np.corrcoef(levels[loud], loudness[loud])[0, 1] > 0.7


def test_a_gain_counts_in_full(corpus):
    database = build(corpus, "mfcc")
    levels = level_column(database)
    by_source = [levels[database.units.source == number] for number in range(6)]
    paths = [source.path for source in database.sources]
    assert paths[0::2] == [path.replace(".wav", " -12 dB.wav") for path in paths[1::2]]
    for quiet, loud in zip(by_source[0::2], by_source[1::2], strict=True):
        np.testing.assert_allclose(loud - quiet, 20 * np.log10(4), atol=0.2)


def test_without_loudness_and_mfcc_levels_are_not_known(corpus):
    with pytest.raises(DatabaseError, match="neither loudness nor mfcc"):
        level_column(build(corpus, "chroma"))
