"""Read and check the files of published checkpoints. Code in them is refused, never run."""

import math
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from tokenize import TokenError

import numpy as np
import torch
from torch import Tensor

from files.errors import CheckpointError
from files.regular import read_regular
from training.tensor_file import load_tensors

MAX_STATISTIC = 1 << 20  # bytes
# of a header that is none; NumPy reads it as Python's words
NOT_NPY = (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError)
SHOWN_NAMES = 3  # in a message


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, bare or as `{"generator": state_dict}`.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, holds code or no weights.
    """
    state = load_tensors(path, remedy="give the published checkpoint, or download it again")
    if isinstance(state, dict) and isinstance(state.get("generator"), dict):
        state = state["generator"]
    if not isinstance(state, dict) or not all(isinstance(part, Tensor) for part in state.values()):
        what = some_of(state) if isinstance(state, dict) else f"a {type(state).__name__}"
        raise CheckpointError(
            f"{path}: holds {what}, not the weights of a generator by name; give another file"
        )
    if sum(tensor.nbytes for tensor in state.values()) > path.stat().st_size:
        raise CheckpointError(f"{path}: damaged (its weights overlap); download it again")
    return {str(name): tensor for name, tensor in state.items()}


def read_statistic(path: Path, n_mels: int) -> Tensor:
    """Read a number for each mel band from a .npy file.

    Raises
    ------
    CheckpointError
        If it cannot be read or holds something else.
    """
    remedy = "give the statistics of this model"
    data = read_regular(path, error=CheckpointError, remedy=remedy, max_bytes=MAX_STATISTIC)
    try:
        shape, dtype, start = _npy_header(data)
    except NOT_NPY as error:
        raise CheckpointError(f"{path}: not a .npy file of numbers; {remedy}") from error
    n_values = math.prod(shape)
    if dtype.kind not in "fiu" or n_values != n_mels or len(data) < start + n_mels * dtype.itemsize:
        raise CheckpointError(
            f"{path}: must hold {n_mels} numbers, one for each mel band; {remedy}"
        )
    return torch.from_numpy(np.frombuffer(data, dtype, n_mels, start).astype(np.float32))


def _npy_header(data: bytes) -> tuple[tuple[int, ...], np.dtype, int]:
    """Return the shape, the type and the place of the first value."""
    stream = BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("unknown version")
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read(stream)
    return shape, dtype, stream.tell()


def some_of(names: Collection[str]) -> str:
    """Return a text of the first names and the number of others."""
    shown = sorted(map(str, names))[:SHOWN_NAMES]
    n_more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {n_more} more" if n_more else "")
