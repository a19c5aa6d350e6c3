"""Read the config.json of a checkpoint, without torch."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from files.documents import parse_document
from files.errors import CheckpointError
from files.regular import is_missing, read_regular

VERSION = 1
CONFIG = "config.json"
MAX_BYTES = 1 << 26  # it lists the files of the training data
REMEDY = "train the model again or restore a copy"

T = TypeVar("T")


class Head(msgspec.Struct):
    """What all checkpoints begin with."""

    kind: str
    version: int


def read_config(folder: Path, *, kind: str) -> dict[str, Any]:
    """Read the config of a model of the given kind; raises as `read_config_as`."""
    return read_config_as(dict[str, Any], folder, kind=kind)


def read_config_as(schema: type[T], folder: Path, *, kind: str) -> T:
    """Read the config of a model of the given kind as a value of the type `schema`.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, of another kind, or of a newer version.
    """
    return parse_config(config_bytes(folder, kind=kind), schema, folder)


def parse_config(data: bytes, schema: type[T], folder: Path) -> T:
    """Return what `config_bytes` read from a folder as a value of the type `schema`."""
    where = f"{folder / CONFIG}: damaged"
    return parse_document(data, schema, where=where, error=CheckpointError, remedy=REMEDY)


def config_bytes(folder: Path, *, kind: str) -> bytes:
    """Read the config of a model of the given kind; raises as `read_config_as`."""
    path = folder / CONFIG
    if is_missing(path):
        raise CheckpointError(
            f"{folder}: no model here (no {CONFIG}); train one, or check the name"
        )
    data = read_regular(path, error=CheckpointError, remedy=REMEDY, max_bytes=MAX_BYTES)
    head = parse_config(data, Head, folder)
    if head.version > VERSION:
        raise CheckpointError(
            f"{folder} is of version {head.version}, this Demiurge knows versions up to {VERSION};"
            " update Demiurge"
        )
    if head.kind != kind:
        raise CheckpointError(f"{folder} holds a {head.kind}, not a {kind}; give another model")
    return data
