"""Masked models at toy width, and a corpus with a period."""

import numpy as np
import torch

from db.descriptors.mfcc import add_deltas
from db.normaliser import fit_normaliser
from sequencer import train_masked as training
from sequencer.masked import MaskedConfig, MaskedModel, MaskedSizes
from sequencer.tokens import TokensHead
from sequencer.train_masked import MaskedOptions, train_masked
from tests.sequencer.toys import SETTINGS

SMALL = MaskedSizes(dim=32, n_layers=2, n_heads=2, span=16, dropout=0.0)
PERIOD = 6
PATTERN = np.random.default_rng(0).normal(0, 10, (PERIOD, 4)).astype(np.float32)
WINDOW = 24


def periodic_song(steps, seed):
    """The pattern over and over, from a random place on, with a little noise, raw (steps, 12)."""
    rng = np.random.default_rng(seed)
    rows = PATTERN[(np.arange(steps) + rng.integers(PERIOD)) % PERIOD]
    return add_deltas(rows + rng.normal(0, 0.02, rows.shape).astype(np.float32), width=9)


SONGS = [(f"song{i}", periodic_song(72, i)) for i in range(12)]
NORMALISER = fit_normaliser([rows for _, rows in SONGS], 12)


def untrained(levels=3, bits=3, seed=0):
    """A model with random weights and codebooks."""
    torch.manual_seed(seed)
    sizes = {"dim": 16, "n_layers": 1, "n_heads": 2, "span": 5}
    model = MaskedModel(MaskedConfig(SETTINGS, sizes, {"levels": levels, "bits": bits}))
    torch.nn.init.normal_(model.head.quantiser.codebooks)
    return model.eval()


def train(folder, monkeypatch, *, sequences=SONGS, resume=False, **options):
    """Train a small model, of one level, on the songs."""
    monkeypatch.setattr(training, "MaskedSizes", lambda: SMALL)
    monkeypatch.setattr(
        TokensHead, "sizes_for", staticmethod(lambda n_steps: {"levels": 1, "bits": 3})
    )
    usual = {"window": WINDOW, "batch_size": 8, "learning_rate": 5e-3, "patience": 99}
    return train_masked(
        sequences,
        folder,
        settings=SETTINGS,
        normaliser=NORMALISER,
        options=MaskedOptions(**{**usual, **options}),
        resume=resume,
    )


def nearest_in_pattern(model, codes):
    """Return which step of the pattern each step of codes (steps, levels) is nearest to."""
    restored = model.denormalise(model.head.quantiser.restore(codes)).numpy()
    return np.square(restored[:, None] - PATTERN).sum(-1).argmin(-1)
