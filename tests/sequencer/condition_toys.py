"""Forecasters with a condition, at toy width."""

import torch

from db.descriptors.derived import static_columns
from db.normaliser import fit_normaliser
from sequencer.condition import CoarseCondition, TrackCondition
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.track import Track
from tests.sequencer.toys import NORMALISER, SETTINGS, SONGS, TOY, TOY_HEAD, song

GROUP = 4  # steps
KINDS = ("coarse", "track")


def conditioned(kind, name="lstm", head="mixture", *, settings=SETTINGS, raw=None):
    """A forecaster like `toy`, with a condition; of other settings, fitted to a raw sequence."""
    torch.manual_seed(1)
    if kind == "track":
        condition = TrackCondition("band.wav", settings.hop_length)
    else:
        sizes = {"hidden_size": 16, "n_layers": 1, "dropout": 0.0}
        coarse = ForecasterConfig("lstm", settings, "mixture", sizes, TOY_HEAD["mixture"])
        condition = CoarseCondition(GROUP, coarse)
    sizes = (TOY[name], TOY_HEAD.get(head, {}))
    model = Forecaster(ForecasterConfig(name, settings, head, *sizes, condition=condition))
    songs = [rows for _, rows in SONGS] if raw is None else [raw]
    normaliser = NORMALISER if raw is None else fit_normaliser(songs, raw.shape[1])
    columns = static_columns(settings)
    limit = torch.full((len(columns),), 3.0)
    for one in (model, *([model.coarse] if model.coarse else [])):
        one.set_statistics(normaliser, low=-limit, high=limit)
        one.head.fit([one.normalise(torch.from_numpy(rows[:, columns])) for rows in songs])
    return model.eval()


def track(model, steps=200, seed=7):
    """Another song as a track, a frame for each step."""
    return Track(model, song(steps, seed))
