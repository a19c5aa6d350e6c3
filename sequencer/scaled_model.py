"""Base of the models that know sequences z-scored, by the statistics of the training data."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser


class ScaledModel(nn.Module):
    """A model with the mean, the standard deviation and the range of its columns as buffers.

    The columns are the independent ones of the settings in its `config`, n of them.
    """

    config: Any
    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor

    def register_statistics(self, n: int) -> None:
        """Add the buffers, to be filled by `set_statistics` or a checkpoint."""
        for name, value in {"mean": 0.0, "std": 1.0, "low": -8.0, "high": 8.0}.items():
            self.register_buffer(name, torch.full((n,), value))

    def set_statistics(self, normaliser: Normaliser, *, low: Tensor, high: Tensor) -> None:
        """Set the database's normaliser and the z-scored range of the training data.

        `low` and `high` are (n_static,).
        """
        columns = static_columns(self.config.settings)
        self.mean.copy_(torch.from_numpy(normaliser.mean[columns]))
        self.std.copy_(torch.from_numpy(normaliser.std[columns]))
        self.low.copy_(low)
        self.high.copy_(high)

    def normalise(self, static: Tensor) -> Tensor:
        return (static - self.mean) / self.std

    def denormalise(self, scores: Tensor) -> Tensor:
        return scores * self.std + self.mean

    def save(self, folder: str | Path) -> None:
        """Write the checkpoint."""
        raise NotImplementedError
