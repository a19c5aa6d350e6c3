"""Approximate indexes against the exact one on real sounds, and what is kept of them on disk."""

import json
import os
import shutil

import faiss
import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.maintain import compact, remove_sources
from db.normaliser import Normaliser
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from query import proposals
from query.cache import Cached, has_drifted
from query.filters import Filters
from query.index import UnitIndex
from query.space import Space


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A third of the bundled sounds and their database."""
    folder = tmp_path_factory.mktemp("cells")
    (folder / "c").mkdir()
    for path in sorted(CORPUS_DIR.glob("*.ogg"))[::3]:
        shutil.copy(path, folder / "c")
    build_database(folder / "c", folder / "db")
    return folder


@pytest.fixture
def copied(corpus, tmp_path):
    for part in ("c", "db"):
        shutil.copytree(corpus / part, tmp_path / part, ignore=shutil.ignore_patterns("index"))
    return tmp_path


@pytest.fixture(scope="module")
def targets(corpus):
    """Steps that are not in the database: sounds of another third."""
    target = corpus / "target.wav"
    sounds = [sf.read(path)[0][:22050] for path in sorted(CORPUS_DIR.glob("*.ogg"))[1::3]]
    mono = [sound.mean(axis=1) if sound.ndim > 1 else sound for sound in sounds]
    sf.write(target, np.clip(np.concatenate(mono), -1, 1), 44100)
    from demiurge.sequences import describe

    return describe(target, Database(corpus / "db").settings).descriptors


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("ivf", "l2"), ("ivf", "l1"), ("ivf", "lp:3"), ("pq", "l2"), ("pq", "cosine")],
)
def test_what_is_found_is_nearly_all_there_is_and_its_distance_exact(corpus, targets, kind, metric):
    database = Database(corpus / "db")
    exact = UnitIndex(Space(database, metric=metric)).search(targets, k=32)
    found = UnitIndex(Space(database, metric=metric), kind=kind).search(targets, k=32)
    assert (found.positions[:, 0] == exact.positions[:, 0]).mean() >= 0.95
    recall = np.mean(
        [
            len(np.intersect1d(a, b)) / 32
            for a, b in zip(found.positions, exact.positions, strict=True)
        ]
    )
    assert recall >= 0.95
    same = found.positions == exact.positions
    np.testing.assert_allclose(found.distances[same], exact.distances[same], rtol=1e-5)
    assert (np.diff(found.distances, axis=1) >= 0).all()


@pytest.mark.parametrize("kind", ["ivf", "pq"])
def test_there_are_always_k_and_all_pass_the_filters(corpus, targets, kind):
    database = Database(corpus / "db")
    name = min(database.sources, key=lambda source: source.n_units).path
    index = UnitIndex(Space(database), kind=kind, filters=Filters(sources=(name,)))
    matches = index.search(targets[:50], k=len(index))
    own = np.flatnonzero([database.sources[i].path == name for i in database.units.source])
    for row in matches.positions:
        assert set(row) == set(own)
    everything = UnitIndex(Space(database), kind=kind)
    assert (
        np.sort(everything.search(targets[:2], k=len(everything)).positions)
        == np.arange(len(everything))
    ).all()


def test_where_the_cells_hold_fewer_units_than_are_proposed_only_real_ones_are_found(corpus):
    """The rest of the proposals is -1, in numpy the last unit: sought here, and left out by the
    filter.
    """
    database = Database(corpus / "db")
    longest = max(range(len(database.sources)), key=lambda number: database.sources[number].n_units)
    index = UnitIndex(
        Space(database), kind="pq", filters=Filters(sources=(database.sources[longest].path,))
    )
    sequence = database.source_descriptors(len(database.sources) - 1)
    assert (index._proposers[0].propose(sequence, 1) < 0).any()
    found = index.search(sequence, k=1).positions
    assert (database.units.source[found] == longest).all()


@pytest.mark.parametrize(
    ("n_units", "cells"), [(4, 2), (9000, 128), (10**6, 1024), (2_000_000, 1024), (10**8, 20_000)]
)
def test_many_units_have_more_cells(n_units, cells):
    assert proposals.n_cells(n_units) == cells


@pytest.mark.parametrize(
    ("cells", "n_units", "share", "probed"),
    [
        (128, 9000, 1, 16),
        (1024, 10**6, 1, 64),
        (4096, 10**7, 1, 256),  # as earlier versions made them: one in 16
        (4096, 4 * 10**6, 1, 160),
        (20_000, 10**8, 1, 354),
        (20_000, 10**8, 0.5, 707),
        (20_000, 10**8, 0.01, 1250),  # one in 16
    ],
)
def test_of_many_cells_a_smaller_share_is_searched(cells, n_units, share, probed):
    assert proposals.n_probed(cells, n_units, share) == probed


def test_compressed_units_are_proposed_in_greater_number_if_there_are_many():
    assert proposals.n_proposals("ivf", 32, 10**7) == 32 + proposals.SPARE
    found = [proposals.n_proposals("pq", 32, n) for n in (10**5, 2 * 10**6, 10**7, 10**8)]
    assert found == [192, 192, 262, 416]


def test_units_compared_with_a_step_grow_more_slowly_than_the_units():
    def compared(n_units):
        cells = proposals.n_cells(n_units)
        return n_units * proposals.n_probed(cells, n_units) / cells

    growth = [compared(10 * n) / compared(n) for n in (10**6, 10**7, 10**8, 10**9)]
    assert max(growth) < 10**0.76


@pytest.mark.parametrize("kind", ["ivf", "pq"])
def test_many_units_are_found_as_well_as_few(copied, targets, kind, monkeypatch):
    monkeypatch.setattr(proposals, "MANY_UNITS", 1)
    monkeypatch.setattr(proposals, "LEAST_PROBED", 1)
    monkeypatch.setattr(proposals, "PROBED", 1)
    space = Space(Database(copied / "db"))
    exact = UnitIndex(space).search(targets, k=32).positions
    found = UnitIndex(space, kind=kind).search(targets, k=32).positions
    recall = [np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]
    assert np.mean(recall) > 0.95


def test_cells_of_earlier_versions_are_searched_as_before(copied, targets, monkeypatch):
    space = Space(Database(copied / "db"))
    before = UnitIndex(space, kind="pq").search(targets, k=8).positions
    monkeypatch.setattr(proposals, "MANY_UNITS", 1)
    counted = built_anew(monkeypatch)
    after = UnitIndex(space, kind="pq").search(targets, k=8).positions
    np.testing.assert_array_equal(before, after)
    assert not counted


def test_a_unit_far_from_all_others_does_not_spoil_the_levels(corpus, targets):
    """Such as a click in silence; it took one of 16 levels, and all others became alike."""
    space = Space(Database(corpus / "db"))
    vectors = space.vectors(space.database.descriptors)
    vectors[100, 26] = 60.0
    cells = proposals.make_cells("pq", space.metric, vectors[:4000], len(vectors))
    cells.add(vectors)
    sought = space.vectors(targets)
    found = proposals.search_cells(cells, sought, 192, enough=1, allowed=None)
    exact = UnitIndex(space).search(targets, k=32).positions
    recall = [np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]
    assert np.mean(recall) > 0.9


def kept(folder):
    return sorted(path.name for path in (folder / "db" / "index").glob("*"))


def built_anew(monkeypatch):
    """Counts how often cells are found."""
    counted = []
    train = proposals.make_cells
    monkeypatch.setattr("query.cells.make_cells", lambda *a: counted.append(1) or train(*a))
    return counted


def test_an_index_is_kept_and_brought_up_to_date_without_finding_its_cells_again(
    copied, monkeypatch, targets
):
    counted = built_anew(monkeypatch)
    first = UnitIndex(Space(Database(copied / "db")), kind="pq").search(targets, k=8)
    assert len(kept(copied)) == 2
    again = UnitIndex(Space(Database(copied / "db")), kind="pq").search(targets, k=8)
    np.testing.assert_array_equal(first.positions, again.positions)
    assert len(counted) == 1
    gone = min(Database(copied / "db").sources, key=lambda source: source.n_units)
    remove_sources(copied / "db", [gone.path])
    (copied / "c" / gone.path).unlink()
    shutil.copy(sorted(CORPUS_DIR.glob("*.ogg"))[1], copied / "c" / "new.ogg")
    build_database(copied / "c", copied / "db", moved=True)
    database = Database(copied / "db")
    index = UnitIndex(Space(database), kind="pq")
    assert len(counted) == 1
    new = next(i for i, source in enumerate(database.sources) if source.path == "new.ogg")
    found = index.search(database.source_descriptors(new), k=1)
    np.testing.assert_array_equal(
        database.units.ids[found.positions[:, 0]],
        database.sources[new].first_unit + np.arange(len(found.positions)),
    )
    everything = index.search(targets[:1], k=len(index)).positions[0]
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(index)))
    assert len(kept(copied)) == 2


@pytest.mark.parametrize("kind", ["flat", "ivf", "pq"])
def test_other_filters_need_no_other_cells(corpus, targets, kind, monkeypatch):
    space = Space(Database(corpus / "db"))
    everything = UnitIndex(space, kind=kind, min_samples=2000, flat_units=0)
    filters = Filters(sources=("loop_*", "tabla_*"))
    made = UnitIndex(space, kind=kind, min_samples=2000, filters=filters)
    counted = built_anew(monkeypatch)
    found = everything.allowing(made.allowed)
    np.testing.assert_array_equal(
        found.search(targets, k=8).positions, made.search(targets, k=8).positions
    )
    assert (len(found), found.kind, len(counted)) == (len(made), kind, 0)
    assert len(everything) > len(found)


def test_the_few_units_that_filters_leave_are_compared_one_by_one(corpus, targets):
    space = Space(Database(corpus / "db"))
    everything = UnitIndex(space, flat_units=2000)
    assert everything.kind == "pq"
    allowed = np.arange(len(space.database.units)) % 5 == 0
    few = everything.allowing(allowed)
    assert (few.kind, few.counts) == ("flat", {"all": len(allowed), "filters": allowed.sum()})
    every_fifth = np.flatnonzero(allowed)
    vectors = space.unit_vectors(every_fifth)
    nearest = [space.distances(vectors, target).argmin() for target in space.vectors(targets)]
    np.testing.assert_array_equal(few.search(targets, k=1).positions[:, 0], every_fifth[nearest])
    assert few.allowing(everything.allowed).kind == "pq"


def test_other_weights_need_no_other_cells(corpus, targets, monkeypatch):
    database = Database(corpus / "db")
    space = Space(database, weights={"mfcc0": 3.0, "mfcc5": 0.0, "mfcc7": 2.0})
    exact = UnitIndex(space).search(targets, k=32)
    index = UnitIndex(Space(database), kind="pq")
    counted = built_anew(monkeypatch)
    found = index.weighing(space).search(targets, k=32)
    recall = [np.isin(a, b).mean() for a, b in zip(exact.positions, found.positions, strict=True)]
    assert np.mean(recall) > 0.95
    assert not counted
    same = found.positions == exact.positions
    np.testing.assert_allclose(found.distances[same], exact.distances[same], rtol=1e-5)


def change(record, **values):
    record.write_text(json.dumps(json.loads(record.read_text()) | values))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f, j: f.write_bytes(f.read_bytes()[:-100]), "bytes, but .* were written"),
        (
            lambda f, j: f.write_bytes(f.read_bytes()[:-1] + b"?"),
            "its contents are not those that were written",
        ),
        (lambda f, j: f.unlink(), "No such file"),
        (lambda f, j: j.write_text("{"), "cannot be used"),
        (lambda f, j: change(j, mean=[10**400] * 39), "mean.0.=1000.* must be a finite number"),
        (lambda f, j: change(j, mean=[0.0]), "its normaliser is not of 39 descriptors"),
        (lambda f, j: change(j, std=[0.0] * 39), "std.0.=0.0 must be a finite number above 0"),
        (lambda f, j: change(j, changed=-1), "changed=-1 must be an integer from 0"),
        (lambda f, j: change(j, sources=[[0, 5, 1]]), "it holds .* units, not its sources' number"),
        (lambda f, j: change(j, sources=[[0, -5, 1]]), "must be"),
        (lambda f, j: change(j, size=1 << 62), "but 4611686018427387904 were written"),
        (lambda f, j: j.write_text("[" * 100_000), "cannot be used"),
        (lambda f, j: (f.unlink(), f.mkdir()), "a folder, not a file"),
        (lambda f, j: [f.unlink(), os.mkfifo(f)], "a named pipe, not a file"),
        (lambda f, j: [j.unlink(), os.mkfifo(j)], "a named pipe, not a file"),
        (
            lambda f, j: j.write_text(
                json.dumps(json.loads(j.read_text()) | {"database": "other"})
            ),
            "database is 'other', not",
        ),
        (
            lambda f, j: j.write_text(json.dumps(json.loads(j.read_text()) | {"version": 9})),
            "version=9 must be one of 1",
        ),
    ],
)
def test_a_damaged_or_foreign_index_is_said_to_be_so_and_built_anew(
    copied, monkeypatch, caplog, targets, damage, message
):
    first = UnitIndex(Space(Database(copied / "db")), kind="ivf").search(targets, k=4)
    (file,) = (copied / "db" / "index").glob("*.faiss")
    damage(file, file.with_suffix(".json"))
    counted = built_anew(monkeypatch)
    again = UnitIndex(Space(Database(copied / "db")), kind="ivf").search(targets, k=4)
    np.testing.assert_array_equal(first.positions, again.positions)
    assert len(counted) == 1
    assert "the index is built anew" in caplog.text
    import re

    assert re.search(message, caplog.text)


def test_an_index_of_what_has_changed_much_is_built_anew(copied, monkeypatch, targets):
    UnitIndex(Space(Database(copied / "db")), kind="pq")
    counted = built_anew(monkeypatch)
    remove_sources(copied / "db", ["loop_*"])
    compact(copied / "db")
    index = UnitIndex(Space(Database(copied / "db")), kind="pq")
    assert len(counted) == 1
    assert set(index.search(targets, k=4).positions.ravel()) <= set(range(len(index)))


def test_growth_in_small_steps_adds_up(copied, monkeypatch):
    for path in sorted((copied / "c").glob("*.ogg"))[:20]:
        path.rename(copied / path.name)
    build_database(copied / "c", copied / "db", moved=True, prune=True)
    UnitIndex(Space(Database(copied / "db")), kind="pq")
    counted = built_anew(monkeypatch)
    for path in sorted(copied.glob("*.ogg")):
        path.rename(copied / "c" / path.name)
        build_database(copied / "c", copied / "db")
        index = UnitIndex(Space(Database(copied / "db")), kind="pq")
        assert index._proposers[0]._cells.index.ntotal == len(index.database.units)
    assert 1 <= len(counted) <= 4


@pytest.mark.parametrize(
    ("change", "drifted"),
    [((0.1, 1.0), False), ((0.3, 1.0), True), ((0.0, 1.3), True), ((0.0, 0.7), True)],
)
def test_an_index_whose_z_scores_are_no_longer_the_databases_has_drifted(corpus, change, drifted):
    """Of a descriptor, the mean by so many standard deviations, or the deviation by a factor."""
    now = Database(corpus / "db").normaliser
    shift, factor = change
    mean = now.mean.copy()
    std = now.std.copy()
    mean[3] += shift * std[3]
    std[3] *= factor
    cached = Cached(faiss.IndexFlat(39), Normaliser(mean, std), frozenset(), changed=0)
    assert has_drifted(cached, [], now) == drifted


def test_an_index_that_another_process_replaces_meanwhile_is_not_mixed_with_ours(copied, caplog):
    """As if its file had been written between our reading of the record and of the file."""
    UnitIndex(Space(Database(copied / "db")), kind="ivf")
    (file,) = (copied / "db" / "index").glob("*.faiss")
    record = file.with_suffix(".json").read_text()
    shutil.copy(sorted(CORPUS_DIR.glob("*.ogg"))[1], copied / "c" / "new.ogg")
    build_database(copied / "c", copied / "db", moved=True)
    UnitIndex(Space(Database(copied / "db")), kind="ivf")
    file.with_suffix(".json").write_text(record)
    index = UnitIndex(Space(Database(copied / "db")), kind="ivf")
    assert "built anew" in caplog.text
    assert index._proposers[0]._cells.index.ntotal == len(index.database.units)


def test_few_units_are_compared_one_by_one(copied):
    remove_sources(copied / "db", ["*"])
    keep = min((copied / "c").glob("*.ogg"), key=lambda path: sf.info(path).frames)
    for path in (copied / "c").glob("*.ogg"):
        if path != keep:
            path.unlink()
    build_database(copied / "c", copied / "db", moved=True)
    database = Database(copied / "db")
    if len(database.units) < 16:
        with pytest.raises(ParameterError, match="index=pq needs 16 units, .* has .*; use flat"):
            UnitIndex(Space(database), kind="pq")
    assert (
        UnitIndex(Space(database), kind="ivf").search(database.descriptors[:1], k=1).distances[0, 0]
        == 0
    )


def test_indexes_of_other_weights_are_others_and_only_the_latest_are_kept(copied):
    database = Database(copied / "db")
    for weight in (1, 2, 3, 4, 5, 6):
        UnitIndex(Space(database, weights={"mfcc0": weight}), kind="pq")
    assert len(kept(copied)) == 8


def test_an_index_that_is_used_is_not_the_first_to_be_forgotten(copied):
    database = Database(copied / "db")

    def use(weight):
        """The files of the index with this weight."""
        before = set(kept(copied))
        UnitIndex(Space(database, weights={"mfcc0": weight}), kind="ivf")
        return set(kept(copied)) - before

    first, *_ = [use(weight) for weight in (1, 2, 3, 4)]
    assert use(1) == set()
    use(5)
    assert first <= set(kept(copied))


def test_where_it_cannot_be_kept_the_search_goes_on(copied, caplog, targets):
    (copied / "db" / "index").write_text("in the way")
    matches = UnitIndex(Space(Database(copied / "db")), kind="ivf").search(targets, k=4)
    assert matches.positions.min() >= 0
    assert "cannot be kept" in caplog.text


def test_a_gpu_is_used_where_faiss_has_one(corpus, targets, monkeypatch):
    moved = []
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(
        faiss,
        "index_cpu_to_all_gpus",
        lambda index: moved.append(index.ntotal) or index,
        raising=False,
    )
    index = UnitIndex(Space(Database(corpus / "db")))
    index.search(targets, k=4)
    assert moved == [len(index)]
    index.search(targets[:1], k=2048)  # more than a GPU gives
    assert moved == [len(index)]
