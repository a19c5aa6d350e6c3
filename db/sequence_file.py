"""Sequences as JSON: the original Demiurge's columns `mfcc0`, `mfcc1`, …, one list each.

A forecast has one key more, `_demiurge`: format version, descriptor settings, model id and random
seed. An original descriptor file has `_id` and `_sample` instead; its windows were centred on each
frame's first sample.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from msgspec import Raw, Struct

from db.settings import DescriptorSettings
from files.atomic import write_text
from files.documents import parse_document
from files.errors import DatabaseError, ParameterError
from files.regular import read_regular

FORMAT_VERSION = 1
KEY = "_demiurge"
MAX_BYTES = 1 << 28
GIVE_ANOTHER = "give an audio or a forecast file"
WRITE_AGAIN = "write the file again"

T = TypeVar("T")


class HeaderDocument(Struct):
    """What a forecast says about itself; its origin is not read."""

    version: int
    descriptors: dict[str, Any]


def save_sequence(
    path: str | Path, sequence: np.ndarray, settings: DescriptorSettings, *, origin: dict[str, Any]
) -> None:
    """Write a sequence to a JSON file.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    origin : dict
        Its origin: model id, random seed, …; stored under `_demiurge`.

    Raises
    ------
    ParameterError
        If the file cannot be written.
    """
    header = {"version": FORMAT_VERSION, "descriptors": settings.to_dict(), **origin}
    columns = dict(zip(settings.names, sequence.T.tolist(), strict=True))
    write_text(path, json.dumps({KEY: header, **columns}, allow_nan=False))


def load_sequence(path: str | Path) -> tuple[np.ndarray, DescriptorSettings | None]:
    """Read a forecast or an original Demiurge descriptor file.

    Returns
    -------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    settings : DescriptorSettings, or None for an original file, which has no settings

    Raises
    ------
    ParameterError
        If it is not such a file, is of a newer version, or has columns that are missing, ragged or
        not finite.
    """
    path = Path(path)
    data = read_regular(path, error=ParameterError, remedy=GIVE_ANOTHER, max_bytes=MAX_BYTES)
    columns = parse_columns(data, str(path), GIVE_ANOTHER)
    if {"format", "steps", "sample_rate"} <= columns.keys():
        raise ParameterError(f"{path}: a plan, which demiurge playback renders; {GIVE_ANOTHER}")
    settings = _read_settings(path, columns)
    names = settings.names if settings else DescriptorSettings().names
    sequence = parse_rows(columns, names, str(path))
    if not len(sequence):
        raise ParameterError(f"{path}: 0 steps; a sequence needs at least one")
    is_finite = np.isfinite(sequence).all(axis=1)
    if not is_finite.all():
        raise ParameterError(
            f"{path}: step {int(is_finite.argmin())} is not finite; write the file again"
        )
    return sequence, settings


def parse_columns(data: bytes, where: str, remedy: str) -> dict[str, Raw]:
    """Return the values of a JSON object, which are not decoded yet."""
    return parse_document(data, dict[str, Raw], where=where, error=ParameterError, remedy=remedy)


def parse_column(columns: dict[str, Raw], name: str, kind: type[T], where: str) -> list[T]:
    """Return a column, a list of values of one type."""
    return parse_document(
        bytes(columns[name]),
        list[kind],  # type: ignore[valid-type]
        where=f"{where}: {name}",
        error=ParameterError,
        remedy=WRITE_AGAIN,
    )


def parse_rows(columns: dict[str, Raw], names: Sequence[str], where: str) -> np.ndarray:
    """Return columns of numbers as an array, float32, (steps, columns).

    Raises
    ------
    ParameterError
        If a column is missing, holds something else, or has another length than the first.
    """
    missing = [name for name in names if name not in columns]
    if missing:
        raise ParameterError(
            f"{where}: column {missing[0]} is missing ({len(missing)} of {len(names)}); give a"
            " Demiurge descriptor file"
        )
    arrays = []
    for name in names:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and refused as that
            arrays.append(np.array(parse_column(columns, name, float, where), np.float32))
        if len(arrays[-1]) != len(arrays[0]):
            raise ParameterError(
                f"{where}: column {name} has {len(arrays[-1])} values, {names[0]} has"
                f" {len(arrays[0])}; {WRITE_AGAIN}"
            )
    return np.stack(arrays, axis=1)


def _read_settings(path: Path, columns: dict[str, Raw]) -> DescriptorSettings | None:
    """Return the settings in a file's header, None if it has none."""
    if KEY not in columns:
        return None
    header = parse_document(
        bytes(columns[KEY]),
        HeaderDocument,
        where=f"{path}: {KEY}",
        error=ParameterError,
        remedy=WRITE_AGAIN,
    )
    if header.version != FORMAT_VERSION:
        raise ParameterError(
            f"{path}: forecast format {header.version}, but this Demiurge reads {FORMAT_VERSION};"
            " update Demiurge"
        )
    try:
        return DescriptorSettings.from_dict(header.descriptors)
    except (DatabaseError, ParameterError) as error:
        raise ParameterError(
            f"{path}: its descriptor settings are damaged ({error}); {WRITE_AGAIN}"
        ) from error
