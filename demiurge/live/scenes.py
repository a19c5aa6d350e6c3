"""Keep the scenes of a session in a JSON file."""

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from demiurge.live.controls import MOST_SCENES
from demiurge.live.knobs import Knobs
from files.atomic import write_text
from files.documents import read_document
from files.errors import ParameterError

VERSION = 1
MAX_BYTES = 1 << 22


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    scenes: dict[str, dict[str, Any]]


def load_scenes(path: str | Path) -> dict[int, Knobs]:
    """Return the scenes of a file by number; none if it does not exist.

    Raises
    ------
    ParameterError
        If it cannot be read or holds something else.
    """
    if not Path(path).exists():
        return {}
    remedy = "correct it or remove it"
    kept = read_document(path, _File, error=ParameterError, remedy=remedy, max_bytes=MAX_BYTES)
    scenes = {}
    for text, knobs in kept.scenes.items():
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
        if str(number) != text or number >= MOST_SCENES:
            raise ParameterError(
                f"{path}: scene {text!r} must have a number from 0 to {MOST_SCENES - 1}; {remedy}"
            )
        try:
            scenes[number] = Knobs.from_dict(knobs)
        except ParameterError as error:
            raise ParameterError(f"{path}: scene {number}: {error}; {remedy}") from error
    return scenes


def save_scenes(scenes: dict[int, Knobs], path: str | Path) -> None:
    """Write or replace a file of scenes; raises a ParameterError if it cannot be written."""
    facts = {str(number): scenes[number].to_dict() for number in sorted(scenes)}
    document = {"version": VERSION, "scenes": facts}
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
