"""Computing in half precision, on request."""

import torch

from files.errors import ParameterError
from files.ranges import shown
from training.names import PRECISIONS


def check_precision(precision: str) -> None:
    """Raise ParameterError for an unknown precision."""
    if precision not in PRECISIONS:
        raise ParameterError(f"precision={shown(precision)} must be {' or '.join(PRECISIONS)}")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context in which networks compute in `precision`; their weights stay float32."""
    dtype: torch.dtype = getattr(torch, precision)
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
