"""Read and check the files of published checkpoints. Code in them is refused, never run."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from files.errors import CheckpointError

SHOWN_NAMES = 3  # in a message


def is_integer(value: Any) -> bool:
    return type(value) is int


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


def is_list_of_integers(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_integer, value))


def is_list_of_lists(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_list_of_integers, value))


CONFIG_KINDS: dict[str, Callable[[Any], bool]] = {
    "an integer": is_integer,
    "a list of integers": is_list_of_integers,
    "a list of lists of integers": is_list_of_lists,
    "a number": is_number,
    "a number or null": lambda value: value is None or is_number(value),
    "1 or 2": lambda value: value in (1, 2, "1", "2"),
}


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, bare or as `{"generator": state_dict}`.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, holds code or no weights.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; give the published checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling and zip errors of many kinds
        raise CheckpointError(
            f"{path}: cannot be read as weights; it is damaged, or holds code, which is never run:"
            " download it again"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("generator"), dict):
        state = state["generator"]
    if not isinstance(state, dict) or not all(isinstance(part, Tensor) for part in state.values()):
        what = some_of(state) if isinstance(state, dict) else f"a {type(state).__name__}"
        raise CheckpointError(
            f"{path}: holds {what}, not the weights of a generator by name; give another file"
        )
    return state


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    CheckpointError
        If it cannot be read or is something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); give the JSON with the model's sizes"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: is not JSON ({error}); write the model's sizes as a JSON object"
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{path}: holds a {type(values).__name__}; write the model's sizes as a JSON object"
        )
    return values


def check_config(path: Path, values: dict[str, Any], kinds: dict[str, str]) -> None:
    """Raise CheckpointError if a value is missing or not of the type given in `kinds`."""
    if missing := [name for name in kinds if name not in values]:
        raise CheckpointError(
            f"{path}: {', '.join(missing)} are missing; add the values the model was trained with"
        )
    if "sampling_rate" in values:
        kinds = {**kinds, "sampling_rate": "an integer"}
    for name, kind in kinds.items():
        if not CONFIG_KINDS[kind](values[name]):
            raise CheckpointError(f"{path}: {name}={values[name]!r} must be {kind}")


def read_statistic(path: Path, n_mels: int) -> Tensor:
    """Read a number for each mel band from a .npy file.

    Raises
    ------
    CheckpointError
        If it cannot be read or holds something else.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as .npy numbers ({error}); give the file of the training data"
        ) from error
    is_array = isinstance(values, np.ndarray)
    if not is_array or values.size != n_mels or values.dtype.kind not in "fiu":
        raise CheckpointError(
            f"{path}: must hold {n_mels} numbers, one for each mel band; give the statistics of"
            " this model"
        )
    return torch.from_numpy(values.reshape(n_mels).astype(np.float32))


def some_of(names: Collection[str]) -> str:
    """Return a text of the first names and the number of others."""
    shown = sorted(map(str, names))[:SHOWN_NAMES]
    n_more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {n_more} more" if n_more else "")
