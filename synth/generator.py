"""What all generators share: mel settings, normalisation, and the checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from synth.mel import MelSettings
from training.checkpoint import load_weights, rebuild, rebuilding, save_checkpoint
from training.checkpoint_config import read_config, read_config_as
from training.stored_weights import encode_weights

KIND = "generator"
WEIGHTS = "network."  # prefix of the names of weights


class GeneratorDocument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the configs of all generators hold."""

    kind: str
    version: int
    mel: dict[str, Any]
    training: dict[str, Any]


class Generator(nn.Module, ABC):
    """Maps random seeds to log-mel spectrograms.

    Attributes
    ----------
    architecture : str
        "flow", "unagan" or "unagan-nonhierarchical".
    config : dataclass
        Sizes of the network.
    document : type of Struct
        Of the config of a checkpoint.
    network : Module
        Makes mels normalised by `mean` and `std`, the statistics of the training mels.
    training_summary : dict
        How it was trained; saved with it.
    """

    architecture: str
    config: Any
    document: type[GeneratorDocument]
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
    def from_document(cls, document: Any) -> Self:
        """Rebuild a generator from its config, with random weights."""

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
    config = read_config(Path(folder), kind=KIND)
    with rebuilding(folder):
        architecture = _class_of(config)
    document = read_config_as(architecture.document, Path(folder), kind=KIND)
    return rebuild(folder, partial(architecture.from_document, document), load_weights(folder))


def _class_of(config: dict[str, Any]) -> type[Generator]:
    """Return the class of a checkpoint: the one whose name is a key of its config."""
    from synth.flow_generator import FlowGenerator  # these import this file
    from synth.unagan_generator import UnaganGenerator

    classes: dict[str, type[Generator]] = {"flow": FlowGenerator, "unagan": UnaganGenerator}
    found = [name for name in classes if name in config]
    if len(found) != 1:
        raise ParameterError(
            f"its config must hold the sizes of one generator, {' or '.join(classes)}, and holds"
            f" {' and '.join(found) or 'none'}"
        )
    return classes[found[0]]


def check_request(frames: int, random_seeds: Sequence[int]) -> None:
    if not isinstance(frames, int) or isinstance(frames, bool) or frames < 1:
        raise ParameterError(f"frames={frames!r} must be a positive integer")
    if not random_seeds or not all(isinstance(seed, int) and seed >= 0 for seed in random_seeds):
        raise ParameterError(
            f"random_seeds={random_seeds!r} must be a list of integers of at least 0, one per clip"
        )
