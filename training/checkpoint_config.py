"""Read the config.json of a checkpoint, without torch."""

import json
from pathlib import Path
from typing import Any

from files.errors import CheckpointError

VERSION = 1
CONFIG = "config.json"


def read_config(folder: Path, *, kind: str) -> dict[str, Any]:
    """Read the config of a model of the given kind.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, of another kind, or of a newer version.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: no model here (no {CONFIG}); train one, or check the name"
        )
    try:
        config = json.loads(path.read_text())
        found_kind = config["kind"]
        version = config["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: damaged ({error!r}); train the model again or restore a copy"
        ) from error
    if not isinstance(version, int) or version > VERSION:
        raise CheckpointError(
            f"{folder} is of version {version}, this Demiurge knows versions up to {VERSION};"
            " update Demiurge"
        )
    if found_kind != kind:
        raise CheckpointError(f"{folder} holds a {found_kind}, not a {kind}; give another model")
    return config
