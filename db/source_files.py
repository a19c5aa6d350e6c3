"""Check that the files of sources are there."""

from collections.abc import Iterable, Sequence

from files.errors import DatabaseError
from files.roots import Roots

NAMED = 5  # sources, in an error


def check_are_there(roots: Roots, paths: Iterable[str]) -> None:
    """Raise a DatabaseError that names the sources which are not in the corpus folder."""
    missing = roots.find_missing(paths)
    if not missing:
        return
    is_one = len(missing) == 1
    count = "1 source is" if is_one else f"{len(missing)} sources are"
    raise DatabaseError(
        f"{count} not in {roots}: {first_few(missing)}; put {'it' if is_one else 'them'} back, name"
        " the folder with --root, or build the database again with --prune"
    )


def first_few(paths: Sequence[str]) -> str:
    """Return some names for an error."""
    return ", ".join(paths[:NAMED]) + (", …" if len(paths) > NAMED else "")
