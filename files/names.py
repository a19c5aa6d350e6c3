"""File names: check that they are UTF-8, and make them printable."""

import unicodedata
from pathlib import Path

from files.errors import AudioError, DemiurgeError

# control characters, bytes that are not UTF-8, line and paragraph separators
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Return a text in a form that fits on one line.

    Line breaks, other control characters, and bytes of a file name that are not UTF-8 become
    escapes such as \n, \x1b and \udce9.
    """
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in UNPRINTABLE
        else letter
        for letter in text
    )


def is_utf8(name: str) -> bool:
    """Return whether a file name is UTF-8; few libraries open others, and no plan can hold them."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def check_name(path: str | Path, error: type[DemiurgeError] = AudioError) -> None:
    """Raise `error` if a path contains bytes that are not UTF-8."""
    if not is_utf8(str(path)):
        raise error(f"{printable(str(path))}: its name is not valid UTF-8; rename it")
