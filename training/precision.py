"""Computing in half precision, where that is asked for."""

import torch

from files.errors import ParameterError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def check_precision(precision: str) -> None:
    """Raise ParameterError for a precision that is not known."""
    if precision not in PRECISIONS:
        raise ParameterError(f"precision={precision!r} must be {' or '.join(PRECISIONS)}")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """A context in which networks compute in `precision`; their weights stay float32."""
    dtype = PRECISIONS[precision]
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
