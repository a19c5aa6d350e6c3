"""Sequences as JSON: the original Demiurge's columns `mfcc0`, `mfcc1`, …, one list each.

A forecast has those columns and one key more, `_demiurge`: format version, descriptor settings,
model id, random seed. An original descriptor file has `_id` and `_sample` beside them; it was made
with windows centred on each span's start.
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
    """Write a sequence.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    origin : dict
        What made it: model id, random seed, …; stored under `_demiurge`.

    Raises
    ------
    ParameterError
        If the file cannot be written.
    """
    columns = {
        name: column.tolist() for name, column in zip(settings.names, sequence.T, strict=True)
    }
    header = {"version": FORMAT_VERSION, "descriptors": settings.to_dict(), **origin}
    write_text(path, json.dumps({KEY: header, **columns}, allow_nan=False))


def load_sequence(path: str | Path) -> tuple[np.ndarray, DescriptorSettings | None]:
    """Read a forecast or an original Demiurge descriptor file.

    Returns
    -------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
    settings : DescriptorSettings, or None for an original file, which states none

    Raises
    ------
    ParameterError
        If it is not such a file, of a newer version, or its columns are ragged, missing or not
        finite.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ParameterError(
            f"{path}: not a readable descriptor file ({error}); give an audio or a forecast file"
        ) from error
    header = document.get(KEY) if isinstance(document, dict) else None
    if isinstance(header, dict) and header.get("version") != FORMAT_VERSION:
        raise ParameterError(
            f"{path}: forecast format {header.get('version')}, this Demiurge reads"
            f" {FORMAT_VERSION}; update Demiurge"
        )
    try:
        settings = DescriptorSettings.from_dict(header["descriptors"]) if header else None
    except (KeyError, TypeError, ValueError) as error:
        raise ParameterError(
            f"{path}: its descriptor settings are not whole ({error}); write the file again"
        ) from error
    names = settings.names if settings else DescriptorSettings().names
    missing = [name for name in names if not isinstance(document, dict) or name not in document]
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
    if not np.isfinite(sequence).all():
        raise ParameterError(
            f"{path}: step {int(np.argwhere(~np.isfinite(sequence))[0, 0])} is not finite; write"
            " the file again"
        )
    return sequence, settings
