"""Find the damage of a manifest: values outside their ranges, and rows that do not fit each other.

It is looked for once, when a manifest is opened, so that all other code may trust what it reads.
"""

import sqlite3
from collections.abc import Iterator
from itertools import chain
from typing import Any

from db.manifest_rows import bad_config, bad_normaliser, bad_rows, stored_settings
from db.manifest_rules import KEYS, RULES, SHOWN, TEXTS, Damage
from db.row_kinds import row_kinds
from db.schema import columns_of_version, schema_differences
from files.errors import DemiurgeError

MOST_SOURCES = 10_000_000
JOINED = 50_000  # texts that are looked at together
VALUE = (
    "CASE typeof({0}) WHEN 'null' THEN 'nothing' WHEN 'text' THEN quote(substr({0}, 1, 40))"
    " WHEN 'blob' THEN 'a blob of ' || length({0}) || ' bytes' ELSE quote({0}) END"
)


def schema_damage(connection: sqlite3.Connection, version: int) -> list[Damage]:
    """Return how the tables of a manifest differ from those of its version."""
    return [Damage("", (), problem) for problem in schema_differences(connection, version)]


def find_damage(
    connection: sqlite3.Connection, version: int, *, most: int = SHOWN
) -> Iterator[Damage]:
    """Yield the damage of a manifest that has the tables of version 3 or later.

    Rows that do not fit each other are only looked for if each value is within its range. At most
    `most` rows of each fault are found.

    Raises
    ------
    sqlite3.DatabaseError
        If its pages are damaged.
    """
    n_damaged = 0
    for damage in chain(_bad_values(connection, version, most), _bad_texts(connection, version)):
        n_damaged += 1
        yield damage
    if n_damaged:
        return
    config = dict(connection.execute("SELECT key, value FROM config"))
    n_sources = connection.execute("SELECT count(*) FROM sources").fetchone()[0]
    if n_sources > MOST_SOURCES:
        yield Damage("sources", (), f"it has {n_sources} rows, the limit is {MOST_SOURCES}")
    elif config or n_sources:  # else the first build never began
        yield from bad_config(config)
        try:
            settings = stored_settings(config)
        except (ValueError, DemiurgeError):
            return
        yield from bad_normaliser(connection, settings)
        for kind in row_kinds(settings):
            yield from bad_rows(connection, kind, settings, most)


def _bad_values(connection: sqlite3.Connection, version: int, most: int) -> Iterator[Damage]:
    """Yield the rows with a value that breaks its rule."""
    for table, names in columns_of_version(version).items():
        key, _ = KEYS[table]
        conditions = [RULES[table][name].condition.format(name) for name in names]
        first_broken = " ".join(
            f"WHEN ({condition}) IS NOT TRUE THEN {i}" for i, condition in enumerate(conditions)
        )
        query = (
            f"SELECT CASE {first_broken} END, {', '.join(key)},"
            f" {', '.join(VALUE.format(name) for name in names)}"
            f" FROM {table} WHERE ({' AND '.join(conditions)}) IS NOT TRUE LIMIT {most}"
        )
        for broken, *row in _lenient(connection, query):
            name = names[broken]
            value = row[len(key) + broken]
            problem = f"{name}={value} {RULES[table][name].words}"
            yield Damage(table, tuple(row[: len(key)]), problem)


def _lenient(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, even if texts are not UTF-8."""
    before = connection.text_factory
    connection.text_factory = lambda data: data.decode(errors="replace")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.text_factory = before


def _bad_texts(connection: sqlite3.Connection, version: int) -> Iterator[Damage]:
    """Yield the rows with a text that is not UTF-8, or with a path that leaves the corpus."""
    for table, names in columns_of_version(version).items():
        texts = [name for name in names if (table, name) in TEXTS]
        if not texts or not any(map(_is_suspicious, _joined_texts(connection, table, texts))):
            continue
        for name in texts:
            find = _path_problem if name == "path" else _text_problem
            query = f"SELECT CAST({name} AS BLOB), {', '.join(KEYS[table][0])} FROM {table}"
            for text, *row in _lenient(connection, f"{query} WHERE {name} IS NOT NULL"):
                if problem := find(text):
                    yield Damage(table, tuple(row), f"{name}={text[:40]!r} {problem}")


def _joined_texts(connection: sqlite3.Connection, table: str, names: list[str]) -> Iterator[bytes]:
    """Yield the texts of many rows at a time: one look at all of them is soon taken."""
    joined = " || char(10) || ".join(f"coalesce({name}, '')" for name in names)
    query = (
        f"SELECT CAST(group_concat({joined}, '/' || char(10) || '/') AS BLOB)"
        f" FROM (SELECT {', '.join(names)} FROM {table} LIMIT {JOINED} OFFSET ?)"
    )
    n_rows = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    for first in range(0, n_rows, JOINED):
        yield connection.execute(query, (first,)).fetchone()[0] or b""


def _is_suspicious(joined: bytes) -> bool:
    """Return whether one of these texts may be damaged.

    A path that begins with a slash does so after a slash; the dots of two paths stay apart.
    """
    return _path_problem(joined) is not None or b"\n//" in joined


def _text_problem(text: bytes) -> str | None:
    try:
        text.decode()
    except UnicodeDecodeError:
        return "must be UTF-8"
    return "must not contain a NUL" if b"\0" in text else None


def _path_problem(path: bytes) -> str | None:
    """Return the rule that a source's path breaks, if it does."""
    if path[:1] == b"/" or b"/../" in b"/" + path + b"/":
        return "must be a path within the corpus folder"
    return _text_problem(path)
