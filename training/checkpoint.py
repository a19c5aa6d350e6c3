"""Checkpoints: a folder with config.json and model.safetensors.

No file is read in a way that could run code.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from files.atomic import make_folder, replacing
from files.errors import CheckpointError, DemiurgeError, ParameterError, system_reason
from files.system import LACK_OF_SPACE, advice_for
from training.checkpoint_config import CONFIG, VERSION, read_config
from training.stored_weights import decode_weights

WEIGHTS = "model.safetensors"
STATE = "training.pt"
SAVE_ERRORS = (OSError, RuntimeError, SafetensorError)  # raised by the libraries on a full disk


def holds_model(folder: Path) -> bool:
    """Return whether a folder holds a model, finished or in training."""
    return any((folder / name).is_file() for name in (WEIGHTS, STATE))


def save_checkpoint(
    folder: str | Path, *, kind: str, config: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Write a checkpoint.

    Each file is replaced as a whole, so a crash or a full disk leaves the last good one.

    Parameters
    ----------
    kind : str
        "forecaster", "vocoder", …
    config : dict
        All that is needed to rebuild the model, and how it was trained; JSON without NaN.
    tensors : dict of Tensor
        Weights and buffers by name, on any device.

    Raises
    ------
    ParameterError
        If the folder cannot be made or written, or the disk is full.
    """
    folder = Path(folder)
    make_folder(folder)
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    document = {"kind": kind, "version": VERSION, **config}
    with _explaining(folder):
        with replacing(folder / WEIGHTS) as temporary:
            save_file(on_cpu, temporary)
        with replacing(folder / CONFIG) as temporary:
            temporary.write_text(json.dumps(document, indent=1, allow_nan=False))


def load_checkpoint(folder: str | Path, *, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint of the given kind. Weights stored in 8 bits become float32.

    Returns
    -------
    config : dict
    tensors : dict of Tensor

    Raises
    ------
    CheckpointError
        If it is missing, damaged, of another kind, or of a newer version.
    """
    folder = Path(folder)
    config = read_config(folder, kind=kind)
    try:
        stored = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder / WEIGHTS}: damaged ({error}); train the model again or restore a copy"
        ) from error
    with rebuilding(folder / WEIGHTS):
        return config, decode_weights(stored)


@contextmanager
def rebuilding(folder: str | Path) -> Iterator[None]:
    """Turn errors of a block that rebuilds a model into a CheckpointError."""
    try:
        yield
    except DemiurgeError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split())  # torch's message has many lines
        raise CheckpointError(
            f"{folder}: its config and weights do not fit ({reason}); train the model again"
        ) from error


def save_training_state(folder: str | Path, state: dict[str, Any]) -> None:
    """Write the state needed to resume: tensors, plain values, lists and dicts of them."""
    folder = Path(folder)
    with _explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / STATE) as temporary:
            torch.save(state, temporary)


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    """Turn errors of a block that saves into a folder into a ParameterError with a remedy."""
    try:
        yield
    except SAVE_ERRORS as error:
        reason = system_reason(error)
        if "inline_container" in reason:  # torch gives only byte counts
            reason = "not everything could be written; the disk is probably full"
        advice = advice_for(error) if isinstance(error, OSError) else LACK_OF_SPACE
        remedy = f"{advice}, and run the command again"
        if holds_model(folder):
            remedy = f"the last save is intact: {remedy} (with --resume, training continues)"
        with suppress(OSError):
            folder.rmdir()  # if it is empty
        raise ParameterError(f"{folder}: cannot be saved ({reason}); {remedy}") from error


def load_training_state(folder: str | Path) -> dict[str, Any]:
    """Read what `save_training_state` wrote. Code in the file is refused, never run.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or something else.
    """
    path = Path(folder) / STATE
    if not path.is_file():
        raise CheckpointError(f"{folder}: nothing to resume (no {STATE}); train without --resume")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling and zip errors of many kinds
        raise CheckpointError(
            f"{path}: damaged ({str(error).splitlines()[0]}); start again with --force"
        ) from error
