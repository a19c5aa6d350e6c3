"""Edits of an SQLite database by hand: cells, rows, tables, and what stands in a table's place."""

import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

from scripts.fuzz import hostile_values
from scripts.fuzz.edit_json import edit_json

ATTEMPTS = 12  # an edit that the schema forbids is followed by another
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {columns} FROM n"


def edit_sqlite(path: Path, rng: Random) -> None:
    """Make one edit that SQLite accepts."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("PRAGMA ignore_check_constraints = ON")
        for _attempt in range(ATTEMPTS):
            try:
                rng.choice(EDITS)(connection, rng)
                return
            except (sqlite3.Error, OverflowError, UnicodeError):
                continue


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """Return the tables; views that an earlier edit has put there may never end."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    return [name for (name,) in connection.execute(query)]


def some_table(connection: sqlite3.Connection, rng: Random) -> str:
    return rng.choice(tables_of(connection))


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def some_cell(connection: sqlite3.Connection, rng: Random) -> tuple[str, str, dict[str, Any]]:
    """Return a table, one of its columns, and a row of it by column."""
    table = some_table(connection, rng)
    columns = columns_of(connection, table)
    rows = connection.execute(f'SELECT * FROM "{table}"').fetchmany(200)
    if not rows:
        raise sqlite3.DataError(f"{table} is empty")
    return table, rng.choice(columns), dict(zip(columns, rng.choice(rows), strict=True))


def update(
    connection: sqlite3.Connection, table: str, column: str, row: dict[str, Any], value: Any
) -> None:
    """Set a cell of the rows that are equal to this one."""
    same = " AND ".join(f'"{name}" IS ?' for name in row)
    statement = f'UPDATE "{table}" SET "{column}" = ? WHERE {same}'
    connection.execute(statement, [value, *row.values()])


def change_cell(connection: sqlite3.Connection, rng: Random) -> None:
    table, column, row = some_cell(connection, rng)
    old = row[column]
    if isinstance(old, bytes):
        value: Any = change_blob(old, rng)
    elif isinstance(old, str) and old.startswith("{"):
        value = edit_json(old, rng)
    elif rng.random() < 0.3:
        value = hostile_values.like(old, rng)
    else:
        value = hostile_values.plain(rng)
    update(connection, table, column, row, value)


def change_blob(old: bytes, rng: Random) -> Any:
    number = struct.pack("<i", hostile_values.integer(rng) % 2**31 * rng.choice((1, -1)))
    at = rng.randrange(max(len(old) // 4, 1)) * 4
    choices = (
        old[:-1],
        old[: len(old) // 2],
        old + old,
        b"",
        bytes(len(old)),
        b"\xff" * len(old),
        old[:at] + number + old[at + 4 :],
        old[:at] + struct.pack("<f", float("nan")) + old[at + 4 :],
        hostile_values.plain(rng),
    )
    return rng.choice(choices)


def copy_cell(connection: sqlite3.Connection, rng: Random) -> None:
    """Put a value of another row or column into a cell."""
    table, column, row = some_cell(connection, rng)
    _, other, values = some_cell(connection, rng)
    update(connection, table, column, row, values[other])


def delete_rows(connection: sqlite3.Connection, rng: Random) -> None:
    table = some_table(connection, rng)
    where = rng.choice(("", " WHERE rowid = (SELECT max(rowid) FROM {table})"))
    connection.execute(f'DELETE FROM "{table}"' + where.format(table=f'"{table}"'))


def delete_row(connection: sqlite3.Connection, rng: Random) -> None:
    table, _, row = some_cell(connection, rng)
    same = " AND ".join(f'"{name}" IS ?' for name in row)
    connection.execute(f'DELETE FROM "{table}" WHERE {same}', list(row.values()))


def repeat_row(connection: sqlite3.Connection, rng: Random) -> None:
    """Insert a copy of a row with one value changed."""
    table, column, row = some_cell(connection, rng)
    row[column] = hostile_values.like(row[column], rng)
    marks = ", ".join("?" * len(row))
    connection.execute(f'INSERT INTO "{table}" VALUES ({marks})', list(row.values()))


def drop_table(connection: sqlite3.Connection, rng: Random) -> None:
    connection.execute(f'DROP TABLE "{some_table(connection, rng)}"')


def rename_table(connection: sqlite3.Connection, rng: Random) -> None:
    table = some_table(connection, rng)
    connection.execute(f'ALTER TABLE "{table}" RENAME TO "{table}_before"')


def replace_by_view(connection: sqlite3.Connection, rng: Random) -> None:
    """Put a view in the place of a table: of its rows, twice its rows, or one that never ends."""
    table = some_table(connection, rng)
    columns = columns_of(connection, table)
    connection.execute(f'ALTER TABLE "{table}" RENAME TO "{table}_before"')
    names = ", ".join(f'i AS "{column}"' for column in columns)
    texts = ", ".join(f"printf('%1000000d', i) AS \"{column}\"" for column in columns)
    rows = f'SELECT * FROM "{table}_before"'
    queries = (
        rows,
        f"{rows} UNION ALL {rows}",
        ENDLESS.format(columns=names),
        ENDLESS.format(columns=texts),
    )
    connection.execute(f'CREATE VIEW "{table}" AS {rng.choice(queries)}')


def add_trigger(connection: sqlite3.Connection, rng: Random) -> None:
    table = some_table(connection, rng)
    when = rng.choice(("INSERT", "UPDATE", "DELETE"))
    actions = (
        f'DELETE FROM "{table}"',
        "SELECT RAISE(ABORT, 'no')",
        "SELECT RAISE(IGNORE)",
        f"SELECT count(*) FROM ({ENDLESS.format(columns='i')})",
    )
    connection.execute(
        f'CREATE TRIGGER added BEFORE {when} ON "{table}" BEGIN {rng.choice(actions)}; END'
    )


def change_columns(connection: sqlite3.Connection, rng: Random) -> None:
    table = some_table(connection, rng)
    column = rng.choice(columns_of(connection, table))
    statement = rng.choice(
        (
            f'DROP COLUMN "{column}"',
            f'RENAME COLUMN "{column}" TO "other"',
            'ADD COLUMN "more" TEXT',
        )
    )
    connection.execute(f'ALTER TABLE "{table}" {statement}')


def generate_column(connection: sqlite3.Connection, rng: Random) -> None:
    """Make a table's copy with a column that is computed, and without its constraints."""
    table = some_table(connection, rng)
    columns = columns_of(connection, table)
    computed = rng.choice(columns)
    definitions = ", ".join(
        f'"{name}"' + (" AS (zeroblob(100000000))" if name == computed else "") for name in columns
    )
    stored = ", ".join(f'"{name}"' for name in columns if name != computed)
    connection.execute(f'ALTER TABLE "{table}" RENAME TO "{table}_before"')
    connection.execute(f'CREATE TABLE "{table}" ({definitions})')
    connection.execute(f'INSERT INTO "{table}" ({stored}) SELECT {stored} FROM "{table}_before"')


def loosen_table(connection: sqlite3.Connection, rng: Random) -> None:
    """Make a table's copy without types and constraints, and put a hostile value into it."""
    table = some_table(connection, rng)
    connection.execute(f'CREATE TABLE loose AS SELECT * FROM "{table}"')
    connection.execute(f'DROP TABLE "{table}"')
    connection.execute(f'ALTER TABLE loose RENAME TO "{table}"')
    column = rng.choice(columns_of(connection, table))
    value = hostile_values.plain(rng)
    connection.execute(f'UPDATE "{table}" SET "{column}" = ?', [value])


def change_version(connection: sqlite3.Connection, rng: Random) -> None:
    version = rng.choice((-1, 0, 1, 2, 3, 4, 99, 2**31 - 1))
    connection.execute(f"PRAGMA user_version = {version}")


def change_schema(connection: sqlite3.Connection, rng: Random) -> None:
    """Write into the schema itself."""
    connection.execute("PRAGMA writable_schema = ON")
    table = some_table(connection, rng)
    column = rng.choice(("rootpage", "sql", "name", "type"))
    value = rng.choice((hostile_values.integer(rng), None, "", "CREATE TABLE x (y)", "index"))
    statement = f"UPDATE sqlite_master SET {column} = ? WHERE name = ?"
    connection.execute(statement, [value, table])


EDITS = (
    *(change_cell,) * 10,
    *(copy_cell, delete_rows, delete_row, delete_row, repeat_row, drop_table, rename_table),
    *(replace_by_view, replace_by_view, add_trigger, change_columns, generate_column),
    *(loosen_table, loosen_table, change_version, change_schema),
)
