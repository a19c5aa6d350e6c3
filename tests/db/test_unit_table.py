import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from db.maintain import remove_sources
from db.settings import DescriptorSettings
from db.unit_table import Units


def table(ids, *, source, n_samples) -> Units:
    """Units that tile their sources from sample 0."""
    source = np.array(source)
    n_samples = np.array(n_samples)
    start = np.zeros_like(n_samples)
    left = np.zeros_like(n_samples)
    for number in np.unique(source):
        own = source == number
        ends = np.cumsum(n_samples[own])
        start[own] = ends - n_samples[own]
        left[own] = ends[-1] - start[own]
    return Units(np.array(ids), source, start, n_samples, left)


WITHOUT_GAPS = table([7, 8, 9], source=[0, 0, 1], n_samples=[10, 10, 4])
WITH_GAPS = table([7, 8, 90], source=[0, 0, 1], n_samples=[10, 10, 4])


@pytest.mark.parametrize("units", [WITHOUT_GAPS, WITH_GAPS])
def test_ids_are_found_and_unknown_ones_are_minus_one(units):
    assert units.find(units.ids).tolist() == [0, 1, 2]
    assert units.find([8, 6, 91, -1, 0]).tolist() == [1, -1, -1, -1, -1]
    assert units.find(np.array([[8], [7]])).tolist() == [[1], [0]]
    assert int(units.find(8)) == 1
    assert units.find(np.empty(0, np.int64)).shape == (0,)


def test_an_id_within_a_gap_is_unknown():
    assert WITH_GAPS.find([8, 9, 89, 90]).tolist() == [1, -1, -1, 2]


def test_nothing_is_found_in_an_empty_table():
    empty = table([], source=[], n_samples=[])
    assert empty.find([0, -1]).tolist() == [-1, -1]
    assert empty.find(0).shape == ()


def test_successors_stay_within_the_source():
    assert WITH_GAPS.successors(np.array([0, 1, 2])).tolist() == [1, -1, -1]


@pytest.mark.parametrize(
    ("position", "n_samples", "there", "starting"),
    [
        (0, 1, 0, -1),
        (0, 9, 0, -1),
        (0, 10, 1, 1),
        (0, 11, 1, -1),
        (0, 19, 1, -1),
        (0, 20, -1, -1),
        (1, 9, 1, -1),
        (1, 10, -1, -1),
        (2, 3, 2, -1),
        (2, 4, -1, -1),
    ],
)
def test_the_unit_some_samples_later(position, n_samples, there, starting):
    found = WITH_GAPS.after(np.array([position]), np.array([n_samples]))
    assert [part.tolist() for part in found] == [[there], [starting]]


def test_many_at_once_are_as_one_at_a_time():
    positions = np.array([0, 0, 1, 2])
    n_samples = np.array([10, 15, 10, 1])
    there, starting = WITH_GAPS.after(positions, n_samples)
    assert there.tolist() == [1, 1, -1, 2]
    assert starting.tolist() == [1, -1, -1, -1]


@pytest.mark.parametrize("units", ["frame", "onset"])
def test_units_of_a_database_are_found_after_a_source_is_gone(corpus, tmp_path, units):
    path = tmp_path / "db"
    build_database(corpus, path, settings=DescriptorSettings(units=units))
    before = Database(path)
    removed = before.sources[1]
    remove_sources(path, [removed.path])
    after = Database(path).units
    np.testing.assert_array_equal(after.find(after.ids), np.arange(len(after)))
    assert after.find([-1, int(after.ids[-1]) + 1, removed.first_unit]).tolist() == [-1, -1, -1]
    known = after.find(before.units.ids) >= 0
    np.testing.assert_array_equal(known, before.units.source != 1)


def test_sources_carry_the_stamp_of_their_file(corpus, tmp_path):
    path = tmp_path / "db"
    build_database(corpus, path)
    database = Database(path)
    stat = (corpus / "stereo.wav").stat()
    stamps = database.stamps(["stereo.wav", "unknown.wav"])
    assert list(stamps) == ["stereo.wav"]
    assert stamps["stereo.wav"] == {
        "hash": database.sources_by_path["stereo.wav"].content_hash,
        "bytes": stat.st_size,
        "modified_ns": stat.st_mtime_ns,
    }
