"""Opening the databases that a command is given."""

import shutil

import numpy as np
import pytest

from db.bands import Bands
from db.build import build_database
from db.database import Database
from db.derived import at_transpositions, only_sources
from db.keep_bands import keep_bands
from db.settings import DescriptorSettings
from db.tags import tag_sources
from db.union import unite
from demiurge.bundled import CORPUS_DIR
from demiurge.databases import name_databases, open_databases
from demiurge.web.map.layout_files import layout_key
from files.errors import DatabaseError, ParameterError
from query.filters import Filters, parse_condition
from query.index import UnitIndex
from query.space import Space

MFCC = DescriptorSettings(units="onset", descriptors=("mfcc", "loudness"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("databases")
    for name, pattern, settings in (
        ("drums", "drum_*", MFCC),
        ("loops", "loop_am*", MFCC),
        ("frames", "elec_b*", DescriptorSettings()),
    ):
        (made / name).mkdir()
        for file in sorted(CORPUS_DIR.glob(f"{pattern}.*"))[:8]:
            shutil.copy(file, made / name)
        build_database(made / name, made / f"{name}.db", settings=settings)
    return made


def test_names_are_those_of_the_folders_or_given(tmp_path):
    named = name_databases(["some/drums.db", "other=x/drums.db", tmp_path / "my sounds"])
    assert list(named) == ["drums", "other", "my-sounds"]
    with pytest.raises(ParameterError, match="two databases are called 'drums'"):
        name_databases(["a/drums.db", "b/drums.db"])


def test_one_is_opened_alone(folder):
    opened = open_databases([folder / "drums.db"])
    assert opened.names == ()
    with pytest.raises(ParameterError, match="root x=.*the databases are drums"):
        open_databases([folder / "drums.db"], root={"x": folder})


def test_a_database_with_other_settings_is_described_again_once(folder, caplog):
    given = [folder / "drums.db", folder / "frames.db"]
    union = open_databases(given)
    assert "units is onset in the first and frame in frames" in caplog.text
    assert union.settings == Database(folder / "drums.db").settings
    assert any(source.path.startswith("frames:elec_") for source in union.sources)
    assert union.roots.file_of(union.sources[-1].path).is_file()
    tag_sources(folder / "frames.db", "elec_*", ["electric"])
    again = open_databases(given)
    assert again.id == union.id
    assert set(again.tags) == {s.path for s in union.sources if s.path.startswith("frames:")}
    tag_sources(folder / "frames.db", "elec_*", ["electric"], remove=True)
    assert not open_databases(given).tags
    np.testing.assert_array_equal(again.descriptors, union.descriptors)


def test_without_its_sources_it_cannot_be_described_again(folder, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(sorted(CORPUS_DIR.glob("elec_*"))[0], tmp_path / "in")
    build_database(tmp_path / "in", tmp_path / "gone.db")
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(DatabaseError, match="to be described again"):
        open_databases([folder / "drums.db", tmp_path / "gone.db"])


@pytest.fixture(scope="module")
def union(folder):
    return open_databases([folder / "drums.db", folder / "loops.db"])


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (Filters(sources=("drums:*",)), {"drums"}),
        (Filters(sources=("drum_*",)), {"drums"}),
        (Filters(sources=("*",)), {"drums", "loops"}),
        (Filters(sources=("loops:loop_a*", "drums:none")), {"loops"}),
        (Filters(where=(parse_condition("drums:length_ms>1e6"),)), {"loops"}),
    ],
)
def test_filters_are_for_all_databases_or_for_one(union, filters, left):
    index = UnitIndex(Space(union), filters=filters)
    names = {union.names[number] for number in union.member_of(np.flatnonzero(index.allowed))}
    assert names == left


def test_a_condition_on_an_unknown_database_is_refused(union):
    with pytest.raises(ParameterError, match="no database is called 'x'; there are drums, loops"):
        UnitIndex(Space(union), filters=Filters(where=(parse_condition("x:start_s>0"),)))


def test_distances_are_divided_by_the_weight_of_their_database(union):
    sequence = union.descriptors[::9]
    plain = UnitIndex(Space(union)).search(sequence, k=8)
    index = UnitIndex(Space(union, weights={"loops": 4.0, "mfcc0": 0.5}))
    weighed = index.search(sequence, k=8)
    space = Space(union, weights={"mfcc0": 0.5})
    everything = space.distances(
        space.unit_vectors(np.arange(union.n_units)), space.vectors(sequence)[:, None]
    )
    everything[:, union.member_of(np.arange(union.n_units)) == 1] /= 4
    np.testing.assert_allclose(weighed.distances, np.sort(everything, axis=1)[:, :8], rtol=1e-5)
    from_loops = [(union.member_of(found.positions) == 1).mean() for found in (weighed, plain)]
    assert from_loops[0] > from_loops[1]
    with pytest.raises(ParameterError, match="weight loops=0 must be above 0"):
        Space(union, weights={"loops": 0.0})


@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_weights_hold_for_what_is_derived_from_databases(union, kind):
    copies = at_transpositions(union, (0, 1))
    sequence = union.descriptors[::9]
    space = Space(copies, weights={"loops": 1e6})
    found = UnitIndex(space, kind=kind).search(sequence, k=4)
    everything = space.target_costs(
        np.arange(copies.n_units),
        space.unit_vectors(np.arange(copies.n_units)),
        space.vectors(sequence)[:, None],
    )
    np.testing.assert_allclose(found.distances, np.sort(everything, axis=1)[:, :4], rtol=1e-4)


def test_cells_are_kept_by_each_database(union, folder):
    exact = UnitIndex(Space(union)).search(union.descriptors, k=5)
    found = UnitIndex(Space(union), kind="ivf").search(union.descriptors, k=5)
    np.testing.assert_array_equal(found.positions, exact.positions)
    kept = [list((folder / f"{name}.db" / "index").glob("*.faiss")) for name in ("drums", "loops")]
    assert all(len(files) == 1 for files in kept)


def test_spectra_and_indexes_of_several_are_kept_in_the_cache(union, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "cache"))
    before = sorted(folder.iterdir())
    assert len(Bands(union)) == union.n_units
    assert sorted(folder.iterdir()) == before
    assert keep_bands(union).folder.is_relative_to(tmp_path / "cache")
    derived = only_sources(unite(union.members), np.arange(len(union.sources) - 1))
    UnitIndex(Space(derived), kind="ivf")
    assert list(derived.index_folder.glob("*.faiss"))


def test_layouts_depend_on_the_normaliser(union):
    other = unite(union.members, normaliser="loops")
    assert layout_key(other) != layout_key(union)
