"""The tables that a manifest of each version has: those, and nothing that runs by itself."""

import re
import sqlite3
from contextlib import closing
from functools import cache

from db.migrations import MIGRATIONS

COMMENT = re.compile(r"--[^\n]*")
TOKEN = re.compile(r"\w+|[^\w\s]")

Schema = dict[tuple[str, str], str]  # kind and name of each object -> its normalised SQL


def read_schema(connection: sqlite3.Connection) -> Schema:
    """Return what a database holds: tables and indexes, and maybe views and triggers."""
    query = "SELECT type, name, sql FROM sqlite_master LIMIT 100"
    return {(kind, name): _normalise(sql or "") for kind, name, sql in connection.execute(query)}


def _normalise(sql: str) -> str:
    return " ".join(TOKEN.findall(COMMENT.sub("", sql)))


@cache
def schema_of_version(version: int) -> Schema:
    """Return what the migrations up to a version make."""
    with closing(make_tables(":memory:", version)) as connection:
        return read_schema(connection)


def make_tables(path: str, version: int) -> sqlite3.Connection:
    """Make a manifest of a version without any rows, and return the open connection to it."""
    connection = sqlite3.connect(path, isolation_level=None)
    for migration in MIGRATIONS[:version]:
        migration(connection)
    connection.execute(f"PRAGMA user_version = {version}")
    return connection


@cache
def columns_of_version(version: int) -> dict[str, list[str]]:
    """Return the columns of each table of a version."""
    with closing(make_tables(":memory:", version)) as connection:
        names = [name for kind, name in schema_of_version(version) if kind == "table"]
        return {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for name in names
        }


def schema_differences(connection: sqlite3.Connection, version: int) -> list[str]:
    """Return in words how the objects of a database differ from those of a version."""
    found = read_schema(connection)
    expected = schema_of_version(version)
    return [
        *(f"{kind} {name} is missing" for kind, name in expected.keys() - found.keys()),
        *(f"{kind} {name} does not belong there" for kind, name in found.keys() - expected.keys()),
        *(
            f"{kind} {name} has other columns than those of version {version}"
            for kind, name in expected.keys() & found.keys()
            if found[kind, name] != expected[kind, name]
        ),
    ]
