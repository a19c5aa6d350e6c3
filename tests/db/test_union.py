"""Several databases as one."""

import shutil

import numpy as np
import pytest

from db.build import build_database
from db.database import Database
from db.derived import at_transpositions, only_sources
from db.include import include_file
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from db.union import unite
from demiurge.bundled import CORPUS_DIR
from files.errors import DatabaseError, ParameterError

PARTS = {"drums": "drum_*", "ambient": "ambi_[cdg]*", "loops": "loop_a*"}


@pytest.fixture(scope="module", params=["frame", "onset"])
def parts(request, tmp_path_factory) -> dict[str, Database]:
    folder = tmp_path_factory.mktemp("parts")
    settings = DescriptorSettings(units=request.param, descriptors=("mfcc", "loudness"))
    for name, pattern in PARTS.items():
        (folder / name).mkdir()
        for file in sorted(CORPUS_DIR.glob(f"{pattern}.*"))[:4]:
            shutil.copy(file, folder / name)
        build_database(folder / name, folder / f"{name}.db", settings=settings)
    return {name: Database(folder / f"{name}.db") for name in PARTS}


def test_units_and_rows_are_those_of_the_members_one_after_the_other(parts):
    union = unite(parts)
    assert union.names == tuple(PARTS)
    assert union.n_units == sum(database.n_units for database in parts.values())
    rows = np.concatenate([database.descriptors for database in parts.values()])
    np.testing.assert_array_equal(union.descriptors, rows)
    mixed = np.random.default_rng(1).permutation(union.n_units)
    np.testing.assert_array_equal(union.rows_at(mixed), rows[mixed])
    assert (np.diff(union.units.ids) > 0).all()
    for name in ("n_samples", "samples_left", "start_sample"):
        stored = [getattr(database.units, name) for database in parts.values()]
        np.testing.assert_array_equal(getattr(union.units, name), np.concatenate(stored))
    number = len(parts["drums"].sources)
    np.testing.assert_array_equal(union.source_frames(number), parts["ambient"].source_frames(0))


def test_each_unit_is_found_by_its_own_id_and_source(parts):
    union = unite(parts)
    positions = np.arange(0, union.n_units, 7)
    sources = [union.sources[number].path for number in union.units.source[positions]]
    ids = [union.stored_id(position) for position in positions.tolist()]
    np.testing.assert_array_equal(union.find_stored(ids, sources), positions)
    member = union.member_of(positions)
    for position, unit, source, number in zip(positions, ids, sources, member, strict=True):
        name, path = union.roots.split(source)
        assert name == union.names[number]
        own = parts[name]
        there = int(own.units.find(unit))
        assert own.sources[own.units.source[there]].path == path
        assert own.units.start_sample[there] == union.units.start_sample[position]
        assert union.roots.file_of(source).is_file()
    assert (
        union.find_stored([0, 10**9, -1], ["other:x", sources[0], sources[0]]).tolist() == [-1] * 3
    )


def test_the_normaliser_is_that_of_all_units_or_of_one_member(parts):
    union = unite(parts)
    expected = fit_normaliser([union.descriptors], union.settings.n_descriptors)
    np.testing.assert_allclose(union.normaliser.mean, expected.mean, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(union.normaliser.std, expected.std, rtol=1e-3)
    own = unite(parts, normaliser="ambient").normaliser
    np.testing.assert_array_equal(own.mean, parts["ambient"].normaliser.mean)


def test_it_can_be_derived_from(parts):
    union = unite(parts)
    copies = at_transpositions(union, (0, 2))
    last = copies.n_units - 1
    assert copies.stored_id(last) == union.stored_id(union.n_units - 1)
    assert copies.member_of(np.array([last]))[0] == 2
    some = only_sources(union, np.array([1, 5]))
    assert [source.path for source in some.sources] == [
        union.sources[1].path,
        union.sources[5].path,
    ]
    np.testing.assert_array_equal(some.descriptors[-1], union.source_descriptors(5)[-1])
    np.testing.assert_array_equal(some.source_frames(1), union.source_frames(5))
    file = sorted(CORPUS_DIR.glob("elec_*"))[0]
    rows = union.source_descriptors(0)
    with_file, number = include_file(union, file, rows, union.units.n_samples[: len(rows)])
    assert number == len(union.sources)
    assert with_file.member_of(np.array([with_file.n_units - 1]))[0] == -1
    assert len(with_file.source_frames(number)) == 0


def test_what_two_members_have_is_used_once(parts, caplog):
    again = only_sources(parts["drums"], np.array([0, 2]))
    union = unite({"first": again, **parts})
    assert union.n_units == sum(database.n_units for database in parts.values())
    assert "2 of the sources of drums are in first" in caplog.text
    paths = [source.path for source in union.sources]
    assert sum("drum_" in path for path in paths) == len(parts["drums"].sources)
    assert union.members["drums"].index_folder != parts["drums"].index_folder
    assert union.members["loops"].index_folder == parts["loops"].index_folder


def test_the_id_does_not_depend_on_the_order(parts):
    names = list(parts)
    assert unite(parts).id == unite({name: parts[name] for name in names[::-1]}).id
    assert unite(parts).id != unite({"other": parts[names[0]], names[1]: parts[names[1]]}).id
    facts = unite(parts).describe()
    assert facts["databases"]["drums"] == parts["drums"].describe()


def test_one_alone_stays_as_it_is(parts):
    assert unite({"any": parts["drums"]}) is parts["drums"]


def test_what_does_not_go_together_is_refused(parts, tmp_path, corpus):
    with pytest.raises(ParameterError, match=r"'a b' must be of letters"):
        unite({"a b": parts["drums"], "b": parts["loops"]})
    with pytest.raises(ParameterError, match="'mfcc' is that of a descriptor"):
        unite({"mfcc": parts["drums"], "b": parts["loops"]})
    with pytest.raises(ParameterError, match="normaliser='x' must be the name of a database"):
        unite(parts, normaliser="x")
    with pytest.raises(ParameterError, match="all its sources are in first"):
        unite({"first": parts["drums"], "second": parts["drums"]})
    build_database(corpus, tmp_path / "db", settings=DescriptorSettings(n_mfcc=8))
    with pytest.raises(DatabaseError, match="n_mfcc is 13 in the database"):
        unite({**parts, "other": Database(tmp_path / "db")})
