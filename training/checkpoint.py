"""Checkpoints: a folder with config.json and model.safetensors.

No file is read in a way that could run code.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from files.atomic import make_folder, replacing
from files.errors import CheckpointError, DemiurgeError, ParameterError, system_reason
from files.regular import is_missing, open_regular
from files.system import LACK_OF_SPACE, advice_for
from training.blueprint import Blueprint
from training.check_tensors import check_shapes, check_values
from training.checkpoint_config import CONFIG, REMEDY, VERSION
from training.stored_weights import decode_weights
from training.tensor_file import load_tensors

WEIGHTS = "model.safetensors"
STATE = "training.pt"
TRAIN_ANEW = "train anew with --force"
MAX_HEADER = 1 << 24  # bytes; 150 are usual for a tensor
SAVE_ERRORS = (OSError, RuntimeError, SafetensorError)  # raised by the libraries on a full disk

Model = TypeVar("Model", bound=nn.Module)


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


def load_weights(folder: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint. Those stored in 8 bits become float32.

    Raises
    ------
    CheckpointError
        If they are missing or damaged.
    """
    path = Path(folder) / WEIGHTS
    with open_regular(path, error=CheckpointError, remedy=REMEDY) as file:
        n_bytes = int.from_bytes(file.read(8), "little")  # of the names and shapes
    if n_bytes > MAX_HEADER:
        raise CheckpointError(f"{path}: damaged (its header is too long); {REMEDY}")
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); {REMEDY}") from error
    with rebuilding(path):
        return decode_weights(stored)


def rebuild(folder: str | Path, build: Callable[[], Model], tensors: dict[str, Tensor]) -> Model:
    """Build a model and load its weights, ready to use.

    Memory is taken for it only if the weights fit it.

    Raises
    ------
    CheckpointError
        If its config or its weights break a rule, or they do not fit each other.
    """
    with rebuilding(folder), Blueprint():
        expected = build().state_dict()
    try:
        check_shapes(tensors, expected)
    except ParameterError as error:
        raise CheckpointError(
            f"{folder}: its config and weights do not fit ({error}); {REMEDY}"
        ) from error
    with rebuilding(folder):
        check_values(tensors)
        model = build()
    model.load_state_dict(tensors)
    return model.eval()


@contextmanager
def rebuilding(folder: str | Path) -> Iterator[None]:
    """Turn errors of a block that rebuilds a model into a CheckpointError."""
    try:
        yield
    except DemiurgeError as error:
        raise CheckpointError(f"{folder}: {error}; {REMEDY}") from error


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


def load_training_state(folder: str | Path) -> Any:
    """Read what `save_training_state` wrote. Code in the file is refused, never run.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or something else.
    """
    path = Path(folder) / STATE
    if is_missing(path):
        raise CheckpointError(f"{folder}: nothing to resume (no {STATE}); train without --resume")
    return load_tensors(path, remedy=TRAIN_ANEW)
