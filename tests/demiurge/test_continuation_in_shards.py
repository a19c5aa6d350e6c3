"""Continuations of a corpus in shards against those of one database."""

import shutil

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import FOR_CONTINUATIONS
from demiurge.bundled import CORPUS_DIR
from demiurge.continuation import continue_seed
from demiurge.plans.continued import plan_of_continuation
from demiurge.plans.settings import PlanSettings
from demiurge.sequences import describe
from files.errors import ParameterError
from playback.transform import can_transform
from query.filters import Filters
from query.options import CONTINUATION_PATH
from query.settings import SearchSettings
from query.voices.options import VoiceOptions
from sequencer.sampling import SamplingOptions
from tests.query.cluster.local import shards_of

SOUNDS = ("loop_[a-i]*", "bass_[d-t]*", "tabla_t*")
SEED = "loop_safari.ogg"
SAMPLING = SamplingOptions(temperature=1.0, random_seed=3)


class Alike:
    """A scorer to which units are the likelier, the more they are like what was heard last."""

    n_following = 2
    has_affinities = False

    def begin(self, seed, units, following):
        self.units = units
        self.following = np.nan_to_num(following)
        self.heard = seed[-1:]

    def scores(self):
        away = np.abs(self.units - self.heard[:, None]).mean(axis=2)
        return (-away - 0.1 * np.abs(self.following).mean(axis=(1, 2))).astype(np.float32)

    def advance(self, rows, units, now):
        self.heard = self.units[np.maximum(units, 0)]
        return np.zeros(len(rows), np.float32)


class WithAffinities(Alike):
    has_affinities = True

    def affinities(self, seed, units, following):
        return -np.abs(units - seed[-4:].mean(axis=0)).mean(axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Database:
    folder = tmp_path_factory.mktemp("continued")
    (folder / "c").mkdir()
    for pattern in SOUNDS:
        for path in CORPUS_DIR.glob(f"{pattern}.ogg"):
            if path.name != SEED:
                shutil.copy(path, folder / "c")
    build_database(folder / "c", folder / "db", settings=FOR_CONTINUATIONS)
    return Database(folder / "db")


def carry_on(database, scorer, *, search=None, **how):
    seed = describe(CORPUS_DIR / SEED, database.settings)
    search = search or SearchSettings(path=CONTINUATION_PATH)
    return continue_seed(
        seed, database, scorer, seconds=20.0, sampling=SAMPLING, search=search, **how
    )


def assert_equal(found, expected):
    for one, wanted in zip(found, expected, strict=True):
        assert one.counts == wanted.counts
        assert one.world_seconds == wanted.world_seconds
        assert one.world_sources == wanted.world_sources
        assert one.timing.tempo == wanted.timing.tempo
        assert np.array_equal(one.timing.step_samples, wanted.timing.step_samples)
        for voice, other in zip(one.voices, wanted.voices, strict=True):
            for name in ("positions", "n_samples", "distances", "joins"):
                assert np.array_equal(getattr(voice, name), getattr(other, name)), name
            assert np.array_equal(voice.matches.positions, other.matches.positions)
        plans = [
            plan_of_continuation(each, PlanSettings(search=SearchSettings()), -20.0).steps
            for each in (one, wanted)
        ]
        assert plans[0] == plans[1]


@pytest.mark.parametrize("scorer", [Alike, WithAffinities])
def test_a_continuation_equals_that_of_one_database(database, scorer):
    expected = carry_on(database, scorer())
    assert len(expected[0].voices[0].positions) > 10
    assert expected[0].world_sources > 2
    _, paged = shards_of(database, 4)
    assert_equal(carry_on(paged, scorer()), expected)


def test_filters_voices_and_weights(database):
    search = SearchSettings(
        path=CONTINUATION_PATH,
        filters=Filters(sources=("loop*", "bass*", "tabla*")),
        voices=VoiceOptions(2),
        weights={"chroma": 2.0},
    )
    shards, paged = shards_of(database, 3)
    assert_equal(
        carry_on(paged, Alike(), search=search), carry_on(database, Alike(), search=search)
    )
    assert shards.n_calls < 100


@pytest.mark.skipif(not can_transform(), reason="python-stretch is not installed")
def test_transposed_sources(database):
    _, paged = shards_of(database, 3)
    expected = carry_on(database, Alike(), transpose=4)
    semitones = expected[0].database.semitones
    assert (semitones != 0).any()
    found = carry_on(paged, Alike(), transpose=4)
    assert np.array_equal(found[0].database.semitones, semitones)
    assert_equal(found, expected)


def test_filters_that_leave_nothing(database):
    _, paged = shards_of(database, 3)
    search = SearchSettings(path=CONTINUATION_PATH, filters=Filters(sources=("nothing*",)))
    for each in (database, paged):
        with pytest.raises(ParameterError, match="the filters leave no unit"):
            carry_on(each, Alike(), search=search)


def test_silence_after_a_piece_is_not_played(tmp_path):
    """It is, if the filters leave nothing else."""
    (tmp_path / "c").mkdir()
    samples, rate = sf.read(CORPUS_DIR / "loop_garzul.ogg", always_2d=True)
    silence = np.zeros((8 * rate, samples.shape[1]))
    sf.write(tmp_path / "c" / "piece.wav", np.concatenate([samples, silence]), rate)
    build_database(tmp_path / "c", tmp_path / "db", settings=FOR_CONTINUATIONS)
    database = Database(tmp_path / "db")
    loudness = database.column("loudness")
    assert (loudness < -65).sum() > 10
    positions = carry_on(database, WithAffinities())[0].voices[0].positions
    assert loudness[positions].min() > -65
    silent = SearchSettings(path=CONTINUATION_PATH, filters=Filters(loudness=(-70, -66)))
    assert len(carry_on(database, Alike(), search=silent)[0].voices[0].positions)
