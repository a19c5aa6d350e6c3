"""How weights are stored: as they are, in half precision, or matrices in 8 bits.

In 8 bits, every row of a weight, a slice of its first axis, has a scale; symmetric quantisation of
weights as in arXiv 2004.09602, section 3. The weight NAME is stored as two tensors:

    NAME.int8   int8, the weight's shape: round(weight / scale), -127 to 127
    NAME.scale  float32, shape (rows,): the largest magnitude in the row / 127

So a value is off by at most half the scale, 1/254 of the largest in its row.
"""

import torch
from torch import Tensor

from files.errors import ParameterError

INT8 = ".int8"
SCALE = ".scale"
LARGEST = 127


def encode_weights(tensors: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return float tensors as they are stored in `dtype`.

    With int8, tensors of fewer than two axes, such as biases, are stored as they are.

    Raises
    ------
    ParameterError
        If values that are not finite should become int8.
    """
    if dtype != torch.int8:
        return {name: tensor.to(dtype) for name, tensor in tensors.items()}
    encoded = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2:
            encoded[name] = tensor
            continue
        if not tensor.isfinite().all():
            raise ParameterError(f"{name} holds NaN or infinite values; train the model again")
        rows = tensor.detach().float().flatten(1)
        scale = rows.abs().amax(1) / LARGEST
        divisor = torch.where(scale > 0, scale, 1.0)[:, None]
        rounded = (rows / divisor).round().clamp(-LARGEST, LARGEST)
        encoded[name + INT8] = rounded.to(torch.int8).view_as(tensor)
        encoded[name + SCALE] = scale
    return encoded


def decode_weights(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo `encode_weights`: tensors in 8 bits become float32, others stay as they are.

    Raises
    ------
    ParameterError
        If a scale is missing or does not fit.
    """
    decoded = dict(stored)
    for name in stored:
        if name.endswith(INT8):
            weight = name.removesuffix(INT8)
            decoded[weight] = _decode(weight, decoded.pop(name), decoded.pop(weight + SCALE, None))
    return decoded


def _decode(name: str, rounded: Tensor, scale: Tensor | None) -> Tensor:
    if rounded.dtype != torch.int8 or rounded.ndim < 2:
        raise ParameterError(
            f"{name}{INT8} is {rounded.dtype} of shape {tuple(rounded.shape)}, and must be int8 of"
            " at least two axes"
        )
    if scale is None:
        raise ParameterError(f"{name}{SCALE} is missing")
    if scale.dtype != torch.float32 or scale.shape != rounded.shape[:1]:
        raise ParameterError(
            f"{name}{SCALE} is {scale.dtype} of shape {tuple(scale.shape)}, and must be float32 of"
            f" shape {tuple(rounded.shape[:1])}"
        )
    if not scale.isfinite().all() or (scale < 0).any():
        raise ParameterError(f"{name}{SCALE} must be finite and not negative")
    return rounded * scale.view(-1, *[1] * (rounded.ndim - 1))
