"""Tags: words that people give to sources, to filter by later.

A source keeps its tags when it is analysed again or renamed.
"""

import re
from collections.abc import Mapping, Set
from pathlib import Path

from db.maintain import match_sources
from db.transaction import transaction
from db.write_lock import writing
from files.errors import ParameterError

TAG = re.compile(r"[^\s,*?\[\]]+")


def tag_sources(
    path: str | Path, pattern: str, tags: list[str], *, remove: bool = False
) -> list[str]:
    """Add tags to sources, or remove them.

    Parameters
    ----------
    pattern : str
        See `db.source_names`.

    Returns
    -------
    list of str
        The paths that match, sorted.

    Raises
    ------
    ParameterError
        If the pattern matches nothing, or a tag is not a single word; then nothing is changed.
    DatabaseError
        If the database cannot be opened for writing.
    """
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise ParameterError(
                f"tag {tag!r} must be one word without spaces, commas, *, ? or brackets"
            )
    if remove:
        change = "DELETE FROM tags WHERE path = ? AND tag = ?"
    else:
        change = "INSERT OR IGNORE INTO tags VALUES (?, ?)"
    with writing(Path(path)) as connection:
        matched = match_sources(connection, pattern)
        rows = [(name, tag) for name in matched for tag in tags]
        with transaction(connection):
            connection.executemany(change, rows)
    return matched


def copy_tags(path: str | Path, tags: Mapping[str, Set[str]]) -> None:
    """Give the sources of a database these tags, by path, in the place of those they have.

    Raises
    ------
    DatabaseError
        If the database cannot be opened for writing.
    """
    rows = [(source, tag) for source, words in tags.items() for tag in words]
    with writing(Path(path)) as connection, transaction(connection):
        connection.execute("DELETE FROM tags")
        connection.executemany("INSERT INTO tags VALUES (?, ?)", rows)
