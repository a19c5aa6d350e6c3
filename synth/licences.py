"""The licence of published weights, as their folder states it."""

import re
from pathlib import Path

from files.errors import CheckpointError
from files.regular import read_regular

MAX_BYTES = 1 << 22
REMEDY = "remove the file, or download it again"
FRONT_MATTER = re.compile(r"\A\s*---\s*\n(?P<lines>.*?)\n---", re.DOTALL)
LICENCE = re.compile(r"^license:[ \t]*(?:\n\s*-\s*)?['\"]?(?P<name>\w[\w.+-]*)", re.MULTILINE)
OTHER = re.compile(r"^license_name:\s*['\"]?(?P<name>\w[\w.+-]*)", re.MULTILINE)
FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENSE_weights", "COPYING")
UNKNOWN = "unknown"
# of models whose folder does not say, by the last part of their name on Hugging Face
PUBLISHED = {
    "encodec_32khz": "CC-BY-NC-4.0",
    "dac_16khz": "MIT",
    "dac_24khz": "MIT",
    "dac_44khz": "MIT",
    "mimi": "CC-BY-4.0",
}


def licence_of(folder: Path, hub_id: str | None = None) -> str:
    """Return the licence of the weights in a folder, "unknown" if nothing tells.

    It is what the folder states, or what is known of the model called `hub_id` or as the folder. It
    is never guessed from the sizes of the network: weights that others trained have the same.
    """
    stated = stated_licence(folder)
    if stated != UNKNOWN:
        return stated
    return (
        PUBLISHED.get((hub_id or "").rpartition("/")[2])
        or PUBLISHED.get(folder.resolve().name)
        or UNKNOWN
    )


def stated_licence(folder: Path) -> str:
    """Return the licence that a folder states, or "unknown".

    It is `license` in the head of README.md, or else the first line of a licence's file.
    """
    return (
        _stated(folder / "README.md")
        or next(filter(None, (_title(folder / name) for name in FILES)), None)
        or UNKNOWN
    )


def _stated(readme: Path) -> str | None:
    head = FRONT_MATTER.match(_text(readme))
    if head is None or (found := LICENCE.search(head["lines"])) is None:
        return None
    named = OTHER.search(head["lines"])
    return (named or found)["name"] if found["name"] == "other" else found["name"]


def _title(path: Path) -> str | None:
    lines = (line.strip(" #*=-\t") for line in _text(path).splitlines())
    return next(filter(None, lines), None)


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    data = read_regular(path, error=CheckpointError, remedy=REMEDY, max_bytes=MAX_BYTES)
    return data.decode(errors="replace")


def shown_licence(licence: str) -> str:
    """Return what to tell a user about a licence."""
    if licence == UNKNOWN:
        return "unknown; look at the page that the weights come from"
    is_non_commercial = "nc" in re.split(r"[^a-z]+", licence.lower())
    return f"{licence}, not for commercial use" if is_non_commercial else licence
