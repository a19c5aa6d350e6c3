"""Versions of the manifest: each migration makes the next one of the one before."""

import sqlite3


def m001_sources_and_spans(connection: sqlite3.Connection) -> None:
    """Configuration, sources, where each source's rows are, and the normaliser."""
    _execute_each(
        connection,
        """
        CREATE TABLE config (key TEXT PRIMARY KEY, value TEXT NOT NULL);
        CREATE TABLE sources (
            id INTEGER PRIMARY KEY,
            path TEXT NOT NULL UNIQUE,       -- relative to the corpus root, with /
            content_hash TEXT NOT NULL,      -- of the file's bytes
            n_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,       -- with n_bytes: a quick sign that nothing changed
            sample_rate INTEGER NOT NULL,    -- of the file, Hz
            channels INTEGER NOT NULL,
            n_samples INTEGER NOT NULL,      -- at the database's sample rate
            state TEXT NOT NULL CHECK (state IN ('ok', 'failed')),
            error TEXT
        );
        CREATE TABLE spans (
            source_id INTEGER PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
            shard INTEGER NOT NULL,
            first_row INTEGER NOT NULL,
            n_rows INTEGER NOT NULL,
            crc32 INTEGER NOT NULL
        );
        CREATE TABLE shards (
            shard INTEGER PRIMARY KEY,
            n_rows INTEGER NOT NULL          -- committed length, dead rows included
        );
        CREATE TABLE normaliser (
            id INTEGER PRIMARY KEY CHECK (id = 0),
            mean BLOB NOT NULL,
            std BLOB NOT NULL
        )
        """,
    )


def m002_units(connection: sqlite3.Connection) -> None:
    """Units longer than a frame: where their rows are, and how long each is."""
    _execute_each(
        connection,
        """
        CREATE TABLE unit_spans (
            source_id INTEGER PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
            shard INTEGER NOT NULL,
            first_row INTEGER NOT NULL,
            n_rows INTEGER NOT NULL,
            crc32 INTEGER NOT NULL,
            lengths BLOB NOT NULL            -- samples of each unit, little-endian int32
        );
        CREATE TABLE unit_shards (shard INTEGER PRIMARY KEY, n_rows INTEGER NOT NULL);
        UPDATE sources SET n_bytes = -1      -- content was hashed otherwise: read every file again
        """,
    )


def m003_tags(connection: sqlite3.Connection) -> None:
    """Words that people give to sources, by path.

    A source that is analysed again gets a new row in `sources`, but keeps its tags.
    """
    connection.execute(
        "CREATE TABLE tags (path TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (path, tag)) WITHOUT"
        " ROWID"
    )


def m004_readers_and_warnings(connection: sqlite3.Connection) -> None:
    """Which version of our reading of audio a source was read by, and what it warned of."""
    _execute_each(
        connection,
        """
        ALTER TABLE sources ADD COLUMN reader INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE sources ADD COLUMN warning TEXT
        """,
    )


MIGRATIONS = (m001_sources_and_spans, m002_units, m003_tags, m004_readers_and_warnings)


def _execute_each(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):  # executescript would commit first
        connection.execute(statement)
