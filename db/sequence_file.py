"""Sequences as JSON: the original Demiurge's columns `mfcc0`, `mfcc1`, …, one list each.

A forecast has one key more, `_demiurge`: format version, descriptor settings, model id and random
seed. An original descriptor file has `_id` and `_sample` instead; its windows were centred on each
frame's first sample.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from db.settings import DescriptorSettings
from files.atomic import write_text
from files.errors import ParameterError

FORMAT_VERSION = 1
KEY = "_demiurge"


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
    document = _read_document(path)
    settings = _read_settings(path, document)
    names = settings.names if settings else DescriptorSettings().names
    missing = [name for name in names if name not in document]
    if missing:
        raise ParameterError(
            f"{path}: column {missing[0]} is missing ({len(missing)} of {len(names)}); give a"
            " Demiurge descriptor file"
        )
    try:
        sequence = np.array([document[name] for name in names], np.float32).T
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"{path}: its columns are not lists of numbers of one length ({error}); write the file"
            " again"
        ) from error
    if sequence.ndim != 2 or not len(sequence):
        raise ParameterError(f"{path}: 0 steps; a sequence needs at least one")
    is_finite = np.isfinite(sequence).all(axis=1)
    if not is_finite.all():
        raise ParameterError(
            f"{path}: step {int(is_finite.argmin())} is not finite; write the file again"
        )
    return sequence, settings


def _read_document(path: Path) -> dict[str, Any]:
    """Read a JSON file; anything but an object counts as empty."""
    try:
        document = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ParameterError(
            f"{path}: not a readable descriptor file ({error}); give an audio or a forecast file"
        ) from error
    return document if isinstance(document, dict) else {}


def _read_settings(path: Path, document: dict[str, Any]) -> DescriptorSettings | None:
    """Return the settings in a file's header, None if it has none."""
    header = document.get(KEY)
    if header is None:
        return None
    if isinstance(header, dict) and header.get("version") != FORMAT_VERSION:
        raise ParameterError(
            f"{path}: forecast format {header.get('version')}, but this Demiurge reads"
            f" {FORMAT_VERSION}; update Demiurge"
        )
    try:
        return DescriptorSettings.from_dict(header["descriptors"])
    except (KeyError, TypeError, ValueError) as error:
        raise ParameterError(
            f"{path}: its descriptor settings are damaged ({error}); write the file again"
        ) from error
