"""Records: dataclasses in JSON files, checked on reading since users may edit them."""

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Raw

from files.documents import check_depth, parse_document
from files.errors import DemiurgeError, ParameterError
from files.regular import read_regular

MAX_BYTES = 1 << 20
REMEDY = "remove it"

Record = TypeVar("Record")


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a dataclass from the JSON file it was written to; each field must have its type.

    Raises
    ------
    ParameterError
        If the file cannot be read, or holds anything else.
    """
    data = read_regular(path, error=ParameterError, remedy=REMEDY, max_bytes=MAX_BYTES)
    return parse_record(data, kind, where=str(path), error=ParameterError, remedy=REMEDY)


def parse_record(
    data: bytes, kind: Any, *, where: str, error: type[DemiurgeError], remedy: str
) -> Any:
    """Make a dataclass from JSON; raises `error` as `read_record`."""
    values = parse_document(data, dict[str, Raw], where=where, error=error, remedy=remedy)
    names = [field.name for field in fields(kind)]
    if unknown := sorted(values.keys() - set(names)):
        raise error(f"{where}: {unknown[0]!r:.40} is not known; {remedy}")
    record = parse_document(data, kind, where=where, error=error, remedy=remedy)
    try:
        check_depth(list(vars(record).values()))
    except ValueError as problem:
        raise error(f"{where}: {problem}; {remedy}") from None
    return record
