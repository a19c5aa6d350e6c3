"""Base class of everything that the training loop trains."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from files.errors import ParameterError, TrainingError
from training.check_optimiser import check_optimiser, load_optimiser
from training.check_tensors import check_shapes, check_values
from training.training_position import TrainingPosition


class Trainable:
    """A model with its data, losses and optimisers. Most methods have a default.

    `training.loop.TrainingLoop` keeps an exponential moving average (EMA) of the weights of
    `model`, and validates, shows and saves that.

    Attributes
    ----------
    model : Module
        On its device and in training mode.
    identity : dict
        Plain values that must be the same to resume, besides the options.
    files : dict of str to list of int
        The training data by name, with numbers that change when a file does.
    parts : dict
        Objects with a `state_dict` that are needed to resume, by name; without the EMA.
    loss_prefix : str
        Prefix of the names of `model`'s losses, as opposed to those of discriminators.
    adversarial_from : int
        Steps before the discriminators join. The best loss is reset when they do.
    starts_trained : bool
        True if training starts from trained weights.
    restart_option : str
        The command line option that starts a new training from these weights.
    """

    model: nn.Module
    identity: dict[str, Any]
    files: dict[str, list[int]]
    parts: dict[str, Any]
    loss_prefix: str = ""
    adversarial_from: int = 0
    starts_trained: bool = False
    restart_option: str = "--force"

    def batches(self, epoch: int, skip: int) -> Iterator[Any]:
        """Yield the batches of an epoch, counted from 0, after the first `skip`."""
        raise NotImplementedError

    def step(self, batch: Any, n_steps: int) -> dict[str, float]:
        """Make training step number `n_steps`, counted from 1; return losses by name."""
        raise NotImplementedError

    def validate(self, ema: nn.Module) -> dict[str, float]:
        """Return measures by name, smaller is better; the first decides what is best."""
        raise NotImplementedError

    def save(self, ema: nn.Module, folder: Path, summary: dict[str, Any]) -> None:
        """Save the best weights so far, with a summary of their training."""
        raise NotImplementedError

    def end_epoch(self) -> None:
        """Do something after each epoch; nothing by default."""

    def baselines(self, ema: nn.Module) -> dict[str, float]:
        """Return the first measure of baselines, by name."""
        return {}

    def show(self, ema: nn.Module, folder: Path, step: int) -> list[Path]:
        """Write samples, such as pictures and sounds; return their paths."""
        return []

    def seed_numbers(self, at: TrainingPosition) -> tuple[int, ...]:
        """Return numbers that seed the next step, besides the random seed."""
        return (at.step,)

    def state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def check_state(self, state: Any, n_steps: int) -> None:
        """Raise ParameterError unless `load_state` can take a state, of any types.

        `n_steps` is the number of training steps so far.
        """
        for name, part in self.parts.items():
            with naming(name):
                if isinstance(part, nn.Module):
                    check_values(state[name])
                elif isinstance(part, Optimizer):
                    check_optimiser(part, state[name], n_steps)

    def check_fits(self, state: Any) -> None:
        """Raise ParameterError unless a state has the parts of this training, of their shapes."""
        if not isinstance(state, dict) or state.keys() != self.parts.keys():
            raise ParameterError(f"its parts must be {', '.join(self.parts)}")
        for name, part in self.parts.items():
            if isinstance(part, nn.Module):
                with naming(name):
                    check_shapes(state[name], part.state_dict())

    def load_state(self, state: dict[str, Any]) -> None:
        """Load what `state` returned; it has been checked but for parts of other kinds."""
        for name, part in self.parts.items():
            if isinstance(part, Optimizer):
                load_optimiser(part, state[name])
            else:
                part.load_state_dict(state[name])


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Begin the message of a ParameterError of a block with the name of a part."""
    try:
        yield
    except ParameterError as error:
        raise ParameterError(f"{part}: {error}") from error


def check_gradient(norm: torch.Tensor, name: str) -> None:
    """Raise TrainingError if a gradient is not finite: a step would destroy the weights."""
    if not torch.isfinite(norm):
        raise TrainingError(
            f"the gradient of the {name} is not a number; the last state is saved: go on with a"
            " smaller --learning-rate (--from), in --precision float32, or look for broken audio"
        )
