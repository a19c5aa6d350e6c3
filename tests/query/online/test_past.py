"""What a voice has played: the rules of `query.rules`, and what is asked of the next unit."""

import numpy as np
import pytest

from query.online.choice import Wishes
from query.online.past import OnlinePast
from query.options import PathOptions
from query.rules import LAG, REST, Novelty, Rules, cost_of_past
from tests.query.test_path import HOP, RATE, Toy

RUN = 3 * HOP / RATE
REUSE = 8 * HOP / RATE


def past_of(toy, *positions, **options):
    past = OnlinePast(toy.units, RATE, **options)
    for position in positions:
        past.then(position, HOP, goes_on=position == past.following() != REST)
    return past


def forbidden(past, **wishes):
    here = np.arange(len(past._units))
    costs = past.costs(here, Wishes(HOP, **wishes))
    return np.flatnonzero(np.isinf(costs)).tolist()


def test_costs_are_those_of_the_rules():
    toy = Toy([7, 9, 1, 12], 0)
    rng = np.random.default_rng(0)
    steps = 4 * LAG
    options = PathOptions(novelty=0.7, min_reuse=REUSE, max_run=RUN)
    rules = Rules(options, toy.units, np.full(steps, HOP), RATE)
    novelty = Novelty(options.novelty, toy.units)
    theirs = rules.begin()
    ours = OnlinePast(toy.units, RATE)
    here = np.arange(len(toy))
    lasting = np.full(len(toy), HOP)
    for step in range(steps):
        following = ours.following()
        on = here[here == following]
        expected = cost_of_past(
            rules, novelty, theirs, step, here, lasting, (np.zeros_like(on), on)
        )
        costs = ours.costs(here, Wishes(HOP, options))
        np.testing.assert_allclose(costs, expected[0])
        goes_on = following != REST and np.isfinite(costs[following]) and rng.random() < 0.7
        unit = following if goes_on else int(rng.choice(np.flatnonzero(np.isfinite(costs))))
        goes_on = unit == following
        theirs = theirs.then(np.array([unit]), np.array([HOP]), np.array([goes_on]))
        novelty.count_use(theirs, 0)
        ours.then(unit, HOP, goes_on=goes_on)
    assert ours.n_steps == steps
    assert ours.now == steps * HOP


def test_costs_of_units_in_any_order_are_the_same():
    toy = Toy([9, 9], 0)
    past = past_of(toy, 3, 4, 5, 12, 3)
    wishes = Wishes(HOP, PathOptions(novelty=1.0, min_reuse=HOP / RATE))
    here = np.random.default_rng(0).permutation(len(toy))
    np.testing.assert_array_equal(
        past.costs(here, wishes), past.costs(np.arange(len(toy)), wishes)[here]
    )


def test_a_rest_ends_a_run():
    past = past_of(Toy([9], 0), 2, 3, REST)
    assert (past.last, past.following(), past.run_samples) == (REST, REST, HOP)
    assert forbidden(past, options=PathOptions(max_run=HOP / RATE), leave=True) == []


def test_where_a_source_ends_nothing_goes_on():
    toy = Toy([3, 3], 0)
    assert past_of(toy, 1).following() == 2
    assert past_of(toy, 2).following() == REST


def test_a_unit_that_ran_on_goes_on_where_it_stopped():
    past = past_of(Toy([9], 0), 1, 2)
    past.ran_on(HOP)
    assert (past.last, past.following(), past.run_samples, past.now) == (2, 4, 300, 300)
    past.ran_on(HOP // 2)
    assert past.following() == REST
    assert past.before.there == 4


def test_units_that_end_too_soon_are_not_played():
    toy = Toy([2, 2], 0)
    past = past_of(toy)
    costs = past.costs(np.arange(4), Wishes(HOP + 1))
    np.testing.assert_array_equal(np.isinf(costs), [False, True, False, True])


def test_whole_units_last_as_long_as_they_are_at_most():
    toy = Toy([2, 2], 0)
    past = past_of(toy, whole_units=True)
    assert past.lasting(np.arange(4), 10 * HOP).tolist() == [HOP] * 4
    assert past.lasting(np.arange(4), HOP - 1).tolist() == [HOP - 1] * 4
    assert np.isfinite(past.costs(np.arange(4), Wishes(10 * HOP))).all()


def test_a_unit_longer_than_max_run_is_played_and_does_not_go_on():
    past = past_of(Toy([9], 0), 2, whole_units=True)
    assert forbidden(past, options=PathOptions(max_run=HOP / 2 / RATE)) == [3]


def test_what_must_leave_its_place_moves_by_more_than_a_second_and_a_half():
    toy = Toy([60, 5], 0)  # ten units a second
    assert forbidden(past_of(toy, 29), leave=True) == list(range(16, 45))


def test_what_other_voices_play_is_not_played_nor_what_is_within_a_second():
    toy = Toy([60, 60], 0)
    assert forbidden(past_of(toy), apart=(30, REST)) == list(range(20, 41))
    assert forbidden(past_of(toy), apart=(60,)) == list(range(60, 71))


def test_a_frozen_moment_is_played_again_and_again():
    toy = Toy([20], 0)
    past = past_of(toy, 4, 5, 6)
    options = PathOptions(min_reuse=60.0, max_run=RUN)
    assert forbidden(past, stay=(4, 6), options=options) == [*range(4), *range(7, 20)]


def test_what_the_filters_leave_out_is_not_played():
    allowed = np.arange(20) % 2 == 0
    assert forbidden(past_of(Toy([20], 0)), allowed=allowed) == list(range(1, 20, 2))


@pytest.mark.parametrize("steps", [LAG, 100])
def test_memory_does_not_grow(steps):
    past = past_of(Toy([20, 20], 0), *([3, 4, REST, 25] * steps))
    assert len(past._lately) == LAG


@pytest.mark.parametrize("n_steps", [1, LAG - 1, LAG, 3 * LAG])
def test_what_was_not_played_after_all_is_taken_back(n_steps):
    toy = Toy([7, 9, 1, 12], 0)
    rng = np.random.default_rng(n_steps)
    past = OnlinePast(toy.units, RATE)
    here = np.arange(len(toy))
    wishes = Wishes(HOP, PathOptions(novelty=0.7, min_reuse=REUSE, max_run=RUN))

    def play(n):
        for position in rng.integers(-1, len(toy), n).tolist():
            past.then(position, HOP, goes_on=position == past.following() != REST)

    play(2 * LAG)
    past.mark()
    before = past.costs(here, wishes)
    facts = (past.last, past.now, past.run_samples, past.n_steps, past.following())
    play(n_steps)
    past.take_back()
    np.testing.assert_array_equal(past.costs(here, wishes), before)
    assert facts == (past.last, past.now, past.run_samples, past.n_steps, past.following())
