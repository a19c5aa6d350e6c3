"""Check tensors that were read against those of the model that they are for."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from files.errors import ParameterError
from files.ranges import shown

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
POSITIVE = ("std", "running_var")  # ends of the names of spreads


def check_shapes(found: Any, expected: Mapping[str, Tensor]) -> None:
    """Raise ParameterError unless tensors have the names, shapes and kinds of those expected.

    Nothing is allocated and no value is looked at, so that the tensors of either may have no
    memory.
    """
    if not isinstance(found, dict):
        raise ParameterError(f"{shown(found)} is not a list of tensors by name")
    if unknown := found.keys() - expected.keys():
        raise ParameterError(f"{shown(min(unknown, key=str))} is not known")
    for name, tensor in expected.items():
        if name not in found:
            raise ParameterError(f"{name} is missing")
        check_shape(name, found[name], tuple(tensor.shape), floats=tensor.is_floating_point())


def check_shape(name: str, tensor: Any, shape: tuple[int, ...], *, floats: bool = True) -> None:
    """Raise ParameterError unless `tensor` has a shape, and holds floats or integers."""
    if not isinstance(tensor, Tensor):
        raise ParameterError(f"{name}={shown(tensor)} is not a tensor")
    if tuple(tensor.shape) != shape:
        raise ParameterError(f"{name} has shape {tuple(tensor.shape)}, not {shape}")
    dtypes = FLOATS if floats else (torch.int64,)
    if tensor.dtype not in dtypes or tensor.layout != torch.strided:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ParameterError(f"{name} is of the kind {kind}")


def check_values(tensors: Mapping[str, Tensor]) -> None:
    """Raise ParameterError unless all values are finite, and those of spreads positive."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ParameterError(f"{name} holds NaN or infinite values")
        if name.endswith(POSITIVE) and not (tensor > 0).all():
            raise ParameterError(f"{name} must be positive")
