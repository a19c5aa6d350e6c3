from itertools import pairwise

import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from files.errors import DatabaseError, ParameterError
from query.index import UnitIndex
from query.options import PathOptions
from query.path import find_path
from query.space import Space


@pytest.fixture
def index(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    return UnitIndex(Space(Database(tmp_path / "db")))


def test_search_equals_brute_force(index):
    rng = np.random.default_rng(0)
    scores = index.space.unit_vectors(np.arange(len(index)))
    sequence = index.database.descriptors[rng.integers(len(scores), size=60)] + 5 * rng.normal(
        size=(60, 39)
    )
    matches = index.search(sequence, k=7)
    exact = np.linalg.norm(index.space.sequence_vectors(sequence)[:, None] - scores, axis=2)
    np.testing.assert_allclose(matches.distances, np.sort(exact, axis=1)[:, :7], rtol=1e-4)
    found = exact[np.arange(60)[:, None], matches.positions]
    np.testing.assert_allclose(matches.distances, found, rtol=1e-4)


def test_every_unit_finds_itself_at_distance_zero(index):
    matches = index.search(index.database.descriptors, k=1)
    np.testing.assert_array_equal(matches.positions[:, 0], np.arange(len(index)))
    assert matches.distances.max() == 0


def test_one_step_gives_the_row_it_has_among_many(index):
    rows = index.database.descriptors[:30] + 1
    many = index.search(rows, k=5)
    for i in (0, 7, 29):
        one = index.search(rows[i : i + 1], k=5)
        np.testing.assert_array_equal(one.positions[0], many.positions[i])


def test_all_units_can_be_asked_for(index):
    matches = index.search(index.database.descriptors[:1], k=len(index))
    assert sorted(matches.positions[0]) == list(range(len(index)))


def test_short_units_are_left_out_where_a_length_is_asked_for(index):
    full = UnitIndex(index.space, min_samples=1024)
    assert len(full) == (index.database.units.n_samples == 1024).sum() < len(index)
    left = np.unique(index.database.units.samples_left)[5]
    assert (
        len(UnitIndex(index.space, min_samples=int(left)))
        == (index.database.units.samples_left >= left).sum()
    )


@pytest.mark.parametrize("k", [0, -1, 10**6])
def test_k_out_of_range_is_refused(index, k):
    with pytest.raises(ParameterError, match=f"k={k} must be between 1 and {len(index)}"):
        index.search(index.database.descriptors[:1], k=k)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        (np.zeros((3, 38)), r"shape \(3, 38\) does not fit .* it must be \(steps, 39\)"),
        (np.zeros(39), r"shape \(39,\) does not fit"),
        (np.zeros((0, 39)), "0 steps"),
        (np.array([[0.0] * 39, [np.nan] * 39]), "step 1 of the sequence is not finite"),
        (
            np.array([[0.0] * 39, [1e25] * 39]),
            (
                "step 1 of the sequence is .* standard deviations from the mean of .* can measure"
                " up to"
            ),
        ),
    ],
)
def test_bad_sequence_is_refused(index, sequence, message):
    with pytest.raises(ParameterError, match=message):
        index.search(sequence, k=1)


def test_empty_database_is_refused(tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x.wav").write_text("not audio")
    build_database(tmp_path / "c", tmp_path / "db")
    with pytest.raises(DatabaseError, match="holds no units; add audio"):
        UnitIndex(Space(Database(tmp_path / "db")))


def test_database_whose_build_was_cut_off_says_so(index, monkeypatch):
    database = Database(index.database.path)
    monkeypatch.setattr(database, "_normaliser", None)  # it is written last
    with pytest.raises(
        DatabaseError, match="its build was cut off; run the same demiurge db build again"
    ):
        Space(database)


def lasting(steps):
    return np.full(steps, 1024)


def path_cost(index, positions, targets, continuity):
    """Cost of any path, written out from the definition."""
    database = index.database
    scores = index.space.unit_vectors(np.arange(len(index)))
    positions = np.asarray(positions)
    cost = np.linalg.norm(scores[positions] - targets, axis=1).sum()
    heard = scores * np.append(2, np.ones(38))  # level, mfcc0, counts double at joins
    for a, b in pairwise(positions):
        if a + 1 == len(scores) or database.units.source[a + 1] != database.units.source[a]:
            cost += continuity * index.space.joins.by_chance
        elif b != a + 1:
            cost += continuity * np.linalg.norm(heard[a + 1] - heard[b])
    return cost


@pytest.mark.parametrize("source", [0, 3])
def test_a_sources_own_sequence_is_found_as_it_is(index, source):
    chosen = index.database.sources[source]
    sequence = index.database.source_descriptors(source)
    path = find_path(
        index,
        sequence,
        PathOptions(k=8, continuity=1.0),
        step_samples=np.append(lasting(len(sequence) - 1), 1),
    )
    first = index.database.units.find(chosen.first_unit)
    np.testing.assert_array_equal(path.positions, first + np.arange(chosen.n_units))
    assert path.cost == pytest.approx(0, abs=1e-3)


def test_without_continuity_the_path_is_the_nearest_unit_of_each_step(index):
    sequence = index.database.descriptors[::5] + 3
    index = UnitIndex(index.space, min_samples=1024)
    path = find_path(
        index, sequence, PathOptions(k=4, continuity=0.0), step_samples=lasting(len(sequence))
    )
    np.testing.assert_allclose(
        path.distances, index.search(sequence, k=1).distances[:, 0], rtol=1e-6
    )


@pytest.mark.parametrize("continuity", [0.0, 0.3, 1.0, 4.0])
def test_path_is_the_cheapest_of_all(index, continuity):
    rng = np.random.default_rng(1)
    sequence = index.database.normaliser.invert(rng.normal(size=(3, 39)).astype(np.float32))
    # all units are candidates: no path is left out
    targets = index.space.sequence_vectors(sequence)
    k = len(index)
    path = find_path(
        index,
        sequence,
        PathOptions(k=k, continuity=continuity),
        step_samples=np.ones(3, int),
        whole_units=True,
    )
    fit = np.linalg.norm(targets[:, None] - index.space.unit_vectors(np.arange(len(index))), axis=2)
    join = np.array(
        [
            [
                path_cost(index, (a, b), index.space.unit_vectors(np.array([a, b])), continuity)
                for b in range(k)
            ]
            for a in range(k)
        ]
    )
    total = fit[0][:, None, None] + join[:, :, None] + fit[1][:, None] + join + fit[2]
    assert path.cost == pytest.approx(total.min(), rel=1e-3)
    assert path.cost == pytest.approx(
        path_cost(index, path.positions, targets, continuity), rel=1e-3
    )


def test_more_continuity_gives_fewer_joins(index):
    rng = np.random.default_rng(2)
    sequence = index.database.normaliser.invert(rng.normal(size=(60, 39)).astype(np.float32))
    joins = []
    for continuity in (0.0, 0.5, 2.0, 10.0):
        path = find_path(
            index, sequence, PathOptions(k=16, continuity=continuity), step_samples=lasting(60)
        )
        joins.append(int((np.diff(path.positions) != 1).sum()))
    assert joins == sorted(joins, reverse=True)
    assert joins[-1] < joins[0]


def test_a_unit_that_follows_on_but_is_too_short_is_not_played(index):
    database = index.database
    short = next(
        i for i, s in enumerate(database.sources) if s.path == "short.flac"
    )  # its eighth unit has 182 samples
    sequence = database.source_descriptors(short)
    full = UnitIndex(index.space, min_samples=1024)
    path = find_path(
        full, sequence, PathOptions(k=4, continuity=5.0), step_samples=lasting(len(sequence))
    )
    assert database.units.n_samples[path.positions].min() == 1024


@pytest.mark.parametrize("continuity", [-1.0, float("nan"), float("inf")])
def test_bad_continuity_is_refused(index, continuity):
    with pytest.raises(ParameterError, match="continuity=.* must be a finite number of at least 0"):
        find_path(
            index,
            index.database.descriptors[:2],
            PathOptions(k=1, continuity=continuity),
            step_samples=lasting(2),
        )
