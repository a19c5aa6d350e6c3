"""Databases whose sources come several times, each time transposed."""

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.derived import at_transpositions, transposed
from db.settings import DescriptorSettings
from tests.sounds import RATE, chord

SHIFTS = (0, 3, -2)


@pytest.fixture(scope="module", params=["frame", "onset"])
def database(request, tmp_path_factory) -> Database:
    """Two chords and one that was removed, so that ids have a gap."""
    folder = tmp_path_factory.mktemp("derived")
    (folder / "in").mkdir()
    for name, root in (("a", 60), ("b", 62), ("c", 64)):
        sf.write(folder / "in" / f"{name}.wav", chord([root, root + 4], 1.5), RATE)
    settings = DescriptorSettings(
        sample_rate=RATE, units=request.param, descriptors=("mfcc", "chroma", "loudness")
    )
    build_database(folder / "in", folder / "db", settings=settings)
    (folder / "in" / "a.wav").unlink()
    build_database(folder / "in", folder / "db", settings=settings, prune=True)
    return Database(folder / "db")


def test_all_units_come_once_for_each_transposition(database):
    copies = at_transpositions(database, SHIFTS)
    n_units = len(database.units)
    assert len(copies.units) == copies.n_units == 3 * n_units
    for copy, shift in enumerate(SHIFTS):
        part = slice(copy * n_units, (copy + 1) * n_units)
        for name in ("start_sample", "n_samples", "samples_left"):
            np.testing.assert_array_equal(
                getattr(copies.units, name)[part], getattr(database.units, name)
            )
        sources = [copies.sources[number] for number in copies.units.source[part]]
        stored = [database.sources[number] for number in database.units.source]
        assert [source.path for source in sources] == [source.path for source in stored]
        assert (copies.semitones[copies.units.source[part]] == shift).all()


def test_ids_of_copies_are_distinct_and_stored_ids_are_those_of_the_database(database):
    copies = at_transpositions(database, SHIFTS)
    assert (np.diff(copies.units.ids) > 0).all()
    found = [copies.stored_id(position) for position in range(len(copies.units))]
    assert found == 3 * database.units.ids.tolist()
    assert database.stored_id(1) == database.units.ids[1]


def test_no_unit_follows_the_last_of_a_copy(database):
    copies = at_transpositions(database, SHIFTS)
    n_units = len(database.units)
    lasts = np.array([n_units, 2 * n_units, 3 * n_units]) - 1
    assert (copies.units.successors(lasts) == -1).all()
    inner = np.arange(n_units)
    following = database.units.successors(inner)
    moved = np.where(following < 0, -1, following + n_units)
    np.testing.assert_array_equal(copies.units.successors(inner + n_units), moved)


def test_rows_of_a_copy_are_those_of_the_transposed_database(database):
    copies = at_transpositions(database, SHIFTS)
    for copy, shift in enumerate(SHIFTS):
        alone = transposed(database, np.full(len(database.sources), shift))
        positions = np.arange(len(database.units)) + copy * len(database.units)
        np.testing.assert_array_equal(copies.rows_at(positions), alone.descriptors)
        for number in range(len(database.sources)):
            np.testing.assert_array_equal(
                copies.source_descriptors(number + copy * len(database.sources)),
                alone.source_descriptors(number),
            )


def test_rows_of_several_copies_at_once_are_in_the_order_asked_for(database):
    copies = at_transpositions(database, SHIFTS)
    positions = np.random.default_rng(0).permutation(len(copies.units))
    np.testing.assert_array_equal(copies.rows_at(positions), copies.descriptors[positions])
    assert copies.descriptors.dtype == np.float32


def test_the_database_itself_stays_as_it_was(database):
    before = database.descriptors.copy()
    copies = at_transpositions(database, SHIFTS)
    copies.rows_at(np.arange(len(copies.units)))
    np.testing.assert_array_equal(Database(database.path).descriptors, before)
    assert not database.semitones.any()
    assert copies.normaliser is database.normaliser
