"""Records: dataclasses in JSON files, checked on reading since users may edit them."""

import json
from dataclasses import MISSING, fields
from math import isfinite
from pathlib import Path
from stat import S_ISREG
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

MAX_BYTES = 1 << 20

Record = TypeVar("Record")


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a dataclass from the JSON file it was written to; each field must have its type.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a regular file of at most `MAX_BYTES`, or holds anything else.
    """
    status = path.stat()
    if not S_ISREG(status.st_mode):  # a pipe would block
        raise ValueError("it is not a regular file")
    if status.st_size > MAX_BYTES:
        raise ValueError(f"it has {status.st_size} bytes, the limit is {MAX_BYTES}")
    try:
        document = json.loads(path.read_text())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return as_record(kind, document)


def as_record(kind: type[Record], document: Any) -> Record:
    """Make a dataclass from a JSON document; raises ValueError as `read_record`."""
    if not isinstance(document, dict):
        raise ValueError(f"it holds a JSON {type(document).__name__}, not an object")
    hints = get_type_hints(kind)
    for name, value in document.items():
        if name not in hints or not _has_type(value, hints[name]):
            raise ValueError(f"{name}={value!r}"[:80])
    needed = (
        field.name
        for field in fields(kind)  # type: ignore[arg-type]
        if field.default is MISSING and field.default_factory is MISSING
    )
    if missing := [name for name in needed if name not in document]:
        raise ValueError(f"{', '.join(missing)} is missing")
    return kind(**document)


def _has_type(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_has_type(value, one) for one in get_args(hint))
    if get_origin(hint) is dict:
        value_hint = get_args(hint)[1]
        return isinstance(value, dict) and all(_has_type(one, value_hint) for one in value.values())
    if isinstance(value, float) and not isfinite(value):
        return False
    if hint is float:
        return type(value) in (int, float)
    return hint is Any or type(value) is hint
