"""Shards against one index of all units."""

import pickle
import shutil

import numpy as np
import pytest

from db.database import Database
from db.maintain import remove_sources
from files.errors import ParameterError
from query import likeness
from query.cluster.corpus import Asked, plan_shards, shard_bytes
from query.cluster.shard import ShardSearch
from query.filters import Filters, parse_condition
from query.likeness import Likeness
from query.settings import SearchSettings
from tests.query.cluster.local import shards_of


@pytest.mark.parametrize("n_shards", [1, 2, 4, 26, 100])
def test_shards_are_ranges_of_sources_that_cover_the_corpus(frames, n_shards):
    corpus = plan_shards([("frames", frames.path)], n_shards)
    shards = corpus.shards
    assert len(shards) == min(n_shards, len(frames.sources))
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert [0, *(shard.stop_source for shard in shards)] == [
        *(shard.first_source for shard in shards),
        len(frames.sources),
    ]
    for shard in shards:
        own = np.isin(frames.units.source, range(shard.first_source, shard.stop_source))
        assert np.flatnonzero(own)[0] == shard.first_position
        assert own.sum() == shard.n_units > 0
        assert shard.n_bytes > shard_bytes(shard.n_units, frames.settings.n_descriptors, "auto")


def test_shards_are_of_about_as_many_units(frames):
    shards = plan_shards([("frames", frames.path)], 3).shards
    longest = max(source.n_units for source in frames.sources)
    assert all(abs(shard.n_units - frames.n_units / 3) <= longest for shard in shards)


def test_what_is_served_and_asked_can_be_sent(frames):
    corpus = plan_shards([("frames", frames.path)], 2)
    copy = pickle.loads(pickle.dumps(corpus))
    assert copy.shards == corpus.shards
    assert copy.version == corpus.version
    asked = Asked(Filters(where=(parse_condition("mfcc0>0"),)), (("mfcc0", 2.0),))
    assert hash(pickle.loads(pickle.dumps(asked))) == hash(asked)


def test_too_few_shards(frames):
    with pytest.raises(ParameterError, match="shards=0 must be at least 1"):
        plan_shards([("frames", frames.path)], 0)


def test_a_database_that_changed_is_noticed(folder, tmp_path):
    shutil.copytree(folder / "frame", tmp_path / "db")
    corpus = plan_shards([("db", tmp_path / "db")], 2)
    shard = ShardSearch(corpus, 0)
    assert shard.version() == corpus.version
    remove_sources(tmp_path / "db", [Database(tmp_path / "db").sources[0].path])
    assert shard.version() != corpus.version
    with pytest.raises(ParameterError, match="has changed since it was divided into shards"):
        ShardSearch(corpus, 1)


@pytest.mark.parametrize(("n_shards", "metric"), [(1, "l2"), (2, "cosine"), (4, "l1"), (4, "l2")])
def test_search_equals_that_of_one_index(database, described, n_shards, metric):
    search = SearchSettings(metric=metric, weights={"mfcc0": 0.5})
    _, paged = shards_of(database, n_shards)
    one = search.index_of(database)
    several = search.index_of(paged)
    target = described(database).descriptors[::5]
    # rows of the database itself: distances of 0, and ties
    known = database.rows_at(np.linspace(0, database.n_units - 1, 30).astype(np.int64))
    for sequence in (target, known):
        for k in (1, 10, min(60, len(one))):
            expected = one.search(sequence, k=k)
            found = several.search(sequence, k=k)
            assert np.array_equal(found.distances, expected.distances)
            assert np.array_equal(found.positions, expected.positions)


@pytest.mark.parametrize(
    "filters",
    [
        Filters(where=(parse_condition("mfcc0>-200"), parse_condition("length_ms>=20"))),
        Filters(sources=("loop_amen.ogg",)),  # in one shard only
        Filters(sources=("tabla*", "bass*"), seconds=(0.0, 0.3)),
    ],
    ids=str,
)
def test_filters_count_what_they_leave_in_all_shards(frames, filters):
    search = SearchSettings(filters=filters)
    _, paged = shards_of(frames, 4)
    one = search.index_of(frames)
    several = search.index_of(paged)
    assert several.counts == one.counts
    assert len(several) == len(one)
    assert several.n_sources == one.n_sources
    assert several.kind == one.kind
    sequence = frames.rows_at(np.arange(0, frames.n_units, 100))
    k = min(20, len(one))
    assert np.array_equal(
        several.search(sequence, k=k).positions, one.search(sequence, k=k).positions
    )
    everywhere = np.arange(frames.n_units)
    assert np.array_equal(several.allowed[everywhere], one.allowed)
    for found, expected in zip(several.spread(30), one.spread(30), strict=True):
        assert np.array_equal(found, expected)


def test_errors_are_those_of_one_index(frames):
    _, paged = shards_of(frames, 3)
    for filters, message in (
        (Filters(sources=("nothing*",)), "the filters leave no unit"),
        (Filters(where=(parse_condition("nothing>1"),)), "no descriptor 'nothing'"),
    ):
        for database in (frames, paged):
            with pytest.raises(ParameterError, match=message):
                SearchSettings(filters=filters).index_of(database)
    for database in (frames, paged):
        with pytest.raises(ParameterError, match=r"none has 10000000000 samples"):
            SearchSettings().index_of(database, min_samples=10**10)
        index = SearchSettings().index_of(database)
        with pytest.raises(ParameterError, match=f"must be between 1 and {frames.n_units}"):
            index.search(frames.rows_at(np.arange(3)), k=frames.n_units + 1)


@pytest.mark.parametrize("sources", [(), ("loop*", "tabla*"), ("bass_dnb*",)])
def test_what_is_most_alike_of_all_shards(frames, monkeypatch, sources):
    monkeypatch.setattr(likeness, "CLAP_COLUMN", "mfcc")  # columns mfcc0, …
    vector = np.linspace(-1, 1, frames.settings.n_descriptors, dtype=np.float32)
    search = SearchSettings(
        filters=Filters(sources=sources, like=Likeness((("bell", 1.0),), vector.tobytes()))
    )
    shards, paged = shards_of(frames, 4)
    one = search.index_of(frames)
    several = search.index_of(paged)
    assert several.counts == one.counts
    assert np.array_equal(several.allowed[np.arange(frames.n_units)], one.allowed)
    assert shards.n_calls < 10


def test_likeness_that_a_database_does_not_know(frames):
    search = SearchSettings(filters=Filters(like=Likeness((("bell", 1.0),), bytes(8))))
    with pytest.raises(ParameterError, match="no 2 columns of CLAP, which --like 'bell' needs"):
        search.index_of(shards_of(frames, 2)[1])


@pytest.mark.parametrize("kind", ["ivf", "pq"])
def test_approximate_indexes_of_shards(frames, described, kind):
    search = SearchSettings(kind=kind)
    _, paged = shards_of(frames, 2)
    index = search.index_of(paged)
    assert index.kind == kind
    target = described(frames).descriptors[::10]
    expected = SearchSettings().index_of(frames).search(target, k=10)
    found = index.search(target, k=10)
    is_found = (found.positions[:, :, None] == expected.positions[:, None]).any(axis=1)
    assert is_found.mean() > 0.9
    at_same_place = found.positions == expected.positions
    assert np.array_equal(found.distances[at_same_place], expected.distances[at_same_place])
    assert not (frames.path / "index").exists()
