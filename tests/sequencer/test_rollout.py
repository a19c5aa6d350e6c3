"""Forecasts: rollouts after seeds, and how they are sampled."""

import math

import numpy as np
import pytest
import torch

from db.descriptors.mfcc import add_deltas
from files.errors import ParameterError
from sequencer.averages import SPANS, slow_averages
from sequencer.forecaster import Forecaster
from sequencer.registry import ARCHITECTURES
from sequencer.rollout import rollout
from sequencer.sample_steps import sample_steps
from sequencer.sampling import SamplingOptions
from tests.sequencer.toys import (
    FORECASTING,
    generator,
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
            "the seed has 7 steps, but a forecast needs at least 8; give a longer one",
        ),
        (song(1), {}, "the seed has 1 step, but a forecast needs at least 8; give a longer one"),
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


@pytest.mark.parametrize("head", ["point", "mixture"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_rollout_is_what_the_model_says_of_the_whole_sequence(name, head):
    """Each step from the state, the averages and the step that the rollout fed back."""
    model = toy(name, head)
    seed = model.normalise(torch.from_numpy(song(40)[None, :, :4].copy()))
    options = SamplingOptions(temperature=0.0)
    sampled = sample_steps(model, seed, 12, generator=generator(), sampling=options)
    whole = torch.cat([seed, sampled], dim=1)
    averages = torch.from_numpy(slow_averages(whole[:, :-1].numpy(), SPANS))
    hidden = model(whole[:, :-1], averages, seed.shape[1] - 1)
    if head == "point":
        expected = model.head.projection(hidden)
    else:
        logits, means, _ = model.head(hidden, model.head.predict(whole[:, :-1])[:, -12:])
        likeliest = logits.argmax(-1)[..., None, None].expand(-1, -1, 1, 4)
        expected = means.gather(2, likeliest).squeeze(2)
    expected = expected.clamp(model.low, model.high)
    torch.testing.assert_close(sampled, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head", FORECASTING)
def test_a_rollout_stays_in_the_range_of_the_training_data(head):
    model = toy("lstm", head)
    model.low.fill_(-0.2)
    model.high.fill_(0.1)
    seed = model.normalise(torch.from_numpy(song(40)[None, :, :4].copy()))
    options = SamplingOptions(temperature=3.0)
    sampled = sample_steps(model, seed, 20, generator=generator(), sampling=options)
    assert sampled.min() == pytest.approx(-0.2)
    assert sampled.max() == pytest.approx(0.1)


def test_temperature_flattens_the_probabilities_of_categories():
    logits = torch.log(torch.tensor([0.8, 0.2])).expand(20_000, 2)
    for temperature in (0.5, 1.0, 2.0):
        drawn = sampler(temperature).sample_categories(logits)
        weights = np.array([0.8, 0.2]) ** (1 / temperature)
        assert drawn.float().mean() == pytest.approx(weights[1] / weights.sum(), abs=0.01)


@pytest.mark.parametrize("top_p", [0.5, 0.8])
def test_nucleus_ends_where_top_p_is_reached_exactly(top_p):
    """0.5 and 0.3 together are 0.8: no third choice is needed."""
    logits = torch.log(torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)).expand(500, 3)
    drawn = sampler(top_p=top_p).sample_categories(logits)
    assert set(drawn.tolist()) == ({0} if top_p == 0.5 else {0, 1})


def test_progress_counts_the_steps_of_all_groups():
    told = []
    rollout(
        toy(),
        [song(30, 1), song(37, 2)],
        n_steps=70,
        progress=lambda *said: told.append(said),
    )
    assert told == [(done, 140, "forecasting") for done in (64, 70, 134, 140)]
