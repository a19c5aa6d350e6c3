"""Choose sources by their names, or by patterns of names."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def fitting_sources(paths: Iterable[str], pattern: str) -> set[str]:
    """Return the paths that a name or a pattern means.

    A path as the database has it means itself, even if it contains brackets. In any other text *, ?
    and [abc] stand for letters, which include /.
    """
    known = set(paths)
    if pattern in known:
        return {pattern}
    return {path for path in known if fnmatchcase(path, pattern)}
