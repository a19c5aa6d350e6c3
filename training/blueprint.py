"""Build modules without their values: only the shapes of their parameters are right.

It takes no memory and draws no random numbers, so that the sizes in a config can be compared with
the weights of a file before memory is taken for them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import init
from torch.overrides import TorchFunctionMode

FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.full, torch.randn}
DRAWS = {
    init.normal_,
    init.uniform_,
    init.trunc_normal_,
    init.kaiming_uniform_,
    torch.Tensor.normal_,
    torch.Tensor.uniform_,
}


class Blueprint(TorchFunctionMode):
    """A context in which parameters are made on torch's meta device, and never initialised.

    `torch.device("meta")` does as much, but takes a second for its first random number.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in DRAWS:
            return args[0] if args else kwargs["tensor"]
        if func in FACTORIES:
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)
