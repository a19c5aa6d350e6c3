"""Names that people and their browsers give: as they are shown, and as they can stand in a folder."""

import re

from files.errors import ParameterError

SHOWN_LETTERS = 80
STEM_LETTERS = 50  # 200 bytes at most, where file systems allow 255


def shown_name(name: str) -> str:
    """The last part of a file's name, in letters that can be shown; its suffix stays when it is
    shortened.
    """
    shown = "".join(
        letter for letter in re.split(r"[/\\]", name)[-1] if letter.isprintable()
    ).strip()
    stem, dot, suffix = shown.rpartition(".")
    if dot and len(suffix) <= 5:
        return f"{stem[: SHOWN_LETTERS - len(suffix) - 1]}.{suffix}"
    return shown[:SHOWN_LETTERS] or "seed"


def file_stem(name: str) -> str:
    """What of a name can be in the name of a file on any system.

    Raises
    ------
    ParameterError
        If that is nothing.
    """
    kept = re.sub(r"[^\w .,()+-]+", "-", name).strip(" .-")[:STEM_LETTERS].strip(" .-")
    if not kept:
        raise ParameterError(f"{name[:STEM_LETTERS]!r} is no name; give one of letters and digits")
    return kept
