"""Which units a session goes on with by itself, over a small database of bundled sounds."""

import gc
import shutil

import numpy as np
import pytest
import torch

from db.build import build_database
from db.database import Database
from db.settings import METRICAL, DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from demiurge.live import worlds
from demiurge.live.worlds import Worlds, forecaster_scorers
from files.errors import DatabaseError
from query.online.choice import Wishes
from query.online.past import OnlinePast
from query.options import PathOptions
from query.space import Space
from sequencer.forecaster import Forecaster, ForecasterConfig
from tests.query.test_closed_loop import Same
from tests.sequencer.toys import TOY

HOP = 1024
RATE = 44100
SETTINGS = DescriptorSettings(n_mfcc=8, descriptors=("mfcc", "chroma"))
SOUNDS = ("loop_*", "guit_*", "bass_*_c.ogg", "ambi_piano.ogg", "ambi_choir.ogg")
NOTHING_HEARD = np.empty((0, SETTINGS.n_descriptors), np.float32), np.empty(0, np.int64)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return database_of(SOUNDS, tmp_path_factory.mktemp("worlds"), SETTINGS)


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    """Drum loops of several tempi, in quarters of a beat."""
    settings = DescriptorSettings(n_mfcc=8, units="beat/4")
    return database_of(["loop_*"], tmp_path_factory.mktemp("beats"), settings)


def database_of(patterns, folder, settings):
    (folder / "c").mkdir()
    for pattern in patterns:
        for path in CORPUS_DIR.glob(pattern):
            shutil.copy(path, folder / "c")
    build_database(folder / "c", folder / "db", settings=settings)
    return Database(folder / "db")


@pytest.fixture
def small(monkeypatch):
    """Worlds of a few seconds, as the corpus is of a minute."""
    monkeypatch.setattr(worlds, "WORLD_SECONDS", 4.0)
    monkeypatch.setattr(worlds, "RUN_SECONDS", 1.5)
    monkeypatch.setattr(worlds, "GOING_ON_SECONDS", 1.0)


def model_of(database, folder, head):
    """A forecaster with random weights."""
    torch.manual_seed(0)
    forecaster = Forecaster(ForecasterConfig("lstm", database.settings, head, TOY["lstm"]))
    n = forecaster.mean.numel()
    limit = torch.full((n,), 9.0)
    forecaster.set_statistics(database.normaliser, low=-limit, high=limit)
    rows = torch.from_numpy(database.descriptors)
    forecaster.head.fit([forecaster.normalise(rows[:, :n])])
    forecaster.save(folder)
    return folder


def units_of(sounds, name):
    """The positions of the units of a sound."""
    number = [source.path for source in sounds.sources].index(name)
    return np.flatnonzero(sounds.units.source == number)


def heard(sounds, positions):
    return sounds.rows_at(positions), np.full(len(positions), HOP)


def world_of(loop):
    return loop.world.positions


def play(loop, sounds, steps, past=None, **options):
    past = past or OnlinePast(sounds.units, RATE)
    positions = []
    for _ in range(steps):
        position = loop.choose(past, Wishes(HOP, PathOptions(**options))).position
        past.then(position, HOP, goes_on=position == past.following())
        positions.append(position)
    return np.array(positions)


@pytest.mark.parametrize("name", ["loop_amen.ogg", "ambi_piano.ogg", "bass_thick_c.ogg"])
def test_a_world_is_of_what_sounds_like_what_was_heard(sounds, small, name):
    own = units_of(sounds, name)
    world = world_of(Worlds(Space(sounds)).loop(*heard(sounds, own)))
    share = np.isin(world, own).mean()
    assert share > 3 * len(own) / sounds.n_units
    assert np.isin(own, world).any()
    seconds = sounds.units.n_samples[world].sum() / RATE
    assert 4.0 <= seconds < 4.0 + 1.5 + 0.1


def test_a_world_has_few_units_enough_to_score_at_each_step(sounds, monkeypatch):
    monkeypatch.setattr(worlds, "MOST_UNITS", 100)
    monkeypatch.setattr(worlds, "MOST_RUN_UNITS", 30)
    world = world_of(Worlds(Space(sounds)).loop(*heard(sounds, np.arange(20))))
    assert 100 <= len(world) < 100 + 1.5 * RATE / HOP + 1


def test_filters_are_kept_to_and_what_plays_goes_on(sounds, small):
    allowed = np.zeros(sounds.n_units, bool)
    bass = units_of(sounds, "bass_thick_c.ogg")
    piano = units_of(sounds, "ambi_piano.ogg")
    allowed[bass] = True
    allowed[piano[50:]] = True
    made = Worlds(Space(sounds))
    row = heard(sounds, units_of(sounds, "loop_tabla.ogg"))
    loop = made.loop(*row, allowed=allowed, playing=int(piano[40]))
    assert allowed[world_of(loop)].all()
    assert set(piano[50:60]) <= set(world_of(loop))
    # the last unit of a sound is followed by nothing
    loop = made.loop(*row, allowed=allowed, playing=int(bass[-1]))
    assert allowed[world_of(loop)].all()
    allowed[:] = False
    allowed[bass[3]] = True
    assert world_of(made.loop(*row, allowed=allowed)).tolist() == [bass[3]]


def test_who_has_heard_nothing_begins_anywhere(sounds, small):
    begun = [
        world_of(Worlds(Space(sounds), random_seed=seed).loop(*NOTHING_HEARD))
        for seed in (0, 0, 1, 2, 3, 4)
    ]
    np.testing.assert_array_equal(begun[0], begun[1])
    assert len({tuple(world) for world in begun}) >= 3
    allowed = np.zeros(sounds.n_units, bool)
    allowed[units_of(sounds, "guit_em9.ogg")] = True
    world = world_of(Worlds(Space(sounds)).loop(*NOTHING_HEARD, allowed=allowed))
    assert allowed[world].all()


def test_worlds_wander_though_the_same_is_heard(sounds, small):
    made = Worlds(Space(sounds))
    row = heard(sounds, units_of(sounds, "loop_breakbeat.ogg"))
    sources = [set(sounds.units.source[world_of(made.loop(*row))]) for _ in range(12)]
    assert len(set.union(*sources)) > 2 * len(sources[0])


class LikesHigh(Same):
    """It likes passages that are late in the database, whatever was heard."""

    has_affinities = True

    def affinities(self, seed, units, following):
        assert following.shape == (len(units), 0, units.shape[1])
        known = {row.tobytes(): number for number, row in enumerate(self.database.descriptors)}
        return np.array([known[row.tobytes()] for row in units], np.float32)


def test_a_scorer_of_affinities_chooses_among_passages(sounds, small, monkeypatch):
    LikesHigh.database = sounds
    made = Worlds(Space(sounds), LikesHigh)
    world = world_of(made.loop(*heard(sounds, np.arange(40))))
    assert world.min() > 0.8 * sounds.n_units
    # of what the filters leave, however far it is from what was heard
    monkeypatch.setattr(worlds, "NEAREST", 2)
    allowed = np.zeros(sounds.n_units, bool)
    allowed[units_of(sounds, "ambi_piano.ogg")] = True
    world = world_of(made.loop(*heard(sounds, np.arange(40)), allowed=allowed))
    assert allowed[world].all()
    assert len(world) > 20


@pytest.mark.parametrize("head", ["contrast", "mixture"])
def test_a_model_hears_what_is_played_in_memory_that_does_not_grow(sounds, tmp_path, head):
    make_scorer = forecaster_scorers(model_of(sounds, tmp_path / "model", head), sounds)
    made = Worlds(Space(sounds), make_scorer)
    loop = made.loop(*heard(sounds, units_of(sounds, "loop_amen.ogg")))
    past = OnlinePast(sounds.units, RATE)
    sizes = []
    lines = []
    for _ in range(3):
        lines.append(play(loop, sounds, 80, past, novelty=1.0, max_run=0.5))
        sizes.append(sum(one.numel() for one in gc.get_objects() if type(one) is torch.Tensor))
    assert sizes[1] == sizes[2]
    assert len(set(np.concatenate(lines))) > 100
    again = made.loop(*heard(sounds, lines[-1]), playing=past.last)
    assert past.following() in {*world_of(again), -1}
    play(again, sounds, 5, past)


def test_a_model_of_other_descriptors_is_refused(sounds, corpus, tmp_path):
    build_database(corpus, tmp_path / "db", settings=DescriptorSettings(n_mfcc=4))
    model = model_of(sounds, tmp_path / "model", "contrast")
    with pytest.raises(DatabaseError, match="n_mfcc"):
        forecaster_scorers(model, Database(tmp_path / "db"))


def test_a_world_is_of_the_tempo_that_it_goes_with(loops, small):
    made = Worlds(Space(loops))
    row = loops.rows_at(np.arange(8)), loops.units.n_samples[:8]
    slow, fast = (
        loops.column("tempo")[world_of(made.loop(*row, tempo=bpm))].mean() for bpm in (70, 170)
    )
    assert slow < fast - 0.3


def test_whole_units_are_played_at_their_part_of_the_beat(loops):
    loop = Worlds(Space(loops)).loop(loops.rows_at(np.arange(8)), loops.units.n_samples[:8])
    past = OnlinePast(loops.units, RATE, whole_units=True)
    angles = []
    for step in range(40):
        wishes = Wishes(RATE, PathOptions(continuity=0.1), part=step % 4, tempo=120.0)
        position = loop.choose(past, wishes).position
        n_samples = int(loops.units.n_samples[position])
        past.then(position, n_samples, goes_on=position == past.following())
        row = loops.rows_at(np.array([position]))[0]
        cosine, sine = (row[loops.settings.names.index(name)] for name in METRICAL[:2])
        angles.append(np.cos(2 * np.pi * (step % 4) / 4 - np.arctan2(sine, cosine)))
    assert np.mean(angles) > 0.9
