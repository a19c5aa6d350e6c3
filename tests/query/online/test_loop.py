"""A line that goes on by itself, unit by unit, over a small database of bundled sounds."""

import numpy as np
import pytest

from query.continuation_costs import World
from query.online.choice import NOTHING, Wishes
from query.online.loop import OnlineLoop
from query.online.past import OnlinePast
from query.options import PathOptions
from query.rules import REST
from query.space import Space
from tests.query.test_closed_loop import Likes, Same
from tests.query.test_path import runs

HOP = 1024
RATE = 44100


class Hears(Same):
    """It keeps what it hears."""

    def begin(self, seed, units, following):
        super().begin(seed, units, following)
        self.played = []

    def advance(self, rows, units, now):
        self.played.append((int(units[0]), int(now[0])))
        return super().advance(rows, units, now)


def world_of(positions):
    return World(positions, np.zeros((1, len(positions)), np.float32))


def longest_source(sounds):
    """The positions of the units of the longest sound."""
    return np.flatnonzero(sounds.units.source == np.bincount(sounds.units.source).argmax())


def loop_of(sounds, *, positions=None, scorer=None, seed=None):
    """A loop over all units, if no others are given, after the first sound."""
    loop = OnlineLoop(Space(sounds), scorer)
    positions = np.arange(sounds.n_units) if positions is None else positions
    loop.begin(sounds.rows_at(np.arange(20)) if seed is None else seed, world_of(positions))
    return loop


def play(loop, sounds, steps, *, past=None, wishes=None, **options):
    """The positions of some steps, and their choices."""
    past = OnlinePast(sounds.units, RATE) if past is None else past
    choices = []
    for _ in range(steps):
        choice = loop.choose(past, Wishes(HOP, PathOptions(**options), **(wishes or {})))
        goes_on = choice.position == past.following() != REST
        past.then(choice.position, HOP, goes_on=goes_on)
        choices.append(choice)
    return np.array([choice.position for choice in choices]), choices


def test_what_goes_on_in_its_source_costs_nothing_until_max_run_ends_it(sounds):
    positions, choices = play(loop_of(sounds), sounds, 120, continuity=1.0, max_run=0.5)
    lengths = runs(positions, sounds.units.source)
    assert lengths.max() == int(0.5 * RATE / HOP)
    goes_on = sounds.units.successors(positions[:-1]) == positions[1:]
    joins = np.array([choice.join for choice in choices[1:]])
    assert (joins[goes_on] == 0).all()
    assert (joins[~goes_on] > 0).all()
    assert goes_on.mean() > 0.7


def test_only_units_of_the_world_are_played(sounds):
    world = np.concatenate([np.arange(30, 60), longest_source(sounds)[10:40]])
    positions, _ = play(loop_of(sounds, positions=world), sounds, 80, temperature=1.0, max_run=0.3)
    assert set(positions) <= set(world)
    assert len(set(positions)) > 30


def test_a_seed_out_of_the_world_is_gone_on_with(sounds):
    source = longest_source(sounds)
    loop = loop_of(sounds, seed=sounds.rows_at(source[30:50]))
    positions, _ = play(loop, sounds, 5, continuity=4.0)
    np.testing.assert_array_equal(positions, source[50:55])


def test_the_likeliest_units_are_played(sounds):
    favourites = np.arange(40, 60)
    loop = loop_of(sounds, positions=np.arange(200), scorer=Likes(favourites))
    positions, choices = play(loop, sounds, 40, continuity=0.0)
    assert set(positions) <= set(favourites)
    assert max(choice.distance for choice in choices) == 0


def test_the_scorer_hears_each_unit_of_its_world_once(sounds):
    world = longest_source(sounds)
    scorer = Hears()
    past = OnlinePast(sounds.units, RATE)
    past.then(3, HOP, goes_on=False)  # before the loop
    loop = loop_of(sounds, positions=world, scorer=scorer)
    positions, _ = play(loop, sounds, 4, past=past)
    past.then(REST, HOP, goes_on=False)
    loop.choose(past, Wishes(HOP))
    past.then(5, HOP, goes_on=False)  # nor of its world
    for _ in range(2):
        loop.choose(past, Wishes(HOP))
    heard = [(row, (number + 1) * HOP) for number, row in enumerate(positions[:3] - world[0])]
    assert scorer.played == heard
    np.testing.assert_array_equal(scorer.units, sounds.rows_at(world))


def test_after_a_unit_that_is_not_of_the_world_one_is_played_that_sounds_like_what_follows(sounds):
    source = longest_source(sounds)
    loop = loop_of(sounds, positions=source[40:])
    past = OnlinePast(sounds.units, RATE)
    past.then(int(source[39]), HOP, goes_on=False)
    choice = loop.choose(past, Wishes(HOP, PathOptions(continuity=1.0)))
    assert choice.position == source[40]
    assert choice.join == 0
    # a pause ends what plays; so does a jump
    jumped = loop.choose(past, Wishes(HOP, PathOptions(continuity=1.0), leave=True))
    assert jumped.position > source[40] + RATE / HOP


def test_of_a_world_that_the_filters_leave_out_nothing_is_played(sounds):
    loop = loop_of(sounds, positions=longest_source(sounds))
    allowed = np.zeros(sounds.n_units, bool)
    assert play(loop, sounds, 1, wishes={"allowed": allowed})[1] == [NOTHING]
    allowed[:30] = True
    positions, _ = play(loop, sounds, 60, wishes={"allowed": allowed}, max_run=0.4)
    assert positions.max() < 30
    assert positions.min() >= 0


def test_rules_that_leave_nothing_do_not_hold(sounds):
    allowed = np.zeros(sounds.n_units, bool)
    allowed[:4] = True
    loop = loop_of(sounds, positions=np.arange(4))
    wishes = {"allowed": allowed, "apart": (2,)}
    positions, _ = play(loop, sounds, 20, wishes=wishes, min_reuse=60.0, max_run=0.05)
    assert set(positions) == set(range(4))


@pytest.mark.parametrize("world", [range(100), range(200, 300)])
def test_a_frozen_moment_stays_where_it_is(sounds, world):
    loop = loop_of(sounds, positions=np.array(world))
    wishes = {"stay": (50, 56)}
    positions, _ = play(loop, sounds, 40, wishes=wishes, max_run=0.1, novelty=1.0)
    assert set(positions) == set(range(50, 57))


def test_one_random_seed_is_one_line_and_another_is_another(sounds):
    lines = [
        play(loop_of(sounds), sounds, 60, temperature=1.0, max_run=0.5, random_seed=seed)[0]
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(lines[0], lines[1])
    assert (lines[0] != lines[2]).mean() > 0.5
    still = [play(loop_of(sounds), sounds, 60, random_seed=seed)[0] for seed in (1, 2)]
    np.testing.assert_array_equal(*still)


def test_units_agree_with_what_sounds_beside(sounds):
    chroma = np.zeros(12, np.float32)
    chroma[6] = 1
    options = {"continuity": 0.1, "max_run": 0.3}
    beside, _ = play(loop_of(sounds), sounds, 40, wishes={"chroma": chroma}, **options)
    alone, _ = play(loop_of(sounds), sounds, 40, **options)
    column = sounds.settings.names.index("chroma6")
    share = [sounds.rows_at(line)[:, column].mean() for line in (beside, alone)]
    assert share[0] > share[1] + 0.2
