"""Why a source may not be played, found out without decoding it."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from files.hashing import hash_file
from files.roots import Roots
from playback.steps import lies_outside


def find_problem(
    roots: Roots, source: str, stamp: dict[str, Any] | None, *, outside: bool
) -> str | None:
    """Return why a source may not be read at all, if so.

    Parameters
    ----------
    stamp : dict, optional
        What identifies its file, as in a plan's `sources`.
    outside : bool
        Whether sources outside of the corpus folder may be read.

    Raises
    ------
    FetchError
        If it is an object that cannot be looked at.
    """
    is_outside = lies_outside(source)
    if is_outside and not outside:
        return f"outside of the corpus folder {roots}; only demiurge playback plays it"
    now = roots.stamp_of(source)
    if now is None:
        return "missing" + ("" if roots.is_remote(source) else _resembling(roots.file_of(source)))
    if _has_changed(roots, source, now, stamp, surely=is_outside):
        return "not the file that the plan was made from"
    return None


def _resembling(path: Path) -> str:
    """Return a hint at a file with a similar name, or "" if there is none."""
    if not path.parent.is_dir():
        return ""
    names = [other.name for other in path.parent.iterdir() if other.is_file()]
    found = get_close_matches(path.name, names, 1, 0.8)
    return f"; did you mean {found[0]}?" if found else ""


def _has_changed(
    roots: Roots,
    source: str,
    now: tuple[int, int],
    stamp: dict[str, Any] | None,
    *,
    surely: bool,
) -> bool:
    """Return whether a source differs from its stamp; without one nothing is known to have changed.

    Its content is only read if its date differs. If it must `surely` be the file, it must have a
    stamp, and its content is always read.
    """
    if surely:
        return stamp is None or hash_file(roots.file_of(source)) != stamp["hash"]
    if stamp is None:
        return False
    n_bytes, modified_ns = now
    if n_bytes != stamp["bytes"]:
        return True
    return modified_ns != stamp["modified_ns"] and (
        hash_file(roots.file_of(source)) != stamp["hash"]
    )
