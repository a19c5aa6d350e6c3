"""The config of a masked model's checkpoint, without torch."""

from pathlib import Path
from typing import Any

import msgspec

from training.checkpoint_config import read_config_as

KIND = "masked model"


class MaskedDocument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The config of a checkpoint."""

    kind: str
    version: int
    sizes: dict[str, Any]
    head_sizes: dict[str, Any]
    descriptors: dict[str, Any]
    descriptor_hash: str = ""
    training: dict[str, Any]


def read_masked_document(folder: str | Path) -> MaskedDocument:
    """Read the config of a masked model.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, of another kind or version.
    """
    return read_config_as(MaskedDocument, Path(folder), kind=KIND)
