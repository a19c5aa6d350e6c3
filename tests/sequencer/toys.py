"""Forecasters at toy width, and songs to train them on."""

import math

import numpy as np
import torch

from db.descriptors.mfcc import add_deltas
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.rollout import rollout
from sequencer.sampler import Sampler
from sequencer.sampling import SamplingOptions
from sequencer.train import ForecasterOptions, train_forecaster

SETTINGS = DescriptorSettings(n_mfcc=4)
SMALL = {
    "hidden_size": 16,
    "dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "span": 10,
    "context_steps": 12,
    "dropout": 0.1,
}
TOY = {
    name: {size: SMALL.get(size, value) for size, value in entry.default_sizes.items()}
    for name, entry in ARCHITECTURES.items()
}
TOY_HEAD = {"mixture": {"n_components": 3}, "tokens": {"levels": 3, "bits": 4}}
WINDOW = 32
FORECASTING = [head for head, entry in HEADS.items() if entry.network.forecasts]


def song(steps, seed=0):
    """A wave through four descriptors with a little noise, raw (steps, 12)."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)[:, None] * 0.4 + np.arange(4) + rng.uniform(0, 6)
    return add_deltas(
        10 * np.sin(t).astype(np.float32) + rng.normal(0, 0.5, (steps, 4)).astype(np.float32),
        width=9,
    )


SONGS = [(f"song{i}", song(120, i)) for i in range(6)]
NORMALISER = fit_normaliser([rows for _, rows in SONGS], 12)


def toy(name="lstm", head="mixture", head_sizes=None):
    torch.manual_seed(0)
    sizes = {**TOY_HEAD.get(head, {}), **(head_sizes or {})}
    model = Forecaster(ForecasterConfig(name, SETTINGS, head, TOY[name], sizes))
    model.set_statistics(NORMALISER, low=torch.full((4,), -3.0), high=torch.full((4,), 3.0))
    model.head.fit([model.normalise(torch.from_numpy(rows[:, :4])) for _, rows in SONGS])
    return model.eval()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def roll(model, seed, n_steps, **sampling):
    """One rollout after one seed."""
    return rollout(model, [seed], n_steps=n_steps, sampling=SamplingOptions(**sampling))[0, 0]


def sampler(temperature=1.0, top_p=1.0):
    """A sampler that clamps nothing."""
    limit = torch.tensor(math.inf)
    return Sampler(SamplingOptions(temperature, top_p), generator(), low=-limit, high=limit)


def train(
    folder, *, sequences=SONGS, coarse=None, tracks=None, resume=False, wandb=False, **options
):
    """Train on the songs, in windows of `WINDOW` steps."""
    return train_forecaster(
        sequences,
        folder,
        settings=SETTINGS,
        normaliser=NORMALISER,
        options=ForecasterOptions(**{"window": WINDOW, **options}),
        coarse=coarse,
        tracks=tracks,
        resume=resume,
        wandb=wandb,
    )
