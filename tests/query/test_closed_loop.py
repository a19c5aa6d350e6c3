"""Continuations by a loop with hand-made scorers over small made-up databases."""

from itertools import pairwise

import numpy as np
import pytest

from files.errors import ParameterError
from query.closed_loop import find_continuations
from query.continuation_costs import FORECAST, World
from query.options import PathOptions
from query.rules import REST, Rules
from tests.query.test_path import HOP, RATE, Toy, make_uneven, runs

STEPS = 40
PERIOD = 8  # steps


class Same:
    """A scorer to which all units are equally likely; what the others have in common."""

    n_following = 0
    has_affinities = False

    def begin(self, seed, units, following):
        self.units = units
        self.heard = seed[-1:]

    def scores(self):
        return np.stack([self.score(heard) for heard in self.heard]).astype(np.float32)

    def score(self, heard):
        return np.zeros(len(self.units))

    def advance(self, rows, units, now):
        plays = (units != REST)[:, None]
        self.heard = np.where(plays, self.units[np.maximum(units, 0)], self.heard[rows])
        return np.zeros(len(rows), np.float32)


class Likes(Same):
    """To it, some units are likelier than the others, whatever is heard."""

    def __init__(self, favourites):
        self.favourites = favourites

    def score(self, heard):
        return -5.0 * ~np.isin(np.arange(len(self.units)), self.favourites)


class KnowsThePeriod(Same):
    """It expects what is a step further round the circle than what it has heard."""

    def score(self, heard):
        angle = np.arctan2(heard[1], heard[0]) + 2 * np.pi / PERIOD
        expected = np.array([np.cos(angle), np.sin(angle)])
        return -20 * ((self.units[:, :2] - expected) ** 2).sum(axis=1)


def circle(lengths, seed=0):
    """Sources that go round a circle, a step of 1/PERIOD at a time, from anywhere on it."""
    toy = Toy(lengths, seed, names=("cos", "sin", "colour"))
    angles = step_angle(np.arange(len(toy)) * 1.0)
    first = np.random.default_rng(seed).integers(0, PERIOD, size=len(lengths))
    angles += step_angle(first[toy.units.source])
    toy.vectors[:, 0] = np.cos(angles)
    toy.vectors[:, 1] = np.sin(angles)
    return toy


def step_angle(steps):
    return 2 * np.pi * steps / PERIOD


def carry_on(
    toy,
    scorer=None,
    *,
    steps=STEPS,
    units=None,
    costs=None,
    locked=None,
    whole_units=False,
    seed=None,
    temperature=0.0,
    random_seed=0,
    variations=1,
    **options,
):
    """Paths that continue a seed, by default of one step, all zeros."""
    step_samples = np.full(steps, HOP)
    positions = np.arange(len(toy)) if units is None else np.asarray(units)
    costs = np.zeros((1, len(positions)), np.float32) if costs is None else costs
    rules = Rules(
        PathOptions(**options),
        toy.units,
        step_samples,
        RATE,
        whole_units=whole_units,
        locked=locked,
    )
    return find_continuations(
        toy.space,
        World(positions, costs),
        scorer or Same(),
        rules,
        seed=np.zeros((1, toy.vectors.shape[1]), np.float32) if seed is None else seed,
        step_samples=step_samples,
        temperature=temperature,
        random_seed=random_seed,
        variations=variations,
    )


def path_of(*args, **options):
    return carry_on(*args, **options)[0].positions


def test_what_goes_on_in_its_source_joins_at_no_cost():
    toy = Toy([60, 60, 60], seed=1)
    (path,) = carry_on(toy, continuity=1.0)
    np.testing.assert_array_equal(np.diff(path.positions), np.ones(STEPS - 1))
    np.testing.assert_array_equal(path.joins[1:], np.zeros(STEPS - 1))
    np.testing.assert_array_equal(path.steps, np.arange(STEPS))
    np.testing.assert_array_equal(path.n_samples, np.full(STEPS, HOP))


def test_where_a_source_ends_another_begins():
    toy = Toy([7, 5, 6], seed=2)
    positions = path_of(toy, continuity=1.0)
    assert len(positions) == STEPS
    assert runs(positions, toy.units.source).max() == 7


@pytest.mark.parametrize("max_run", [0.1, 0.4, 1.2])
def test_no_run_is_longer_than_max_run(max_run):
    toy = Toy([60, 60, 60], seed=1)
    lengths = runs(path_of(toy, continuity=1.0, max_run=max_run), toy.units.source)
    assert lengths.max() * HOP <= max_run * RATE
    assert lengths.max() * HOP == pytest.approx(max_run * RATE)  # and no shorter than it need be


FAVOURITES = range(10)  # the first source, a tenth of the units


def test_min_reuse_holds_for_every_unit():
    toy = Toy([10, 20], seed=3)
    options = {"steps": 100, "continuity": 0.0}
    assert np.isin(path_of(toy, Likes(FAVOURITES), **options), FAVOURITES).all()
    once = path_of(toy, Likes(FAVOURITES), min_reuse=2.0, **options)
    for position in set(once.tolist()):
        begins = np.flatnonzero(once == position) * HOP
        assert (np.diff(begins) >= 2.0 * RATE).all()


def test_novelty_makes_favourites_rarer():
    toy = Toy([10, 90], seed=4)
    options = {"steps": 100, "continuity": 0.0}
    paths = [path_of(toy, Likes(FAVOURITES), novelty=novelty, **options) for novelty in (0, 1, 4)]
    assert len(set(paths[0].tolist())) <= len(FAVOURITES)
    assert np.isin(paths[1], FAVOURITES).sum() < 50
    assert len(set(paths[1].tolist())) > 50
    uses = [np.bincount(path).max() for path in paths]
    assert uses[0] > uses[1] >= uses[2]


def test_only_units_of_the_world_are_played():
    toy = Toy([50, 50], seed=5)
    units = [*range(3, 9), *range(60, 90)]
    positions = path_of(toy, units=units, temperature=1.0, max_run=0.5)
    assert set(positions.tolist()) <= set(units)
    # the unit after 8 is not of the world, so that nothing goes on there
    assert not any(before == 8 and after == 9 for before, after in pairwise(positions.tolist()))


def test_what_a_unit_costs_by_itself_recurs_with_the_period_of_the_costs():
    toy = Toy([20], seed=6)
    costs = np.full((3, 20), 50, np.float32)
    costs[[0, 1, 2], [4, 9, 14]] = 0
    positions = path_of(toy, costs=costs, continuity=0.1, steps=9)
    assert positions.tolist() == [4, 9, 14] * 3


def test_locked_steps_play_what_they_are_locked_to_and_the_others_lead_there():
    toy = circle([40, 40, 40])
    locked = {5: 71, 6: 3, 20: REST}
    (path,) = carry_on(toy, KnowsThePeriod(), locked=locked, continuity=1.0, max_run=0.4)
    assert [path.positions[step] for step in locked] == list(locked.values())
    assert path.distances[20] == 0
    assert (path.positions[[4, 7, 19, 21]] != REST).all()
    # the rules do not apply to a locked step
    locked = dict.fromkeys(range(12), 4)
    again = path_of(toy, KnowsThePeriod(), locked=locked, min_reuse=3.0)
    assert (again[:12] == 4).all()
    assert 4 not in again[12:30]


def test_variations_differ_and_the_first_is_the_only_one_of_a_search_for_one():
    toy = Toy([60, 60, 60, 60], seed=7)
    options = {"continuity": 0.5, "max_run": 0.8, "temperature": 0.5}
    several = carry_on(toy, variations=3, **options)
    np.testing.assert_array_equal(several[0].positions, path_of(toy, **options))
    for number, path in enumerate(several):
        for other in several[:number]:
            assert (path.positions == other.positions).mean() < 0.1


def test_without_temperature_nothing_is_left_to_chance():
    toy = circle([40, 40, 40])
    paths = [
        path_of(toy, KnowsThePeriod(), max_run=0.9, random_seed=random_seed)
        for random_seed in (0, 0, 5)
    ]
    np.testing.assert_array_equal(paths[0], paths[1])
    np.testing.assert_array_equal(paths[0], paths[2])


def test_one_random_seed_is_one_path_and_another_is_another():
    toy = Toy([60, 60, 60], seed=8)
    paths = [
        path_of(toy, max_run=0.9, temperature=1.0, random_seed=random_seed)
        for random_seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(paths[0], paths[1])
    assert (paths[0] != paths[2]).mean() > 0.5


def is_next(positions, toy):
    """How far each unit is from where the circle goes after the one before it, in steps."""
    angles = np.arctan2(toy.vectors[positions, 1], toy.vectors[positions, 0])
    turned = np.exp(1j * (np.diff(angles) - step_angle(1)))
    return np.abs(np.angle(turned)) / step_angle(1)


def test_a_scorer_that_knows_the_period_keeps_it_across_joins():
    toy = circle([30] * 6)
    seed = toy.vectors[10:20]
    options = {"seed": seed, "max_run": 0.7, "min_reuse": 1.0}
    positions = path_of(toy, KnowsThePeriod(), continuity=0.0, **options)
    assert len(runs(positions, toy.units.source)) > 4
    assert is_next(np.append(19, positions), toy).max() < 0.01
    # and by itself, a scorer that does not know it loses it
    assert is_next(path_of(toy, continuity=0.0, temperature=1.0, **options), toy).max() > 0.5


def test_joins_in_context_keep_the_period_when_the_scorer_does_not_know_it():
    toy = circle([30] * 6)
    toy.vectors[:, 2] *= 0.1
    positions = path_of(toy, continuity=1.0, max_run=0.7, min_reuse=1.0, seed=toy.vectors[10:20])
    assert len(runs(positions, toy.units.source)) > 4
    assert is_next(np.append(19, positions), toy).max() < 0.01


def test_whole_units_last_as_long_as_they_are_and_the_last_is_cut_to_what_is_asked():
    toy = Toy([40, 40], seed=9)
    make_uneven(toy, seed=9)
    (path,) = carry_on(toy, whole_units=True, temperature=1.0, max_run=1.5)
    lengths = toy.units.n_samples[path.positions]
    np.testing.assert_array_equal(path.n_samples[:-1], lengths[:-1])
    assert 0 < path.n_samples[-1] <= lengths[-1]
    assert path.n_samples.sum() == STEPS * HOP


def test_alternatives_are_the_units_that_the_scorer_likes_best():
    toy = Toy([10, 90], seed=10)
    (path,) = carry_on(toy, Likes(FAVOURITES), steps=5)
    np.testing.assert_array_equal(path.matches.positions[:, :10], [FAVOURITES] * 5)
    np.testing.assert_allclose(path.matches.distances[:, :10], 0)
    np.testing.assert_allclose(path.matches.distances[:, 10:], FORECAST * np.sqrt(2 * 5), rtol=1e-6)
    np.testing.assert_array_equal(path.distances, np.zeros(5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"max_run": 0.05},
            "step 0: max_run=0.05 s leaves none of 20 units to play; raise max_run, or",
        ),
        (
            {"min_reuse": 10.0},
            "step 20: min_reuse=10 s leaves none of 20 units to play; lower min_reuse, or",
        ),
        (
            {"min_reuse": 10.0, "max_run": 0.5},
            "min_reuse=10 s and max_run=0.5 s leave none of 20 units to play; lower min_reuse,"
            " raise max_run, or let the filters leave more units",
        ),
    ],
)
def test_rules_that_leave_nothing_are_named_with_the_remedy(options, message):
    with pytest.raises(ParameterError, match=message):
        carry_on(Toy([20], seed=11), **options)
