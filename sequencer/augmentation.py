"""Changes of a batch that leave what continues what as it is: transposition and level.

A forecaster that has heard every piece in all keys, at several levels, learns what is relative.
"""

from dataclasses import replace

import torch

from db.descriptors.derived import static_columns
from db.normaliser import Normaliser
from db.settings import DescriptorSettings
from sequencer.windows import Batch

SEMITONES = 12
LEVELS = ("mfcc0", "loudness")
LEVEL = 0.5  # standard deviation of the random offset of z-scored levels


class Augmentation:
    """Transposes a whole batch at random, and makes it louder or softer.

    All of it alike: else a unit could be found by the key that its window happens to be in.

    It knows the sequences z-scored by `normaliser`.
    """

    def __init__(self, settings: DescriptorSettings, normaliser: Normaliser) -> None:
        columns = static_columns(settings)
        names = [settings.names[column] for column in columns]
        self._mean = torch.from_numpy(normaliser.mean[columns])
        self._std = torch.from_numpy(normaliser.std[columns])
        self._levels = torch.tensor([float(name in LEVELS) for name in names])
        self._chroma = [
            [names.index(f"chroma{i}{suffix}") for i in range(SEMITONES)]
            for suffix in ("", "_std")
            if f"chroma0{suffix}" in names
        ]

    def __call__(self, batch: Batch) -> Batch:
        """Return a changed batch, by torch's random numbers."""
        semitones = int(torch.randint(SEMITONES, ()))
        offset = LEVEL * float(torch.randn(()))
        order = torch.arange(len(self._mean))
        for columns in self._chroma:
            order[columns] = torch.tensor(columns).roll(semitones)
        factor = self._std[order] / self._std
        shift = (self._mean[order] - self._mean) / self._std + offset * self._levels
        n_spans = batch.averages.shape[-1] // len(order)
        averages = batch.averages.unflatten(-1, (n_spans, -1))
        return replace(
            batch,
            sequence=batch.sequence[..., order] * factor + shift,
            averages=(averages[..., order] * factor + shift).flatten(-2),
        )
