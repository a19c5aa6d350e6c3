"""What was written to be there after a restart, read again: somebody may have edited it."""

import json
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def read_record(kind: type[Record], path: Path) -> Record:
    """A dataclass of the JSON file that it was written to, each field of the type that the class
    says.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds anything else.
    """
    try:
        document = json.loads(path.read_text())
    except RecursionError as error:
        raise ValueError("too many brackets") from error
    return as_record(kind, document)


def as_record(kind: type[Record], document: Any) -> Record:
    """As `read_record`, of what was read. Raises ValueError as it does."""
    if not isinstance(document, dict):
        raise ValueError(f"a JSON {type(document).__name__}, no object")
    hints = get_type_hints(kind)
    for name, value in document.items():
        if name not in hints or not _fits(value, hints[name]):
            raise ValueError(f"{name}={value!r}"[:80])
    try:
        return kind(**document)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(
            _fits(one, get_args(hint)[1]) for one in value.values()
        )
    if isinstance(value, float) and not isfinite(value):
        return False
    if hint is float:
        return type(value) in (int, float)
    return hint is Any or type(value) is hint
