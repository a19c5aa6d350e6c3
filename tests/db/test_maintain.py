import os
import sqlite3

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.maintain import compact, remove_sources
from db.settings import DescriptorSettings
from db.verify import verify
from files.errors import DatabaseError, ParameterError
from tests.db.rows import read_frames

UNITS = pytest.mark.parametrize("units", ["frame", "onset"])


@pytest.fixture
def build(corpus, tmp_path):
    def build(units: str = "frame"):
        build_database(corpus, tmp_path / "db", settings=DescriptorSettings(units=units))
        return tmp_path / "db"

    return build


def rows(path) -> dict[str, bytes]:
    database = Database(path)
    frames = read_frames(path)
    return {
        source.path: database.source_descriptors(i).tobytes() + frames[source.path].tobytes()
        for i, source in enumerate(database.sources)
    }


def read_unit(path, unit: int) -> np.ndarray:
    database = Database(path)
    return database.rows_at(database.units.find([unit]))


@UNITS
def test_untouched_database_verifies(build, units):
    path = build(units)
    found = verify(path)
    assert (found.ok, found.sources, found.dead_rows) == (True, 4, 0)
    n_units = Database(path).n_units if units == "onset" else 0
    assert found.rows == sum(map(len, read_frames(path).values())) + n_units


@UNITS
def test_removed_sources_are_gone_until_the_next_build(build, corpus, units):
    path = build(units)
    before = rows(path)
    assert remove_sources(path, ["*/x.wav"]) == ["a/x.wav", "b/x.wav"]
    assert rows(path) == {name: before[name] for name in ("short.flac", "stereo.wav")}
    assert verify(path).dead_rows > 0
    assert build_database(corpus, path).added == ["a/x.wav", "b/x.wav"]
    assert rows(path) == before


def test_removing_brings_the_normaliser_up_to_date(build):
    path = build()
    remove_sources(path, ["stereo.wav"])
    database = Database(path)
    np.testing.assert_allclose(
        database.normaliser.apply(database.descriptors).std(axis=0), 1, atol=1e-4
    )


def test_a_pattern_that_matches_nothing_removes_nothing(build):
    path = build()
    with pytest.raises(ParameterError, match=r"'kick\*' matches none of the 4 sources"):
        remove_sources(path, ["short.flac", "kick*"])
    assert len(Database(path).sources) == 4


@UNITS
def test_compacting_gives_back_the_space_and_keeps_the_rest(build, corpus, tabla, units):
    path = build(units)
    sf.write(corpus / "stereo.wav", tabla[:30000], 44100)
    build_database(corpus, path)
    remove_sources(path, ["a/x.wav"])
    before = rows(path)
    dead = verify(path).dead_rows
    old_ids = set(Database(path).units.ids.tolist())
    size_before, size_after = compact(path)
    assert size_after < size_before
    assert dead > 0
    assert verify(path).dead_rows == 0
    assert rows(path) == before
    assert not old_ids & set(
        Database(path).units.ids.tolist()
    )  # a plan's unit can not come to mean another
    database = Database(path)
    needed = sum(frames.nbytes for frames in read_frames(path).values())
    needed += database.n_units * database.settings.n_descriptors * 4 if units == "onset" else 0
    assert size_after == needed
    sf.write(corpus / "more.wav", tabla, 44100)
    build_database(corpus, path)
    assert verify(path).ok


def test_compacting_an_empty_database_keeps_it_usable(build, corpus):
    path = build()
    remove_sources(path, ["*"])
    assert compact(path)[1] == 0
    assert len(build_database(corpus, path).added) == 4
    assert verify(path).ok


@pytest.mark.parametrize("moment", ["append", "unlink"])
def test_interrupted_compaction_leaves_a_whole_database(build, corpus, monkeypatch, moment):
    path = build()
    remove_sources(path, ["a/x.wav"])
    before = rows(path)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "append":
            patch.setattr("db.shards.ShardWriter.sync", die)
        else:
            patch.setattr("db.maintain.remove_strays", die)
        with pytest.raises(KeyboardInterrupt):
            compact(path)
    assert rows(path) == before
    build_database(corpus, path)  # clears what is left over
    assert verify(path).ok
    assert len(list((path / "shards").iterdir())) == 1


@UNITS
def test_flipped_byte_is_never_read_as_right(build, corpus, units):
    path = build(units)
    shard = path / "shards" / ("00000.f32" if units == "frame" else "units-00000.f32")
    database = Database(path)
    victim = database.sources[1]
    before = rows(path)
    position = 4 * victim.first_unit * database.settings.n_descriptors + 5
    content = bytearray(shard.read_bytes())
    content[position] ^= 0x10
    shard.write_bytes(content)
    damaged = Database(path)
    with pytest.raises(
        DatabaseError,
        match=f"the descriptors of {victim.path} are damaged on disk; run demiurge db verify",
    ):
        damaged.descriptors  # noqa: B018
    with pytest.raises(DatabaseError, match="damaged on disk"):
        read_unit(path, victim.first_unit)
    found = verify(path)
    assert [name for name, _ in found.damaged] == [victim.path]
    with pytest.raises(
        DatabaseError, match="rows of .* are damaged; run first: demiurge db verify --repair"
    ):
        compact(path)
    assert verify(path, repair=True).repaired == [victim.path]
    assert build_database(corpus, path).added == [victim.path]
    assert rows(path) == before
    assert verify(path).ok


def test_a_removal_does_not_take_damaged_rows_for_the_normaliser(build, corpus):
    path = build("frame")
    before = Database(path)
    shard = path / "shards" / "00000.f32"
    content = bytearray(shard.read_bytes())
    content[:4] = np.float32(np.nan).tobytes()
    shard.write_bytes(content)
    with pytest.raises(DatabaseError, match="rows are damaged on disk; run first: demiurge db ver"):
        remove_sources(path, [before.sources[-1].path])
    np.testing.assert_array_equal(Database(path).normaliser.mean, before.normaliser.mean)
    assert verify(path, repair=True).repaired == [before.sources[0].path]
    build_database(corpus, path)
    assert verify(path).ok


@pytest.mark.parametrize("kept_share", [None, 0, 0.3, 0.6])
@pytest.mark.parametrize(
    ("units", "name"),
    [("frame", "00000.f32"), ("onset", "00000.f32"), ("onset", "units-00000.f32")],
)
def test_shard_that_is_missing_or_cut_short_is_refused_and_repaired(
    build, corpus, units, name, kept_share
):
    path = build(units)
    before = rows(path)
    shard = path / "shards" / name
    content = shard.read_bytes()
    if kept_share is None:
        shard.unlink()
    else:
        shard.write_bytes(content[: round(kept_share * len(content))])
    if units == "frame" or name.startswith("units"):  # readers do not use the frames of long units
        with pytest.raises(DatabaseError, match=rf"{name} is .*; run demiurge db verify --repair"):
            Database(path).source_descriptors(0)
    os.utime(corpus / "short.flac", ns=(1, 1))
    with pytest.raises(DatabaseError, match=r"00000.f32 is .*; run demiurge db verify --repair"):
        build_database(corpus, path)
    found = verify(path, repair=True)
    assert found.damaged
    build_database(corpus, path)
    assert rows(path) == before
    assert verify(path).ok


def test_changed_missing_and_unreadable_files_are_named(build, corpus, tabla):
    path = build()
    sf.write(corpus / "a" / "x.wav", tabla[:999], 44100)
    (corpus / "short.flac").unlink()
    found = verify(path)
    assert [name for name, _ in found.files] == ["a/x.wav", "short.flac"]
    assert "has changed since it was analysed" in found.files[0][1]
    assert "is gone" in found.files[1][1]
    assert not found.damaged
    assert not found.ok
    assert verify(path, check_files=False).ok


def test_verify_looks_for_files_where_it_is_told(build, corpus, tmp_path):
    path = build()
    corpus.rename(tmp_path / "moved")
    ((folder, problem),) = verify(path).files
    assert folder == str(corpus)
    assert problem.startswith("the corpus folder is gone; mount its disk")
    assert verify(path, root=tmp_path / "moved").ok


def test_broken_normaliser_and_units_are_found(build):
    path = build("onset")
    connection = sqlite3.connect(path / "manifest.sqlite")
    connection.execute("UPDATE normaliser SET std = zeroblob(8)")
    connection.execute(
        "UPDATE unit_spans SET lengths = zeroblob(length(lengths)) WHERE source_id = 1"
    )
    connection.commit()
    connection.close()
    assert verify(path).damaged == [
        ("table normaliser, row 0", "mean and std must be 212 bytes each, as the settings have it")
    ]
    with pytest.raises(DatabaseError, match=r"table normaliser, row 0: .* --repair"):
        Database(path)
    repaired = verify(path, repair=True)
    assert [problem for _, problem in repaired.damaged][1:] == [
        "its units do not tile it",
        "missing or not finite",
    ]
    assert verify(path).ok
    assert len(Database(path).sources) == 3
    assert np.isfinite(Database(path).normaliser.std).all()


def test_upkeep_of_nothing_is_refused(tmp_path):
    for act in (
        lambda: compact(tmp_path),
        lambda: remove_sources(tmp_path, ["*"]),
        lambda: verify(tmp_path, repair=True),
    ):
        with pytest.raises(DatabaseError, match="no database here"):
            act()


@pytest.mark.parametrize(
    "change", [lambda a: np.r_[a[0] + a[1], -1, a[2:-1], a[-1] + 1], lambda a: np.r_[a[:-1], 1]]
)
def test_units_that_do_not_tile_their_source_are_found(build, change):
    path = build("onset")
    with sqlite3.connect(path / "manifest.sqlite") as connection:
        query = "SELECT source_id, path, lengths FROM unit_spans JOIN sources ON id = source_id"
        source, name, blob = connection.execute(f"{query} WHERE unit_spans.n_rows > 2").fetchone()
        lengths = change(np.frombuffer(blob, "<i4")).astype("<i4").tobytes()
        connection.execute(
            "UPDATE unit_spans SET lengths = ? WHERE source_id = ?", (lengths, source)
        )
    connection.close()
    assert verify(path).damaged == [(name, "its units do not tile it")]
    with pytest.raises(DatabaseError, match=f"table unit_spans, source {source}: the lengths"):
        Database(path)
