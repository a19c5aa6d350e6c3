"""Data-parallel training: each process takes its share of the batches, and gradients are summed.

torchrun starts the processes and sets RANK, WORLD_SIZE and LOCAL_RANK; without it there is one
process, and nothing is exchanged.
"""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from files.errors import ParameterError

Result = TypeVar("Result")


class Distributed:
    """The processes that train one model; a context manager.

    Attributes
    ----------
    rank : int
        Number of this process, from 0. Only the main process, rank 0, saves anything.
    world_size : int
    """

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.world_size = int(os.environ.get("WORLD_SIZE", "1"))

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Return a working device; with plain "cuda" each process gets its own.

        Raises
        ------
        ParameterError
            If there is no such device here.
        """
        try:
            device = torch.device(name)
            if device.type == "cuda" and device.index is None and self.world_size > 1:
                device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ParameterError(
                f"device={name!r} cannot be used here ({reason}); use --device cpu"
            ) from error
        return device

    def sum(self, *values: Tensor) -> list[Tensor]:
        """Return the sum of each value over all processes."""
        if self.world_size == 1:
            return list(values)
        flat = torch.cat([value.reshape(-1) for value in values])
        torch.distributed.all_reduce(flat)
        parts = flat.split([value.numel() for value in values])
        return [part.view_as(value) for part, value in zip(parts, values, strict=True)]

    def sum_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its sum over all processes."""
        if self.world_size == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        for parameter, gradient in zip(parameters, self.sum(*gradients), strict=True):
            parameter.grad = gradient

    def main_first(self, work: Callable[[], Result]) -> Result:
        """Run `work` in the main process, then in the others, which find its files."""
        if self.is_main:
            result = work()
        self.sum(torch.zeros(1))
        return result if self.is_main else work()

    def __enter__(self) -> Self:
        self._began = self.world_size > 1 and not torch.distributed.is_initialized()
        if self._began:
            torch.distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._began:
            torch.distributed.destroy_process_group()
