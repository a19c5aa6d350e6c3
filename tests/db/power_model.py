"""A model of two columns: mean and mean square of a frame. Workers of any kind can open it."""

import numpy as np

from db.model_descriptor import ModelDescriptor
from files.errors import DatabaseError

MODEL = ModelDescriptor(
    kind="codec", hash="ab" * 16, n_columns=2, path="/models/power", name="power", licence="MIT"
)


class PowerMeasure:
    def __init__(self, hop_length):
        self.hop_length = hop_length
        self.blocks = []

    def add(self, block):
        self.blocks.append(block)

    def finish(self):
        signal = np.concatenate(self.blocks)
        starts = np.arange(0, len(signal), self.hop_length)
        n = np.diff([*starts, len(signal)])
        columns = [np.add.reduceat(values, starts) / n for values in (signal, signal**2)]
        return np.stack(columns, axis=1).astype(np.float32)


def open_power(model, sample_rate, hop_length):
    if model.hash != MODEL.hash:
        raise DatabaseError(f"{model}: another model")
    return PowerMeasure(hop_length)
