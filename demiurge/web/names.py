"""Make names given by users and browsers safe to show, or to use as file names."""

import re

from files.errors import ParameterError
from files.names import printable

SHOWN_LETTERS = 80
STEM_LETTERS = 50  # at most 200 bytes, where file systems allow 255


def shown_name(name: str) -> str:
    """Return the last part of a file name, printable and short; the suffix is kept."""
    last = re.split(r"[/\\]", name)[-1]
    shown = printable(last).strip()
    stem, dot, suffix = shown.rpartition(".")
    if dot and len(suffix) <= 5:
        return f"{stem[: SHOWN_LETTERS - len(suffix) - 1]}.{suffix}"
    return shown[:SHOWN_LETTERS] or "seed"


def file_stem(name: str) -> str:
    """Return the part of a name that is allowed in a file name on any system.

    Raises
    ------
    ParameterError
        If nothing is left.
    """
    kept = re.sub(r"[^\w .,()+-]+", "-", name).strip(" .-")[:STEM_LETTERS].strip(" .-")
    if not kept:
        raise ParameterError(
            f"{name[:STEM_LETTERS]!r} cannot be a file name; use letters and digits"
        )
    return kept
