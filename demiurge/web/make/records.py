"""Records: dataclasses in JSON files, checked on reading since users may edit them."""

from dataclasses import MISSING, Field, fields
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from files.documents import read_document
from files.errors import ParameterError

Record = TypeVar("Record")


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a dataclass from the JSON file it was written to; each field must have its type.

    Raises
    ------
    ValueError
        If the file cannot be read, or holds anything else.
    """
    document = read_document(path, dict[str, Any], error=ParameterError, remedy="remove it")
    return as_record(kind, document)


def as_record(kind: type[Record], document: Any) -> Record:
    """Make a dataclass from a JSON document; raises ValueError as `read_record`."""
    if not isinstance(document, dict):
        raise ValueError(f"it holds a JSON {type(document).__name__}, not an object")
    hints = get_type_hints(kind)
    for name, value in document.items():
        if name not in hints or not _has_type(value, hints[name]):
            raise ValueError(f"{name}={value!r}"[:80])
    if missing := [field.name for field in required_fields(kind) if field.name not in document]:
        raise ValueError(f"it has no {missing[0]}")
    return kind(**document)


def required_fields(kind: Any) -> list[Field]:
    """Return the fields of a dataclass that have no default."""
    return [
        field
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    ]


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
