"""File names: check that they are UTF-8, and make them printable."""

import os
import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from files.errors import AudioError, DemiurgeError

NUMBERED = re.compile(r"(.*?)([0-9]+)(\D*)")
FEWEST_SHORTENED = 3  # names numbered in a row, of which only the ends are listed
# control characters, bytes that are not UTF-8, line and paragraph separators
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# turn the direction of what follows; the letters of a language do so without them
DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def printable(text: str) -> str:
    r"""Return a text in a form that fits on one line.

    Line breaks, other control characters, and bytes of a file name that are not UTF-8 become
    escapes such as \n, \x1b and \udce9; so do marks that turn the direction of writing.
    """
    return "".join(
        letter if _is_printable(letter) else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _is_printable(letter: str) -> bool:
    return (
        unicodedata.category(letter) not in UNPRINTABLE
        and unicodedata.bidirectional(letter) not in DIRECTIONS
    )


def quoted(path: str | Path) -> str:
    """Return a path as a word of a command that people can copy into a shell.

    It is not taken for an option, and on one line whatever is in it.
    """
    text = str(path)
    if text.startswith("-"):
        text = f"./{text}"
    if all(map(_is_printable, text)):
        return shlex.quote(text)
    return f"$'{''.join(map(_escape, text))}'"


def _escape(letter: str) -> str:
    """Return a character as it may stand between $' and ' in bash, zsh and POSIX 2024 shells."""
    if letter in "\\'":
        return f"\\{letter}"
    if _is_printable(letter):
        return letter
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(letter))


def without_name(message: str, path: str | Path) -> str:
    """Remove a file's name or path from the start of a message, for a list that gives it."""
    name = printable(os.path.basename(path))
    before, found, rest = message.partition(f"{name}: ")
    return rest if found and (not before or before.endswith("/")) else message


def is_utf8(name: str) -> bool:
    """Return whether a file name is UTF-8; few libraries open others, and no plan can hold them."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def check_name(path: str | Path, error: type[DemiurgeError] = AudioError) -> None:
    """Raise `error` if a path contains bytes that are not UTF-8."""
    if not is_utf8(str(path)):
        raise error(f"{printable(str(path))}: its name is not valid UTF-8; rename it")


def listed(names: Iterable[str]) -> str:
    """Return names with commas, of those numbered in a row only the ends: `mfcc0 … mfcc12`."""
    rows: list[list[str]] = []
    expected = None
    for name in names:
        if name != expected:
            rows.append([])
        rows[-1].append(name)
        found = NUMBERED.fullmatch(name)
        expected = f"{found[1]}{int(found[2]) + 1}{found[3]}" if found else None
    return ", ".join(
        ", ".join(row) if len(row) < FEWEST_SHORTENED else f"{row[0]} … {row[-1]}" for row in rows
    )
