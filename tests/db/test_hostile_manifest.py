"""Manifests that were altered: each is read right, or refused in one line, and can be repaired."""

import os
import random
import re
import shutil
import sqlite3
import time
from contextlib import closing, suppress

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.interchange import export_database
from db.maintain import compact
from db.manifest import connect, open_manifest
from db.settings import DescriptorSettings
from db.tags import tag_sources
from db.verify import verify
from demiurge.cli.db import database_facts
from files.errors import DatabaseError, DemiurgeError

NOT_UTF8 = object()
HOSTILE = (
    *(None, -1, 0, 2**62, -(2**63), 1e308, 1.5, "", "x", "../x", "/etc/passwd", "a\0b"),
    *("x" * 10**6, b"", b"\0", b"\xff" * 8, '{"a":' * 1000, NOT_UTF8),
)
CASES = 40
SECONDS = 5.0  # that any of these may take


@pytest.fixture(scope="module")
def healthy(tmp_path_factory, tabla):
    """Databases of frames and of onsets, and their corpus."""
    folder = tmp_path_factory.mktemp("healthy")
    (folder / "corpus").mkdir()
    for i in range(3):
        sf.write(folder / "corpus" / f"{i}.wav", tabla[: 20_000 + 3000 * i], 44100)
    (folder / "corpus" / "text.wav").write_text("not audio")
    for units in ("frame", "onset"):
        path = folder / units
        build_database(folder / "corpus", path, settings=DescriptorSettings(units=units))
        tag_sources(path, "*", ["drums"])
        with closing(sqlite3.connect(path / "manifest.sqlite")) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    return folder


@pytest.fixture
def copy(healthy, tmp_path):
    def copy(units: str):
        return shutil.copytree(healthy / units, tmp_path / "db")

    return copy


def altering(path) -> sqlite3.Connection:
    """A connection that may break the rules of the tables."""
    connection = sqlite3.connect(path / "manifest.sqlite", isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def put(path, table: str, row: int, column: str, value) -> None:
    """Put a value into a cell, whatever the table's rules are."""
    rules = "UPDATE sqlite_master SET sql = ? WHERE name = ?"
    with closing(altering(path)) as connection:
        query = "SELECT sql FROM sqlite_master WHERE name = ?"
        before = connection.execute(query, (table,)).fetchone()[0]
        connection.execute(rules, (before.replace("NOT NULL", ""), table))
    with closing(altering(path)) as connection:
        keys = primary_key(connection, table)
        place = f"SELECT {', '.join(keys)} FROM {table} LIMIT 1 OFFSET {row}"
        key = connection.execute(place).fetchone()
        where = " AND ".join(f"{name} IS ?" for name in keys)
        new = "CAST(x'ff80' AS TEXT)" if value is NOT_UTF8 else "?"
        parameters = key if value is NOT_UTF8 else (value, *key)
        change = f"UPDATE OR REPLACE {table} SET {column} = {new} WHERE {where}"
        with suppress(sqlite3.IntegrityError):  # an id can only be an integer
            connection.execute(change, parameters)
        connection.execute(rules, (before, table))


def primary_key(connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]]


def cells(path) -> list[tuple[str, int, str]]:
    """Table, row and column of each value of a manifest."""
    with closing(sqlite3.connect(path / "manifest.sqlite")) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return [
            (table, row, column[1])
            for (table,) in connection.execute(query).fetchall()
            for row in range(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            for column in connection.execute(f"PRAGMA table_info({table})")
        ]


def attempt(function, *arguments, **options) -> str:
    """Return what came of a call: "" if it succeeded, or the error in one line."""
    started = time.monotonic()
    try:
        function(*arguments, **options)
        message = ""
    except DemiurgeError as error:
        message = str(error)
    assert time.monotonic() - started < SECONDS
    assert "\n" not in message
    assert len(message) < 1000
    return message


def read_all(path) -> None:
    """Read what a database holds."""
    database = Database(path)
    database_facts(path, database)
    assert len(database.units) == len(database.descriptors)
    for number in range(len(database.sources)):
        database.source_frames(number)
    if database.sources:
        database.normaliser.apply(database.descriptors)


def assert_is_right_or_refused(path, corpus) -> None:
    """Try everything, then repair the database; it must be whole then, or say what is lost."""
    refused = attempt(read_all, path)
    attempt(export_database_of, path, path.parent / "table.csv")
    if not refused or "--repair" in refused:  # else there is nothing to verify
        found = verify(path, check_files=False)
        assert not refused or not found.ok
    for act in (
        lambda: tag_sources(path, "*", ["loud"]),
        lambda: compact(path),
        lambda: build_database(corpus, path, executor="serial"),
    ):
        attempt(act)
    if (lost := attempt(verify, path, repair=True, check_files=False)) != "":
        assert "lost" in lost or "version" in lost
        return
    assert attempt(build_database, corpus, path, executor="serial", moved=True) == ""
    assert [source.path for source in Database(path).sources] != []
    read_all(path)
    assert {source.path for source in Database(path).sources} >= {"0.wav", "1.wav", "2.wav"}
    assert verify(path, root=corpus, check_files=False).ok


def export_database_of(path, file) -> None:
    export_database(Database(path), file, format="csv")


@pytest.mark.parametrize("units", ["frame", "onset"])
def test_any_value_in_any_cell(healthy, tmp_path, units):
    rng = random.Random(units)
    places = cells(healthy / units)
    for case in range(CASES):
        path = shutil.copytree(healthy / units, tmp_path / str(case))
        cell = rng.choice(places)
        value = rng.choice(HOSTILE)
        put(path, *cell, value)
        assert_is_right_or_refused(path, healthy / "corpus")
        shutil.rmtree(path)


TABLES = (
    *("config", "sources", "spans", "shards", "normaliser"),
    *("unit_spans", "unit_shards", "tags"),
)
ALTERATIONS = {
    "no rows": ("DELETE FROM {0}",),
    "no table": ("DROP TABLE {0}",),
    "view": ("ALTER TABLE {0} RENAME TO other", "CREATE VIEW {0} AS SELECT * FROM other"),
    "endless view": (
        "DROP TABLE {0}",
        "CREATE VIEW {0} AS WITH RECURSIVE r (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r)"
        " SELECT id, id AS source_id, id AS shard, id AS n_rows FROM r",
    ),
    "trigger": ("CREATE TRIGGER t AFTER INSERT ON {0} BEGIN DELETE FROM config; END",),
    "generated column": ("ALTER TABLE {0} ADD COLUMN more AS (1)",),
    "one more column": ("ALTER TABLE {0} ADD COLUMN more INTEGER",),
    "virtual table": ("DROP TABLE {0}", "CREATE VIRTUAL TABLE {0} USING fts5(path)"),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_any_table_altered(healthy, tmp_path, alteration):
    for table in TABLES:
        path = shutil.copytree(healthy / "onset", tmp_path / table)
        with closing(altering(path)) as connection:
            for statement in ALTERATIONS[alteration]:
                connection.execute(statement.format(table))
        assert_is_right_or_refused(path, healthy / "corpus")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE spans SET first_row = -5 WHERE source_id = 3",
            "table spans, source 3: first_row=-5 must be an integer from 0 to 1073741824",
        ),
        ("UPDATE spans SET crc32 = 1.5", "crc32=1.5 must be an integer from 0 to 4294967295"),
        ("UPDATE spans SET n_rows = x'00'", "n_rows=a blob of 1 bytes must be an integer"),
        ("UPDATE spans SET first_row = 1000000", "rows 1000000 to .* lie outside of shard 0"),
        ("UPDATE spans SET first_row = 0", "its rows overlap those of source"),
        ("DELETE FROM spans WHERE source_id = 2", "source 2: it has no row in table spans"),
        ("UPDATE shards SET n_rows = 4", "lie outside of shard 0, which has 4"),
        ("UPDATE sources SET n_samples = 7 WHERE id = 1", "source 1: n_samples=7 does not fit its"),
        ("UPDATE sources SET path = '../x' WHERE id = 1", "must be a path within the corpus"),
        ("UPDATE sources SET path = '/x' WHERE id = 1", "must be a path within the corpus"),
        ("UPDATE sources SET path = 'a/../../x' WHERE id = 1", "must be a path within"),
        ("UPDATE sources SET state = 'failed' WHERE id = 1", "it failed, but it has a row"),
        ("UPDATE normaliser SET std = mean", "table normaliser, row 0: std must be above 0"),
        ("UPDATE unit_spans SET lengths = x'00'", "lengths=a blob of 1 bytes must be 4 bytes for"),
        ("UPDATE tags SET tag = x'00'", "table tags, tag .*: tag=a blob of 1 bytes must be text"),
        ("DELETE FROM config WHERE key = 'id'", "table config: id is missing"),
        ("CREATE VIEW v AS SELECT 1", "view v does not belong there"),
        ("ANALYZE", "table sqlite_stat1 does not belong there"),
    ],
)
def test_what_is_damaged_is_named_with_the_remedy(copy, statement, told):
    path = copy("onset")
    with closing(altering(path)) as connection:
        connection.execute(statement)
    with pytest.raises(DatabaseError, match=told) as error:
        Database(path)
    assert str(error.value).startswith(f"{path}/manifest.sqlite: ")
    assert "run demiurge db verify --repair" in str(error.value)
    assert any(re.search(told, f"{place}: {problem}") for place, problem in verify(path).damaged)


def test_pages_that_name_each_other_in_circles_end(copy):
    """A tree of 12 pages, each of which names the next one hundreds of times."""
    path = copy("frame")
    manifest = path / "manifest.sqlite"
    with closing(altering(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tags'")
        root = root.fetchone()[0]
        last = connection.execute("PRAGMA page_count").fetchone()[0]
    content = bytearray(manifest.read_bytes())
    pages = [root, *range(last + 1, last + 9)]
    content += bytes(size * 8)
    for page, following in zip(pages, [*pages[1:], None], strict=True):
        content[(page - 1) * size : page * size] = index_page(size, following)
    content[28:32] = (last + 8).to_bytes(4, "big")
    manifest.write_bytes(content)
    assert "reading it does not end; the manifest is damaged: run" in attempt(Database, path)
    assert verify(path).damaged[0][0] == "manifest.sqlite"
    assert verify(path, repair=True).damaged
    assert len(Database(path).sources) == 3
    assert verify(path).ok


def index_page(size: int, child: int | None, cells: int = 150) -> bytes:
    """A page of an index of two texts: a leaf, or one that names the same page in all its cells."""
    record = bytes([3, 15, 15]) + b"aa"  # header of 3 bytes, two texts of 1 byte
    cell = (child.to_bytes(4, "big") if child else b"") + bytes([len(record)]) + record
    start = size - cells * len(cell)
    head = bytes([2 if child else 10, 0, 0]) + cells.to_bytes(2, "big") + start.to_bytes(2, "big")
    head += b"\0" + (child.to_bytes(4, "big") if child else b"")
    pointers = b"".join((start + i * len(cell)).to_bytes(2, "big") for i in range(cells))
    page = head + pointers
    return page + bytes(start - len(page)) + cell * cells


@pytest.mark.parametrize("name", ["manifest.sqlite", "manifest.sqlite-journal"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_refused_at_once(copy, name, kind):
    path = copy("frame")
    (path / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path / name)
    elif kind == "folder":
        (path / name).mkdir()
    else:
        (path / name).symlink_to("/dev/zero")
    for act in (Database, verify, compact):
        assert "not a file" in attempt(act, path)


@pytest.mark.parametrize("kind", ["missing", "short", "pipe", "folder", "device", "circle"])
def test_shards_that_cannot_be_read_are_named_and_repaired(copy, healthy, kind):
    path = copy("frame")
    shard = path / "shards" / "00000.f32"
    content = shard.read_bytes()
    shard.unlink()
    if kind == "short":
        shard.write_bytes(content[:4000])
    elif kind == "pipe":
        os.mkfifo(shard)
    elif kind == "folder":
        shard.mkdir()
    elif kind == "device":
        shard.symlink_to("/dev/zero")
    elif kind == "circle":
        shard.symlink_to(shard.name)
    told = {
        "missing": "is missing",
        "short": "is 4000 bytes long",
        "circle": "cannot be read (Too many levels of symbolic links)",
    }.get(kind, "not a regular file")
    assert told in attempt(read_all, path)
    for act in (compact, lambda path: build_database(healthy / "corpus", path)):
        assert told in attempt(act, path)
    found = verify(path, repair=True)
    assert {name for name, _ in found.damaged} >= {"1.wav", "2.wav"}
    build_database(healthy / "corpus", path)
    read_all(path)
    assert verify(path, root=healthy / "corpus").ok


def test_a_folder_in_place_of_a_shard_is_kept_if_it_holds_something(copy, healthy):
    path = copy("frame")
    (path / "shards" / "00000.f32").unlink()
    for number in (0, 7):
        folder = path / "shards" / f"{number:05d}.f32"
        folder.mkdir()
        (folder / "notes.txt").touch()
        told = attempt(verify, path, repair=True)
        assert told.startswith(f"{folder} is in the place of a shard")
        assert "remove it, then run the same command again" in told
        if number == 7:
            assert attempt(build_database, healthy / "corpus", path) == told
        (folder / "notes.txt").unlink()
        assert verify(path, repair=True)
        build_database(healthy / "corpus", path)
        assert verify(path, root=healthy / "corpus").ok


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_in_place_of_the_folder_of_shards_is_named(copy, healthy, kind):
    path = copy("frame")
    shards = path / "shards"
    shutil.rmtree(shards)
    if kind == "file":
        shards.touch()
    else:
        shards.symlink_to(shards.name)
    told = f"{shards} is not a folder, but should hold the rows of the database; remove it"
    for act in (compact, lambda path: build_database(healthy / "corpus", path)):
        assert told in attempt(act, path)
    assert str(shards) in attempt(verify, path, repair=True)
    shards.unlink()
    assert "run demiurge db verify --repair" in attempt(build_database, healthy / "corpus", path)
    assert verify(path, repair=True).damaged
    build_database(healthy / "corpus", path)
    assert verify(path, root=healthy / "corpus").ok


def test_rows_are_not_given_up_if_their_folder_cannot_be_listed(copy, monkeypatch):
    path = copy("frame")
    (path / "shards" / "00000.f32").write_bytes(b"short")

    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr("db.shards.os.listdir", refuse)
    assert "shards: cannot be read (Permission denied)" in attempt(verify, path, repair=True)


def test_repair_keeps_all_that_is_whole(copy, healthy):
    path = copy("onset")
    before = Database(path)
    put(path, "unit_spans", 1, "crc32", "text")
    put(path, "tags", 0, "tag", b"x")
    found = verify(path, repair=True)
    assert dict(found.damaged) == {
        "table unit_spans, source 2": "crc32='text' must be an integer from 0 to 4294967295",
        "table tags, tag 0.wav, b'x'": "tag=a blob of 1 bytes must be text of 1 to 1000 letters",
        "table sources, source 2": "it has no row in table unit_spans",
    }
    after = Database(path)
    assert after.id == before.id
    assert set(after.sources) < set(before.sources)
    assert len(after.sources) == 2
    assert len(after.tags) == 3
    assert after.failures == before.failures
    np.testing.assert_array_equal(
        after.source_descriptors(0), before.source_descriptors(0), strict=True
    )


def test_a_database_whose_settings_are_lost_says_so(copy):
    path = copy("frame")
    with closing(altering(path)) as connection:
        connection.execute("UPDATE config SET value = '{}' WHERE key = 'descriptors'")
    assert "build another database in a new folder" in attempt(Database, path)
    assert "its settings are lost" in attempt(verify, path, repair=True)
    before = (path / "manifest.sqlite").read_bytes()
    assert "its settings are lost" in attempt(verify, path, repair=True)
    assert (path / "manifest.sqlite").read_bytes() == before
    assert not (path / "manifest.new.sqlite").exists()


def test_manifest_is_opened_with_its_safeguards(copy):
    with closing(connect(copy("frame"), write=False)) as connection:
        for pragma, value in (("trusted_schema", 0), ("cell_size_check", 1)):
            assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)
        with pytest.raises(sqlite3.DataError, match="too big"):
            connection.execute("SELECT zeroblob(300000000)")
        endless = "WITH RECURSIVE r (x) AS (SELECT 1 UNION ALL SELECT x FROM r)"
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(f"{endless} SELECT max(x) FROM r").fetchone()


def test_a_manifest_of_which_nothing_can_be_read_is_not_repaired(copy):
    path = copy("frame")
    with open(path / "manifest.sqlite", "r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)  # the schema
    with pytest.raises(DatabaseError, match="cannot be repaired; restore a copy"):
        verify(path, repair=True)
    assert not (path / "manifest.new.sqlite").exists()


@pytest.mark.parametrize("write", [False, True])
def test_a_schema_that_is_not_text_is_told(copy, write):
    path = copy("frame")
    with closing(altering(path)) as connection:
        connection.execute(
            "UPDATE sqlite_master SET name = CAST(x'ff87' AS TEXT), sql = 'no' WHERE name = 'tags'"
        )
    with pytest.raises(DatabaseError, match="the manifest is damaged"):
        open_manifest(path, write=write)
