"""What all generators share: mel settings, normalisation, and the checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from files.errors import ParameterError
from synth.mel import MelSettings
from training.checkpoint import load_checkpoint, rebuilding, save_checkpoint
from training.stored_weights import encode_weights

KIND = "generator"
WEIGHTS = "network."  # prefix of the names of weights


class Generator(nn.Module, ABC):
    """Maps random seeds to log-mel spectrograms.

    Attributes
    ----------
    architecture : str
        "flow", "unagan" or "unagan-nonhierarchical".
    config : dataclass
        Sizes of the network.
    network : Module
        Makes mels normalised by `mean` and `std`, the statistics of the training mels.
    training_summary : dict
        How it was trained; saved with it.
    """

    architecture: str
    config: Any
    network: nn.Module
    mean: Tensor
    std: Tensor

    def __init__(self, mel: MelSettings, training: dict[str, Any] | None) -> None:
        super().__init__()
        self.mel = mel
        self.training_summary = training or {}
        self.register_buffer("mean", torch.zeros(mel.n_mels))
        self.register_buffer("std", torch.ones(mel.n_mels))

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Set the mean and standard deviation of the training mels, each shape (n_mels,)."""
        if mean.shape != self.mean.shape or std.shape != self.std.shape:
            raise ParameterError(
                f"statistics of shapes {tuple(mean.shape)}, {tuple(std.shape)} must be"
                f" ({self.mel.n_mels},) each"
            )
        are_finite = mean.isfinite().all() and std.isfinite().all()
        if not are_finite or not (std > 0).all():
            raise ParameterError(
                "the mean must be finite and the standard deviation positive in every mel band"
            )
        self.mean.copy_(mean)
        self.std.copy_(std)

    def normalise(self, mel: Tensor) -> Tensor:
        """Log-mel (..., n_mels, frames) -> z-scores."""
        return (mel - self.mean[:, None]) / self.std[:, None]

    def denormalise(self, scores: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return scores * self.std[:, None] + self.mean[:, None]

    @abstractmethod
    def sample(self, frames: int, *, random_seeds: Sequence[int]) -> Tensor:
        """Generate one clip per seed.

        Parameters
        ----------
        frames : int > 0
        random_seeds : sequence of int >= 0
            A clip depends only on its seed and on `frames` (but for rounding, 1e-5).

        Returns
        -------
        Tensor, shape (len(random_seeds), n_mels, frames)
            Log-mel, not below silence, on the CPU.
        """

    @abstractmethod
    def own_config(self) -> dict[str, Any]:
        """Return the part of config.json that only this architecture has."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Rebuild a generator from its config.json, with random weights."""

    def save(self, folder: str | Path, *, dtype: torch.dtype = torch.float32) -> None:
        """Write the checkpoint, with the network's weights stored as `dtype`.

        float16 takes half the space, int8 (of matrices; see `training.stored_weights`) a quarter.
        """
        values = {
            **self.own_config(),
            "mel": self.mel.to_dict(),
            "training": self.training_summary,
        }
        tensors = self.state_dict()
        weights = {name: tensors.pop(name) for name in list(tensors) if name.startswith(WEIGHTS)}
        stored = {**tensors, **encode_weights(weights, dtype)}
        save_checkpoint(folder, kind=KIND, config=values, tensors=stored)


def load_generator(folder: str | Path) -> Generator:
    """Rebuild a generator from its checkpoint, ready to sample.

    Weights of any precision become float32.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, of another kind or version, or its parts do not fit each other.
    """
    config, tensors = load_checkpoint(folder, kind=KIND)
    with rebuilding(folder):
        architecture = _class_of(config)
        with torch.device("meta"):  # takes no memory, whatever sizes the config has
            _check_tensors(architecture.from_config(config).state_dict(), tensors)
        generator = architecture.from_config(config)
        generator.load_state_dict(tensors)
        _check_spreads(generator)
    return generator.eval()


def _check_tensors(expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    """Refuse tensors of other shapes, or with values that are not numbers."""
    for name, tensor in expected.items():
        if name not in found:
            raise ParameterError(
                f"its config and weights do not fit: {name} is missing; restore a copy"
            )
        if found[name].shape != tensor.shape:
            raise ParameterError(
                f"its config and weights do not fit: {name} has shape {tuple(found[name].shape)},"
                f" not {tuple(tensor.shape)}; restore a copy"
            )
        if not found[name].isfinite().all():
            raise ParameterError(f"{name} holds NaN or infinite values; restore a copy")


def _class_of(config: dict[str, Any]) -> type[Generator]:
    """Return the class of a checkpoint: the one whose name is a key of its config."""
    from synth.flow_generator import FlowGenerator  # these import this file
    from synth.unagan_generator import UnaganGenerator

    classes: dict[str, type[Generator]] = {"flow": FlowGenerator, "unagan": UnaganGenerator}
    found = [name for name in classes if name in config]
    if len(found) != 1:
        raise ParameterError(
            f"its config must hold the sizes of one generator, {' or '.join(classes)}, and holds"
            f" {' and '.join(found) or 'none'}; update Demiurge or restore a copy"
        )
    return classes[found[0]]


def _check_spreads(generator: Generator) -> None:
    for name, tensor in generator.state_dict().items():
        if name.endswith("std") and not (tensor > 0).all():
            raise ParameterError(f"{name} must be positive; restore a copy")


def check_request(frames: int, random_seeds: Sequence[int]) -> None:
    if not isinstance(frames, int) or isinstance(frames, bool) or frames < 1:
        raise ParameterError(f"frames={frames!r} must be a positive integer")
    if not random_seeds or not all(isinstance(seed, int) and seed >= 0 for seed in random_seeds):
        raise ParameterError(
            f"random_seeds={random_seeds!r} must be a list of integers of at least 0, one per clip"
        )
