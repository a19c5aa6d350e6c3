"""The published weights of MusiCNN, read from the package `musicnn` without TensorFlow.

The package holds a TensorFlow checkpoint: all variables as raw float32 in the order of their names,
each trained one followed by two of the optimiser. The file is recognised by its SHA-256, so the
rest of the format (an index with checksums) need not be read.
"""

import hashlib
from itertools import count
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import CheckpointError
from files.regular import read_regular

DATA = ".data-00000-of-00001"
MAX_BYTES = 1 << 28
SHA256 = "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab"

# TensorFlow's names for our layers and their parts, and the order of the axes.
LAYERS = {
    nn.Conv2d: "conv2d",
    nn.Linear: "dense",
    nn.BatchNorm1d: "batch_normalization",
    nn.BatchNorm2d: "batch_normalization",
}
PARTS = {
    "conv2d": {"kernel": "weight", "bias": "bias"},
    "dense": {"kernel": "weight", "bias": "bias"},
    "batch_normalization": {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
}
AXES = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}

# Variables in the file that `MusicnnNetwork` lacks: the optimiser's.
NOT_TRAINED = ("beta1_power", "beta2_power", "moving_mean", "moving_variance")
OTHERS: dict[str, tuple[int, ...]] = {"beta1_power": (), "beta2_power": ()}


def load_weights(network: nn.Module, folder: str | Path, *, sha256: str = SHA256) -> None:
    """Copy the weights in a folder of the package into the network.

    Raises
    ------
    CheckpointError
        If the file is missing, or not the one with this hash.
    """
    targets = variables_of(network)
    values = read_variables(folder, targets, sha256=sha256)
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(torch.from_numpy(values[name]))


def variables_of(network: nn.Module) -> dict[str, Tensor]:
    """Return views of the weights with TensorFlow's names and axes.

    Layers of a kind are numbered there in the order in which they were made.
    """
    numbers = {kind: count() for kind in PARTS}
    variables = {}
    for layer in network.modules():
        kind = LAYERS.get(type(layer))
        if kind is None:
            continue
        number = next(numbers[kind])
        scope = f"{kind}_{number}" if number else kind
        state = layer.state_dict()
        for theirs, ours in PARTS[kind].items():
            weights = state[ours]
            variables[f"{scope}/{theirs}"] = weights.permute(AXES[weights.ndim])
    return variables


def read_variables(
    folder: str | Path, variables: dict[str, Tensor], *, sha256: str = SHA256
) -> dict[str, np.ndarray]:
    """Read the variables, and those of `OTHERS`, by name."""
    data = _read_file(Path(folder) / DATA, sha256)
    shapes = {name: tuple(tensor.shape) for name, tensor in variables.items()} | OTHERS
    found = {}
    offset = 0
    for name, shape in sorted(shapes.items()):
        size = prod(shape)
        found[name] = data[offset : offset + size].reshape(shape)
        is_trained = not name.endswith(NOT_TRAINED)
        offset += 3 * size if is_trained else size
    return found


def _read_file(path: Path, sha256: str) -> np.ndarray:
    remedy = "install the package musicnn again"
    data = read_regular(path, error=CheckpointError, remedy=remedy, max_bytes=MAX_BYTES)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise CheckpointError(
            f"{path}: damaged or of another version (SHA-256 {found[:12]}…, not {sha256[:12]}…);"
            f" {remedy}"
        )
    return np.frombuffer(data, "<f4").astype(np.float32)
