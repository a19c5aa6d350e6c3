"""A database that is seen through its shards, in pages."""

import numpy as np
import pytest

from files.errors import ParameterError
from query.cluster.pages import LEAST_BLOCKS, block_bytes
from query.filters import Filters
from query.settings import SearchSettings
from tests.query.cluster.local import shards_of

NEEDS_ALL = [
    "descriptors",
    "sequences",
    "column",
    "source_descriptors",
    "source_frames",
    "next_unit",
    "changed",
    "unit_lengths",
    "tags",
    "rows",
]


@pytest.fixture
def seen(database):
    return database, shards_of(database, 4)[1]


def test_units_are_those_of_the_database(seen):
    database, paged = seen
    everywhere = np.arange(-1, database.n_units)
    for name in ("ids", "source", "start_sample", "n_samples", "samples_left"):
        expected = getattr(database.units, name)[everywhere]
        assert np.array_equal(getattr(paged.units, name)[everywhere], expected)
    assert np.array_equal(paged.rows_at(everywhere), database.rows_at(everywhere))
    assert len(paged.units) == database.n_units == paged.n_units
    assert paged.units.longest == database.units.longest
    assert paged.units.shortest == database.units.shortest
    assert paged.units.longest_unit == database.units.longest_unit
    assert paged.units.mean_length == database.units.mean_length
    for position in range(0, database.n_units, 37):
        assert paged.units.source_span(position) == database.units.source_span(position)
    assert np.array_equal(paged.units.successors(everywhere), database.units.successors(everywhere))
    ids = np.append(database.units.ids[::7], [-1, 10**9])
    assert np.array_equal(paged.units.find(ids), database.units.find(ids))


def test_what_comes_later_in_a_source_is_found(seen):
    database, paged = seen
    positions = np.arange(database.n_units)
    lengths = database.units.n_samples
    for n_samples in (lengths, 2 * lengths, lengths + 1, np.full_like(lengths, 22050)):
        for found, expected in zip(
            paged.units.after(positions, n_samples),
            database.units.after(positions, n_samples),
            strict=True,
        ):
            assert np.array_equal(found, expected)


def test_sources_are_looked_up(seen):
    database, paged = seen
    for number, source in enumerate(database.sources):
        assert paged.sources[number] == source
        assert paged.sources_by_path[source.path] == source
        n_frames = len(database.source_frames(number))
        for first, stop in ((0, n_frames), (1, 3), (-1, 2), (0, n_frames + 1)):
            found = paged.frames_between(number, first, stop)
            expected = database.frames_between(number, first, stop)
            assert (found is None) == (expected is None)
            assert found is None or np.array_equal(found, expected)
        assert paged.semitones[number] == 0
    paths = [source.path for source in database.sources]
    assert paged.stamps([*paths, "nowhere"]) == database.stamps([*paths, "nowhere"])
    assert paged.roots.file_of(paths[0]) == database.roots.file_of(paths[0])
    assert paged.stored_id(7) == database.stored_id(7)
    assert np.array_equal(paged.normaliser.mean, database.normaliser.mean)
    assert paged.id == database.id


@pytest.mark.parametrize("name", NEEDS_ALL)
def test_what_needs_all_of_it_is_refused(frames, name):
    _, paged = shards_of(frames, 2)
    with pytest.raises(ParameterError, match="2 shards, and this needs .* without --cluster"):
        getattr(paged, name)


def test_columns_are_not_read_as_a_whole(frames):
    _, paged = shards_of(frames, 2)
    for read in (
        np.asarray,
        list,
        lambda column: column[:5],
        lambda column: column[np.ones(frames.n_units, bool)],
    ):
        with pytest.raises(ParameterError, match="this needs samples_left of"):
            read(paged.units.samples_left)
    with pytest.raises(ParameterError, match="a list of all sources"):
        list(paged.sources)
    with pytest.raises(IndexError, match="within the"):
        paged.rows_at(np.array([frames.n_units]))


def test_the_cache_is_bounded(frames):
    _, paged = shards_of(frames, 2, max_bytes=0)
    random = np.random.default_rng(0)
    for size in (10, 500, 20_000):
        positions = random.integers(frames.n_units, size=size)
        assert np.array_equal(paged.rows_at(positions), frames.rows_at(positions))
        paged.pages.expect(positions)
        assert paged.pages.n_bytes <= LEAST_BLOCKS * block_bytes(frames.settings.n_descriptors)


def test_what_is_there_is_not_fetched_again(frames):
    shards, paged = shards_of(frames, 2)
    paged.rows_at(np.arange(100))
    n_calls = shards.n_calls
    for position in range(100):
        assert paged.units.ids[position] == frames.units.ids[position]
    assert shards.n_calls == n_calls


def test_a_run_is_fetched_ahead(frames):
    shards, paged = shards_of(frames, 2)
    for position in range(1000):
        paged.rows_at(np.array([position]))
    assert shards.n_calls <= 1000 / 50


def test_blocks_know_what_the_filters_of_the_last_index_allow(frames):
    _, paged = shards_of(frames, 2)
    everywhere = np.arange(frames.n_units)
    every = SearchSettings().index_of(paged)
    search = SearchSettings(filters=Filters(sources=("loop*",)))
    some = search.index_of(paged)
    assert every.allowed[everywhere].all()
    assert np.array_equal(some.allowed[everywhere], search.index_of(frames).allowed)
