"""Forecasters with a condition, at toy width."""

from dataclasses import replace

import torch

from sequencer.condition import CoarseCondition, TrackCondition
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.track import Track
from tests.sequencer.toys import NORMALISER, SETTINGS, SONGS, TOY_HEAD, song, toy

GROUP = 4  # steps
KINDS = ("coarse", "track")


def conditioned(kind, name="lstm", head="mixture"):
    """A forecaster like `toy`, with a condition."""
    plain = toy(name, head)
    torch.manual_seed(1)
    if kind == "track":
        condition = TrackCondition("band.wav", SETTINGS.hop_length)
    else:
        sizes = {"hidden_size": 16, "n_layers": 1, "dropout": 0.0}
        coarse = ForecasterConfig("lstm", SETTINGS, "mixture", sizes, TOY_HEAD["mixture"])
        condition = CoarseCondition(GROUP, coarse)
    config = replace(plain.config, condition=condition)
    model = Forecaster(config)
    for one in (model, *([model.coarse] if model.coarse else [])):
        one.set_statistics(NORMALISER, low=torch.full((4,), -3.0), high=torch.full((4,), 3.0))
        one.head.fit([one.normalise(torch.from_numpy(rows[:, :4])) for _, rows in SONGS])
    return model.eval()


def track(model, steps=200, seed=7):
    """Another song as a track, a frame for each step."""
    return Track(model, song(steps, seed))
