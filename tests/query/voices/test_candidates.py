import numpy as np
import pytest

from query.filters import Filters, parse_condition
from query.index import UnitIndex
from query.options import PathOptions
from query.rules import REST
from query.space import Space
from query.voices.candidates import IN_UNISON, SCALE, Others, VoiceCandidates
from query.voices.fit import fit_one
from tests.query.voices.conftest import HOP, target_of


@pytest.fixture
def target(sounds, database):
    return target_of(sounds["loop_amen"][: 20 * HOP] + sounds["ambi_choir"][: 20 * HOP], database)


@pytest.fixture
def find(index, spectra, target):
    """A function that returns the candidates of a voice beside others."""

    def find(played=(), k=8, given=index, known=spectra, follow="timbre", **options):
        others = np.zeros_like(target.spectra)
        for positions in played:
            others += 0.5 * known.rows(positions)
        return VoiceCandidates(
            given,
            given.database.descriptors[: len(target)],
            PathOptions(k=k),
            np.full(len(target), HOP),
            spectra=known,
            target=target,
            others=Others(others, played),
            follow=follow,
            **options,
        )

    return find


def test_costs_are_those_of_fitting_each_unit(find, spectra, target):
    candidates = find()
    for step in (0, 7, 19):
        here = candidates.at(step, np.array([], np.int64))
        assert (np.diff(here) > 0).all()
        costs = candidates.target_costs(step, here, np.empty((0, 0)))
        cost, _ = fit_one(
            spectra.rows(here)[None],
            target.spectra[step : step + 1],
            np.zeros_like(target.spectra[step : step + 1]),
        )
        np.testing.assert_allclose(costs, SCALE * cost[0], rtol=1e-3, atol=1e-3)


def test_matches_are_the_best_of_the_pool_in_order(find):
    candidates = find()
    distances = candidates.matches.distances
    assert distances.shape == (20, 8)
    assert (np.diff(distances, axis=1) >= 0).all()
    assert all(len(np.unique(row)) == 8 for row in candidates.matches.positions)


def test_what_follows_the_best_units_is_a_candidate(find, index):
    candidates = find()
    following = index.database.units.successors(candidates.matches.positions[:-1, 0])
    known = [
        unit == REST or unit in candidates.at(step, np.array([], np.int64))
        for step, unit in enumerate(following.tolist(), start=1)
    ]
    assert np.mean(known) > 0.8


def test_a_unit_that_another_voice_plays_costs_more(find):
    alone = find()
    played = alone.matches.positions[:, 0]
    beside = find((played,))
    for step in range(20):
        here = beside.at(step, np.array([], np.int64))
        costs = beside.target_costs(step, here, np.empty((0, 0)))
        assert (costs[here == played[step]] >= IN_UNISON).all()
        assert (costs[here != played[step]] < IN_UNISON).all()


def test_silent_steps_rest(find, target):
    target.spectra[5:8] = 0
    candidates = find()
    assert np.flatnonzero(candidates.rests).tolist() == [5, 6, 7]


def test_joins_before_onsets_cost_less(find, target):
    candidates = find()
    assert candidates.join_weights[0] == 0  # the beginning
    assert ((candidates.join_weights >= 0) & (candidates.join_weights <= 1)).all()
    np.testing.assert_allclose(candidates.join_weights, 1 - target.onsets)


def test_a_locked_step_has_one_candidate_and_the_pool_knows_it(find):
    candidates = find(locked={3: 700, 9: REST})
    assert candidates.at(3, np.array([5])).tolist() == [700]
    assert candidates.rests[9]
    assert 700 in candidates.pool[3]
    again = find(pool=candidates.pool, locked={3: 700})
    np.testing.assert_array_equal(again.pool, candidates.pool)


@pytest.mark.parametrize("copied", [False, True])
def test_only_units_that_pass_the_filters_are_candidates(find, database, copies, spectra, copied):
    shown, known = copies if copied else (database, spectra)
    filters = Filters(where=(parse_condition("start_s<=0.5"),))
    given = UnitIndex(Space(shown), filters=filters)
    candidates = find(given=given, known=known)
    going_on = np.flatnonzero(~given.allowed)[:3]
    for step in range(20):
        assert given.allowed[candidates.at(step, going_on)].all()


def test_more_candidates_than_units_are_all_units(find, index):
    candidates = find(k=5000)
    assert len(candidates.at(4, np.array([], np.int64))) >= 0.9 * index.allowed.sum()


@pytest.mark.parametrize("locked", [{}, {3: 1}])
def test_few_units_at_several_transpositions_are_all_candidates_once(find, copies, locked):
    database, spectra = copies
    filters = Filters(where=(parse_condition("start_s<0.06"),))
    given = UnitIndex(Space(database), filters=filters)
    candidates = find(k=int(given.allowed.sum()), given=given, known=spectra, locked=locked)
    matches = candidates.matches
    assert np.isfinite(matches.distances).all()
    assert all(len(np.unique(row)) == len(row) for row in matches.positions)
    if not locked:
        assert len(candidates.at(4, np.array([], np.int64))) == given.allowed.sum()
