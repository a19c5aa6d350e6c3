"""Forecasts: rollouts after seeds, and how they are sampled."""

import math

import numpy as np
import pytest
import torch

from db.descriptors.mfcc import add_deltas
from files.errors import ParameterError
from sequencer.forecaster import Forecaster
from sequencer.rollout import rollout
from sequencer.sampling import SamplingOptions
from tests.sequencer.toys import (
    roll,
    sampler,
    song,
    toy,
)


def test_rollout_lives(trained):
    forecast = roll(Forecaster.load(trained[0]), song(60, 9), 400)
    real = song(400, 9)
    assert 0.7 < forecast[:, :4].std() / real[:, :4].std() < 1.3
    assert (
        0.7
        < np.abs(np.diff(forecast[:, :4], axis=0)).mean()
        / np.abs(np.diff(real[:, :4], axis=0)).mean()
        < 1.5
    )


@pytest.mark.slow
def test_ten_thousand_steps_stay_in_range(trained):
    forecast = roll(Forecaster.load(trained[0]), song(60, 9), 10_000)
    assert np.isfinite(forecast).all()
    first = forecast[:1000, :4]
    last = forecast[-1000:, :4]
    assert last.std() / first.std() == pytest.approx(1, abs=0.25)


def test_same_generator_gives_the_same_bytes_and_another_does_not(trained):
    model = Forecaster.load(trained[0])
    a, b, c = (roll(model, song(60), 50, random_seed=s) for s in (1, 1, 2))
    assert a.tobytes() == b.tobytes() != c.tobytes()


def test_temperature_zero_is_deterministic_and_more_gives_more_variance(trained):
    model = Forecaster.load(trained[0])
    cold = [roll(model, song(60), 20, temperature=0.0, random_seed=s) for s in (1, 2)]
    np.testing.assert_array_equal(*cold)
    spread = []
    for temperature in (0.25, 1.0, 2.0):
        runs = [roll(model, song(60), 20, temperature=temperature, random_seed=s) for s in range(8)]
        spread.append(np.std(runs, axis=0).mean())
    assert spread == sorted(spread)


def test_deltas_of_a_forecast_follow_from_it(trained):
    seed = song(60)
    forecast = roll(Forecaster.load(trained[0]), seed, 30)
    whole = add_deltas(np.concatenate([seed[:, :4], forecast[:, :4]]), width=9)
    np.testing.assert_allclose(forecast, whole[60:], atol=1e-4)


@pytest.mark.parametrize(
    ("seed", "options", "message"),
    [
        (
            song(7),
            {},
            "the seed has 7 steps, a forecast needs at least 8 to go on from; give a longer one",
        ),
        (song(60), {"n_steps": 0}, "n_steps=0 must be at least 1"),
        (song(60), {"variations": 0}, "variations=0 must be at least 1"),
        (song(60)[:, :5], {}, "does not fit the model: it must be .steps, 12"),
        (np.full((20, 12), np.nan, np.float32), {}, "step 0 of the seed is not finite"),
    ],
)
def test_bad_rollouts_are_refused(seed, options, message):
    with pytest.raises(ParameterError, match=message):
        rollout(toy(), [seed], **{"n_steps": 3, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature=-1.0 must be a finite number of at least 0"),
        ({"temperature": math.nan}, "temperature=nan must be"),
        ({"temperature": math.inf}, "temperature=inf must be"),
        ({"top_p": 0.0}, "top_p=0.0 must be above 0 and at most 1"),
        ({"top_p": 1.01}, "top_p=1.01 must be above 0 and at most 1"),
        ({"random_seed": -1}, "random_seed=-1 must be at least 0"),
    ],
)
def test_bad_sampling_options_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        SamplingOptions(**options)


def test_nucleus_keeps_the_likeliest_that_make_up_top_p():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).expand(4000, 4)
    for top_p, kept in ((1.0, {0, 1, 2, 3}), (0.9, {0, 1, 2}), (0.6, {0, 1}), (0.1, {0})):
        drawn = sampler(top_p=top_p).sample_categories(logits)
        assert set(drawn.tolist()) == kept
