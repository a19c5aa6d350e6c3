"""Checkpoints: a folder with config.json and model.safetensors. Nothing that could run code is ever
read.
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
from files.errors import CheckpointError, DemiurgeError, ParameterError
from training.checkpoint_config import CONFIG, VERSION, read_config

WEIGHTS = "model.safetensors"
STATE = "training.pt"


def holds_model(folder: Path) -> bool:
    """Whether a model, or one in training, lies in a folder."""
    return any((folder / name).is_file() for name in (WEIGHTS, STATE))


def save_checkpoint(
    folder: str | Path, *, kind: str, config: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Write a checkpoint; each file is replaced whole, so that a crash or a full disk leaves the
    last good one.

    Parameters
    ----------
    kind : str
        What can be rebuilt from it: "forecaster", "vocoder", …
    config : dict
        All that the model is rebuilt from, and whatever is worth knowing of its training; JSON, no
        NaN.
    tensors : dict of Tensor
        Its weights and buffers by name, on any device.

    Raises
    ------
    ParameterError
        If the folder cannot be made or written, or the disk is full.
    """
    folder = Path(folder)
    make_folder(folder)
    with _saving(folder):
        with replacing(folder / WEIGHTS) as temporary:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                temporary,
            )
        with replacing(folder / CONFIG) as temporary:
            temporary.write_text(
                json.dumps({"kind": kind, "version": VERSION, **config}, indent=1, allow_nan=False)
            )


def load_checkpoint(folder: str | Path, *, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint of the given kind.

    Returns
    -------
    config : dict
    tensors : dict of Tensor

    Raises
    ------
    CheckpointError
        If there is none, it is damaged, of another kind, or of a newer version.
    """
    folder = Path(folder)
    config = read_config(folder, kind=kind)
    try:
        return config, load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder / WEIGHTS}: damaged ({error}); train the model again or restore a copy"
        ) from error


@contextmanager
def rebuilding(folder: str | Path) -> Iterator[None]:
    """A block that makes a model of what `load_checkpoint` read; if its parts do not fit each
    other, a `CheckpointError`.
    """
    try:
        yield
    except DemiurgeError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split())  # torch says it in many lines
        raise CheckpointError(
            f"{folder}: its config and weights do not fit ({reason}); train the model again"
        ) from error


def save_training_state(folder: str | Path, state: dict[str, Any]) -> None:
    """Write all that training needs to go on: tensors, numbers, text, and lists and dicts of them."""
    folder = Path(folder)
    with _saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / STATE) as temporary:
            torch.save(state, temporary)


@contextmanager
def _saving(folder: Path) -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        RuntimeError,
        SafetensorError,
    ) as error:  # each library's way to say that the disk is full
        reason = getattr(error, "strerror", None) or str(error)
        if "inline_container" in reason:  # torch counts what it could write, and says no more
            reason = "not all of it could be written: the disk is full, most likely"
        if holds_model(folder):
            remedy = (
                "what was saved before is whole: make room, and give the command again (training"
                " goes on with --resume)"
            )
        else:
            remedy = "make room, and give the command again"
        with suppress(OSError):
            folder.rmdir()  # if nothing is in it
        raise ParameterError(f"{folder}: cannot be saved ({reason}); {remedy}") from error


def load_training_state(folder: str | Path) -> dict[str, Any]:
    """Read what `save_training_state` wrote. Code in the file is refused, never run.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged or not such a file.
    """
    path = Path(folder) / STATE
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: nothing to go on from (no {STATE}); train without --resume"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling and zip errors of many kinds
        raise CheckpointError(
            f"{path}: damaged ({str(error).splitlines()[0]}); train anew with --force"
        ) from error
