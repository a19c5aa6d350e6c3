"""Read a checkpoint as it was saved, without building its model."""

from pathlib import Path
from typing import Any

from torch import Tensor

from training.checkpoint import load_weights
from training.checkpoint_config import read_config


def load_checkpoint(folder: Path, *, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the config and the weights of a model."""
    return read_config(folder, kind=kind), load_weights(folder)
