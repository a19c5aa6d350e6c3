"""Paths over small made-up databases, against brute force and the rules."""

import tracemalloc
from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db.unit_table import Units
from files.errors import ParameterError
from query.index import Matches, UnitIndex
from query.options import SEARCHES, PathOptions
from query.path import find_path, find_paths
from query.rules import REST
from query.space import Space

# ten units a second
HOP = 100
RATE = 1000


class Toy:
    """A database of sources of random units whose descriptors are z-scored already."""

    def __init__(self, lengths, seed, names=("x0", "x1", "x2")):
        rng = np.random.default_rng(seed)
        n = sum(lengths)
        self.vectors = rng.normal(size=(n, len(names))).astype(np.float32)
        source = np.repeat(np.arange(len(lengths)), lengths)
        left = np.concatenate([np.arange(length, 0, -1) for length in lengths]) * HOP
        start = np.concatenate([np.arange(length) for length in lengths]) * HOP
        self.units = Units(np.arange(n) + 7, source, start, np.full(n, HOP), left)
        self.database = SimpleNamespace(
            names=(),
            members={},
            path="toy",
            units=self.units,
            sample_rate=RATE,
            settings=SimpleNamespace(
                names=names,
                n_descriptors=len(names),
                descriptors=(),
                units="onset",
                units_vary=True,
                is_metrical=False,
            ),
            normaliser=SimpleNamespace(mean=np.float32(0), std=np.ones(len(names), np.float32)),
            rows_at=lambda positions: self.vectors[positions],
            source_descriptors=lambda number: self.vectors[source == number],
        )
        self.weights = {}
        self.forbidden = []  # what filters leave out

    def __len__(self):
        return len(self.vectors)

    @property
    def space(self):
        return Space(self.database, weights=self.weights)

    @property
    def index(self):
        index = UnitIndex(self.space)
        index.allowed[self.forbidden] = False
        return index


def make_uneven(toy, seed):
    """Give the units other lengths, 20 to 300 samples."""
    units = toy.units
    units.n_samples[:] = np.random.default_rng(seed).integers(20, 300, size=len(units))
    for source in range(units.source[-1] + 1):
        own = units.source == source
        ends = np.cumsum(units.n_samples[own])
        units.start_sample[own] = ends - units.n_samples[own]
        units.samples_left[own] = ends[-1] - units.start_sample[own]


def find(toy, targets, **options):
    return find_path(
        toy.index, targets, PathOptions(**options), step_samples=np.full(len(targets), HOP)
    )


def cost_of(toy, positions, targets, continuity):
    """From the definition."""
    cost = np.linalg.norm(toy.vectors[positions] - targets, axis=1).sum()
    for a, b in pairwise(positions):
        last = a + 1 == len(toy) or toy.units.source[a + 1] != toy.units.source[a]
        if last:
            cost += continuity * toy.space.joins.by_chance
        elif b != a + 1:
            cost += continuity * np.linalg.norm(toy.vectors[a + 1] - toy.vectors[b])
    return cost


def runs(positions, source):
    """Lengths in steps of what plays on in one source."""
    goes_on = (np.diff(positions) == 1) & (np.diff(source[positions]) == 0)
    edges = np.flatnonzero(np.concatenate([[True], ~goes_on, [True]]))
    return np.diff(edges)


cases = {
    "lengths": st.lists(st.integers(1, 3), min_size=1, max_size=3),
    "steps": st.integers(1, 4),
    "seed": st.integers(0, 999),
    "continuity": st.sampled_from([0.0, 0.2, 1.0, 5.0]),
}


@settings(deadline=None, max_examples=300)
@given(**cases)
def test_viterbi_costs_what_brute_force_does(lengths, steps, seed, continuity):
    toy = Toy(lengths, seed)
    targets = np.random.default_rng(seed + 1).normal(size=(steps, 3))
    found = find(toy, targets, k=len(toy), continuity=continuity)
    best = min(
        cost_of(toy, np.array(path), targets, continuity)
        for path in product(range(len(toy)), repeat=steps)
    )
    rounding = 1e-4 * (1 + continuity)
    assert found.cost == pytest.approx(best, abs=rounding)
    assert cost_of(toy, found.positions, targets, continuity) == pytest.approx(best, abs=rounding)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999),
    k=st.integers(1, 12),
    continuity=st.sampled_from([0.0, 0.3, 3.0]),
    novelty=st.sampled_from([0.0, 1.0]),
    min_reuse=st.sampled_from([0.0, 0.4]),
    temperature=st.sampled_from([0.0, 0.5]),
)
def test_viterbi_and_beam_are_never_worse_than_greedy(seed, k, **options):
    toy = Toy([9, 4, 17, 1], seed)
    targets = np.random.default_rng(seed + 1).normal(size=(15, 3))
    try:
        greedy = find(toy, targets, k=k, search="greedy", **options)
    except ParameterError:
        greedy = None
    assume(greedy is not None)  # it ran into no dead end
    for search in ("viterbi", "beam"):
        assert find(toy, targets, k=k, search=search, **options).cost <= greedy.cost + 1e-6


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999),
    search=st.sampled_from(SEARCHES),
    min_reuse=st.sampled_from([0.1, 0.35, 1.0]),
    max_run=st.sampled_from([0.1, 0.3, np.inf]),
    continuity=st.sampled_from([0.0, 2.0]),
)
def test_rules_hold_on_every_path(seed, search, min_reuse, max_run, continuity):
    toy = Toy([20, 15, 25], seed)
    targets = np.repeat(
        np.random.default_rng(seed).normal(size=(4, 3)), 10, axis=0
    )  # what tempts to repetition
    path = find(
        toy,
        targets,
        k=30,
        search=search,
        continuity=continuity,
        min_reuse=min_reuse,
        max_run=max_run,
    )
    positions = path.positions
    for position in set(positions):
        assert (
            np.diff(np.flatnonzero(positions == position)) * HOP / RATE >= min_reuse - 1e-9
        ).all()
    longest = runs(positions, toy.units.source).max() * HOP / RATE
    assert longest <= max_run + 1e-9


def test_rules_that_leave_nothing_are_named():
    toy = Toy([2], 0)
    with pytest.raises(
        ParameterError, match=r"step 2: min_reuse=1 s leaves none of .* candidates to play"
    ):
        find(toy, np.zeros((3, 3)), k=2, min_reuse=1.0)


def test_where_greedy_runs_into_a_dead_end_the_others_go_on():
    toy = Toy([1, 1, 1], 0)
    toy.vectors[:, 0] = [0, -1, 1]
    toy.vectors[:, 1:] = 0
    targets = np.array([[-0.4, 0, 0], [0.6, 0, 0], [0.6, 0, 0]])
    options = {"k": 2, "min_reuse": 1.0, "continuity": 0.0}
    with pytest.raises(ParameterError, match="step 2: min_reuse=1 s leaves none of"):
        find(toy, targets, search="greedy", **options)
    for search in ("viterbi", "beam"):
        path = find(toy, targets, search=search, **options)
        assert list(path.positions) in ([1, 2, 0], [1, 0, 2])


def test_runs_grow_with_continuity():
    toy = Toy([200] * 5, 3)
    targets = np.random.default_rng(4).normal(size=(150, 3))
    lengths = [
        runs(find(toy, targets, k=16, continuity=c).positions, toy.units.source).mean()
        for c in (0, 0.1, 0.3, 1, 3)
    ]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 2 * lengths[0]


def test_entropy_of_what_is_used_grows_with_novelty():
    toy = Toy([100] * 5, 5)
    targets = np.tile(np.random.default_rng(6).normal(size=(5, 3)), (60, 1))
    entropies = []
    for novelty in (0.0, 0.3, 1.0, 3.0):
        _, counts = np.unique(
            find(toy, targets, k=32, novelty=novelty).positions, return_counts=True
        )
        share = counts / counts.sum()
        entropies.append(-(share * np.log2(share)).sum())
    assert entropies == sorted(entropies)
    assert entropies[-1] > entropies[0] + 2


def test_temperature_draws_as_boltzmann_and_the_same_seed_draws_the_same():
    toy = Toy([4], 1)
    targets = np.zeros((20_000, 3))
    path = find(toy, targets, k=4, continuity=0.0, temperature=0.7, random_seed=5)
    weights = np.exp(-np.linalg.norm(toy.vectors, axis=1) / 0.7)
    shares = np.bincount(path.positions, minlength=4) / len(targets)
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.015)
    again, other = (
        find(toy, targets[:50], k=4, temperature=0.7, random_seed=seed).positions for seed in (5, 6)
    )
    np.testing.assert_array_equal(
        again, find(toy, targets[:50], k=4, temperature=0.7, random_seed=5).positions
    )
    assert (again != other).any()


def test_chance_is_alike_all_along_a_run():
    toy = Toy([200], 0)
    toy.vectors[:] = 0
    path = find(toy, np.zeros((20, 3)), k=200, continuity=0.0, temperature=1.0)
    assert runs(path.positions, toy.units.source).max() > 10


def test_nothing_is_played_where_nothing_is_near_and_the_path_is_the_best_around_it():
    toy = Toy([30, 30], 7)
    targets = np.random.default_rng(8).normal(size=(12, 3))
    targets[[0, 5, 6, 11]] += 50
    path = find(toy, targets, k=60, rest_threshold=20.0)
    np.testing.assert_array_equal(path.positions == REST, np.isin(np.arange(12), [0, 5, 6, 11]))
    parts = [find(toy, targets[span], k=60) for span in (slice(1, 5), slice(7, 11))]
    np.testing.assert_array_equal(
        path.positions[path.positions != REST], np.concatenate([part.positions for part in parts])
    )
    assert path.cost == pytest.approx(sum(part.cost for part in parts), rel=1e-5)
    with pytest.raises(
        ParameterError,
        match=r"rest_threshold=1 leaves nothing to play: the nearest unit of all steps is .* away",
    ):
        find(toy, targets + 99, k=60, rest_threshold=1.0)


def test_rules_hold_across_rests():
    toy = Toy([30], 7)
    targets = np.repeat(np.random.default_rng(8).normal(size=(1, 3)), 9, axis=0)
    targets[4] += 50
    path = find(toy, targets, k=30, rest_threshold=20.0, min_reuse=5 * HOP / RATE, novelty=0.5)
    assert path.positions[4] == REST
    for step in range(5, 9):
        assert path.positions[step] not in path.positions[step - 4 : step]


def test_steps_longer_than_any_fitting_sound_are_split_and_leave_no_gap():
    toy = Toy([1, 2, 3], 9)
    targets = np.zeros((3, 3))
    lasting = np.array([50, 950, 300])
    path = find_path(toy.index, targets, PathOptions(k=6), step_samples=lasting)
    np.testing.assert_array_equal(np.bincount(path.steps, weights=path.n_samples), lasting)
    assert (toy.units.samples_left[path.positions] >= path.n_samples).all()
    assert list(path.steps) == [0, 1, 1, 1, 1, 2]  # 300 samples are the longest source


def test_paths_of_units_of_different_lengths_last_as_long_as_they_do():
    toy = Toy([30], 7)
    make_uneven(toy, 0)
    targets = np.random.default_rng(8).normal(size=(20, 3))
    path = find_path(
        toy.index,
        targets,
        PathOptions(k=10, min_reuse=1.0),
        step_samples=np.full(20, HOP),
        whole_units=True,
    )
    positions = path.positions
    np.testing.assert_array_equal(path.n_samples, toy.units.n_samples[positions])
    begins = np.cumsum(path.n_samples) - path.n_samples
    for position in set(positions):
        assert (np.diff(begins[positions == position]) >= RATE).all()


def test_units_that_will_be_stretched_are_followed_by_the_next_ones_in_the_time_of_the_steps():
    toy = Toy([30], 7)
    make_uneven(toy, 0)
    of_units = toy.vectors[4:12]
    path = find_paths(
        toy.index,
        of_units,
        PathOptions(k=10, min_reuse=1.0),
        step_samples=np.full(8, HOP),
        whole_units=True,
        in_time=True,
    )[0]
    np.testing.assert_array_equal(path.positions, np.arange(4, 12))
    np.testing.assert_array_equal(path.n_samples, HOP)
    assert path.stretched
    assert path.cost == pytest.approx(0, abs=1e-5)
    np.testing.assert_array_equal(path.joins, 0)
    again = find_paths(
        toy.index,
        np.tile(of_units[:2], (10, 1)),
        PathOptions(k=30, min_reuse=1.0),
        step_samples=np.full(20, HOP),
        whole_units=True,
        in_time=True,
    )[0]
    for position in set(again.positions):
        times = np.flatnonzero(again.positions == position) * HOP
        assert (np.diff(times) >= RATE).all()


def test_no_run_lasts_longer_than_it_may_even_within_a_step_or_a_unit():
    toy = Toy([30, 20], 7)
    targets = np.random.default_rng(8).normal(size=(9, 3))
    for max_run in (0.05, 0.25):  # half a unit, two and a half
        path = find_path(
            toy.index,
            targets,
            PathOptions(k=50, max_run=max_run, continuity=3.0),
            step_samples=np.full(9, 3 * HOP),
        )
        positions = path.positions
        run = 0
        for i, lasts in enumerate(path.n_samples):
            goes_on = (
                i
                and toy.units.after(positions[i - 1 : i], path.n_samples[i - 1 : i])[1]
                == positions[i]
            )
            run = (run if goes_on else 0) + lasts
            assert run <= max_run * RATE
        assert path.n_samples.sum() == 27 * HOP
    make_uneven(toy, 0)
    path = find_path(
        toy.index,
        targets,
        PathOptions(k=50, max_run=0.1),
        step_samples=np.full(9, HOP),
        whole_units=True,
    )
    assert path.n_samples.max() <= 100
    with pytest.raises(
        ParameterError,
        match="max_run=0.01 s leaves none of 50 candidates to play; raise max_run, or consider",
    ):
        find_path(
            toy.index,
            targets,
            PathOptions(k=50, max_run=0.01),
            step_samples=np.full(9, HOP),
            whole_units=True,
        )


def test_variations_share_little_and_cost_little_more():
    toy = Toy([60] * 4, 2)
    targets = np.random.default_rng(3).normal(size=(40, 3))
    lasting = np.full(40, HOP)
    options = PathOptions(k=24)
    paths = find_paths(toy.index, targets, options, step_samples=lasting, variations=4)
    assert paths[0].cost == min(path.cost for path in paths)
    for i, path in enumerate(paths):
        assert path.cost < 1.6 * paths[0].cost
        assert path.cost == pytest.approx(cost_of(toy, path.positions, targets, 0.25), rel=1e-4)
        for other in paths[:i]:
            assert (path.positions == other.positions).mean() < 0.2
    with pytest.raises(ParameterError, match="variations=3: only 1 different paths were found"):
        find_paths(
            toy.index, targets, PathOptions(k=1, continuity=0.0), step_samples=lasting, variations=3
        )


def test_memory_does_not_grow_with_the_corpus_and_progress_is_told():
    targets = np.random.default_rng(3).normal(size=(1100, 3))
    peaks = []
    for n in (20_000, 200_000):
        near = np.random.default_rng(4).integers(0, n, size=(len(targets), 16))
        near.sort(axis=1)
        index = Toy([n], 2).index
        index.search = lambda sequence, *, k, near=near: Matches(near, np.ones(near.shape, "f4"))
        reports = []
        tracemalloc.start()
        find_paths(
            index,
            targets,
            PathOptions(k=16, novelty=0.5, min_reuse=1.0),
            step_samples=np.full(1100, HOP),
            progress=lambda *report, reports=reports: reports.append(report),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert reports == [(0, 1100, "choosing units"), (1024, 1100, "choosing units")]
    assert peaks[1] < 1.1 * peaks[0]


def test_level_counts_double_and_octaves_count_at_joins():
    toy = Toy([2, 2, 1], 0, names=("mfcc0", "f0", "x"))
    toy.weights = {"f0": 0.0}
    toy.vectors[:] = [[9, 9, 9], [0, 220, 0], [9, 9, 9], [1, 440, 0], [0, 0, 1]]
    before = np.array([0, 0, REST, 1])
    lasting = np.array([HOP, HOP, HOP, HOP])
    joins = toy.space.joins
    cost = joins.to_each(before, lasting, np.array([[3, 4], [1, 4], [3, 4], [1, 4]]))
    chance = joins.by_chance
    np.testing.assert_allclose(
        cost, [[2 + 1, 1], [0, 1], [0, 0], [chance, chance]]
    )  # no pitch, no octave; the end of a source
    assert chance > 1


def test_octaves_count_in_the_search_as_they_do_in_the_path_and_by_chance():
    toy = Toy([2, 2, 1], 0, names=("x", "f0", "y"))
    toy.weights = {"f0": 0.0}
    toy.vectors[:] = [[0, 220, 0], [0, 220, 0], [0, 880, 0], [0, 880, 0], [0, 0, 0]]
    joins = toy.space.joins
    low, high, unpitched = (
        joins.with_squared(joins.unit_vectors(np.array([at]))[1]) for at in (0, 2, 4)
    )
    assert (joins.between(low, high), joins.between(low, low), joins.between(low, unpitched)) == (
        2,
        0,
        0,
    )
    octaves = [
        2.0 * ((a in (0, 1) and b in (2, 3)) or (a in (2, 3) and b in (0, 1)))
        for a, b in product(range(5), repeat=2)
    ]
    assert joins.by_chance == pytest.approx(np.mean(octaves), rel=0.1)


def test_only_what_starts_where_a_unit_stops_playing_follows_it():
    toy = Toy([5, 5], 0)
    units = toy.units
    at = np.array([0, 0, 0, 0, 6, 4])
    following, starting = units.after(
        at, np.array([HOP, HOP // 2, 2 * HOP, 9 * HOP, 3 * HOP + 1, 1])
    )
    np.testing.assert_array_equal(following, [1, 0, 2, -1, 9, 4])
    np.testing.assert_array_equal(starting, [1, -1, 2, -1, -1, -1])
    np.testing.assert_array_equal(units.after(np.array([3, 4]), np.array([HOP, HOP]))[0], [4, -1])


def test_one_shots_are_chosen_for_themselves_and_not_for_repeating():
    toy = Toy([1] * 20, 4)
    targets = toy.vectors[[3, 8, 1, 1, 15]]
    np.testing.assert_array_equal(
        find(toy, targets, k=20, continuity=3.0).positions, [3, 8, 1, 1, 15]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rest_threshold": 0.0}, "rest_threshold=0.0 must be above 0"),
        ({"search": "magic"}, "search='magic' must be one of viterbi, beam, greedy"),
        ({"novelty": -1.0}, "novelty=-1.0 must be a finite number of at least 0"),
        ({"min_reuse": float("nan")}, "min_reuse=nan must be"),
        ({"max_run": 0.0}, "max_run=0.0 must be above 0"),
        ({"temperature": -0.1}, "temperature=-0.1 must be"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        PathOptions(**options)
