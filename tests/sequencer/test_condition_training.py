"""Forecasters that are trained with a condition, on grammars that need it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from db.normaliser import fit_normaliser
from files.errors import ParameterError
from sequencer.averages import slow_averages
from sequencer.coarse_likelihood import loss_with_coarse
from sequencer.forecaster import Forecaster
from sequencer.registry import ARCHITECTURES
from sequencer.track import Track
from sequencer.tracks import Tracks
from sequencer.train import ForecasterOptions, train_forecaster
from tests.sequencer.toys import SETTINGS, train

GROUP = 6  # steps that a chord lasts
CHORDS = 5
HOP = SETTINGS.hop_length


def phrase(rng, n_groups=40):
    """Chords of `GROUP` steps, each the sum of the two before it, modulo `CHORDS`."""
    chords = [int(rng.integers(CHORDS)), int(rng.integers(1, CHORDS))]
    while len(chords) < n_groups:
        chords.append((chords[-1] + chords[-2]) % CHORDS)
    places = np.eye(CHORDS, 4)[chords].repeat(GROUP, axis=0) * 10
    static = places + rng.normal(0, 1.5, (n_groups * GROUP, 4))
    return np.concatenate([static, np.zeros((len(static), 8))], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def phrases():
    rng = np.random.default_rng(0)
    return [(f"phrase{i}", phrase(rng)) for i in range(14)]


def learn(sequences, folder, *, epochs=12, **condition):
    options = ForecasterOptions(
        window=12, epochs=epochs, batch_size=32, learning_rate=4e-3, patience=None
    )
    normaliser = fit_normaliser([rows for _, rows in sequences], 12)
    return train_forecaster(
        sequences, folder, settings=SETTINGS, normaliser=normaliser, options=options, **condition
    )


@pytest.fixture(scope="module")
def small():
    """Toy sizes of the LSTM that trainings get."""
    entry = ARCHITECTURES["lstm"]
    sizes = replace(entry.sizes, hidden_size=32, n_layers=1, dropout=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "lstm", replace(entry, sizes=sizes))
        yield


@pytest.fixture(scope="module")
def coarse(phrases, small, tmp_path_factory):
    """A folder of a model with a coarse level, and the summary."""
    folder = tmp_path_factory.mktemp("coarse") / "m"
    return folder, learn(phrases, folder, coarse=GROUP)


def validation_scores(model, sequences):
    names = model.config.training["sources"]["validation"]
    return [model.normalise(torch.from_numpy(dict(sequences)[name][:, :4])) for name in names]


def test_the_likelihood_with_a_coarse_level_beats_that_of_a_flat_model(phrases, coarse, tmp_path):
    """Of a grammar of two levels; neither is told what comes."""
    learn(phrases, tmp_path / "flat")
    losses = []
    for folder in (tmp_path / "flat", coarse[0]):
        model = Forecaster.load(folder)
        scores = validation_scores(model, phrases)
        losses.append(loss_with_coarse(model, scores, steps=GROUP, n_samples=16))
    flat, with_coarse = losses
    assert with_coarse < flat - 0.1  # of log(CHORDS) / GROUP = 0.27 nats that a chord is worth


def test_one_training_makes_one_model_of_both_levels(coarse):
    folder, summary = coarse
    model = Forecaster.load(folder)
    assert model.config.condition.steps == GROUP
    assert summary.coarse_loss == model.coarse.config.training["measures"]["loss"]
    both = (model.config.training, model.coarse.config.training)
    assert both[0]["sources"] == both[1]["sources"]
    assert both[0]["steps"]["train"] == GROUP * both[1]["steps"]["train"]
    below = Forecaster.load(folder / "coarse").state_dict()
    for name, tensor in model.coarse.state_dict().items():
        assert torch.equal(tensor, below[name])


def test_a_training_of_both_levels_can_be_resumed(phrases, small, coarse, tmp_path):
    options = {"coarse": GROUP, "resume": False}
    learn(phrases, tmp_path / "m", epochs=4, **options)
    learn(phrases, tmp_path / "m", **{**options, "resume": True})
    resumed, whole = Forecaster.load(tmp_path / "m"), Forecaster.load(coarse[0])
    assert resumed.config.training["epoch"] >= 4
    assert torch.equal(resumed.coarse.mean, whole.coarse.mean)
    with pytest.raises(ParameterError, match="coarse"):
        learn(phrases, tmp_path / "m", coarse=GROUP + 1, resume=True)


def test_bars_of_groups_and_tracks_are_refused_where_they_cannot_be(tmp_path):
    for coarse, message in [
        (0, "coarse=0: a group must have at least 2 steps"),
        (1, "coarse=1: a group must have at least 2 steps"),
        ("beats", "coarse=beats needs units that are parts of beats, and they are frame; give a"),
        ("bars", "coarse=bars needs units that are beats or parts of them.* number of steps"),
        (90, "coarse=90: . groups are too few to .*; give fewer steps to a group, or add longer"),
    ]:
        with pytest.raises(ParameterError, match=message):
            train(tmp_path / "m", coarse=coarse)
    with pytest.raises(ParameterError, match="a coarse level or with a track; leave one out"):
        train(tmp_path / "m", coarse=4, tracks=Tracks("b.wav", {}))


def hits(rng, n=240):
    """The strokes of a band at random moments, and a guitar that always joins in."""
    strokes = np.flatnonzero(rng.random(n) < 0.15)
    latest = np.searchsorted(strokes, np.arange(n), side="right") - 1
    since = np.arange(n) - np.where(latest < 0, -9, strokes[latest])
    level = 10 * np.exp(-since / 2)
    parts = []
    for columns in (rng.normal(0, 1, (n, 12)), rng.normal(0, 1, (n, 12))):
        columns[:, 0] += level
        parts.append(columns.astype(np.float32))
    return (*parts, strokes)


def test_a_track_makes_the_onsets_of_what_goes_with_it_likelier(small, tmp_path):
    rng = np.random.default_rng(1)
    pairs = {f"song{i}": hits(rng) for i in range(12)}
    guitars = [(name, guitar) for name, (guitar, _, _) in pairs.items()]
    bands = {name: band for name, (_, band, _) in pairs.items()}
    learn(guitars, tmp_path / "m", tracks=Tracks("band.wav", bands))
    model = Forecaster.load(tmp_path / "m")
    (own,) = model.config.training["sources"]["validation"]
    other = model.config.training["sources"]["train"][0]
    scores = model.normalise(torch.from_numpy(pairs[own][0][:, :4]))
    averages = torch.from_numpy(slow_averages(scores[:-1].numpy(), model.config.spans))[None]
    ends = HOP * np.arange(1, len(scores))
    likelihoods = {}
    for name, band in (("own", bands[own]), ("other", bands[other]), ("none", None)):
        rows = None if band is None else torch.from_numpy(Track(model, band).rows(ends))[None]
        with torch.no_grad():
            hidden = model(scores[None, :-1], averages, 0, rows)
            ground = model.head.predict(scores[None, :-1])
            said = model.head.log_likelihood(hidden, ground, scores[None, 1:])[0].numpy()
        strokes = pairs[own][2]
        likelihoods[name] = said[strokes[strokes > 8] - 1].mean()
    assert likelihoods["own"] > max(likelihoods["none"], likelihoods["other"]) + 0.5
