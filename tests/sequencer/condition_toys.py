"""Forecasters with a condition, at toy width."""

import numpy as np
import torch

from db.descriptors.derived import static_columns
from db.normaliser import fit_normaliser
from sequencer.condition import CoarseCondition, TrackCondition
from sequencer.conditions import conditions_for
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.sampling import AS_LEARNED
from sequencer.track import Track
from tests.sequencer.toys import NORMALISER, SETTINGS, SONGS, TOY, TOY_HEAD, song

GROUP = 4  # steps
KINDS = ("coarse", "track")


def conditioned(kind, name="lstm", head="mixture", *, head_sizes=None, settings=SETTINGS, raw=None):
    """A forecaster like `toy`, with a condition; of other settings, fitted to a raw sequence."""
    torch.manual_seed(1)
    if kind == "track":
        condition = TrackCondition("band.wav", settings.hop_length)
    else:
        sizes = {"hidden_size": 16, "n_layers": 1, "dropout": 0.0}
        coarse = ForecasterConfig("lstm", settings, "mixture", sizes, TOY_HEAD["mixture"])
        condition = CoarseCondition(GROUP, coarse)
    sizes = (TOY[name], {**TOY_HEAD.get(head, {}), **(head_sizes or {})})
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


def track_of(model):
    """The track that a model goes with in tests, if it goes with one."""
    return track(model) if isinstance(model.config.condition, TrackCondition) else None


def conditions_of(model, seed, sampling=AS_LEARNED):
    """Those that a search has for z-scored seeds, the same at each call."""
    drawn = torch.Generator().manual_seed(sampling.random_seed)
    return conditions_for(model, seed, track=track_of(model), generator=drawn, sampling=sampling)


def rows_of(model, seed, n_steps, sampling=AS_LEARNED):
    """The row of every step of seeds and of `n_steps` frames after them; None if there is none."""
    conditions = conditions_of(model, seed, sampling)
    if conditions is None:
        return None
    rows = [conditions.of_seed()]
    for step in range(1, n_steps + 1):
        played = np.full(len(seed), step * SETTINGS.hop_length)
        rows.append(conditions.after(step, played)[:, None])
    return torch.cat(rows, dim=1)
