import json

import numpy as np
import pytest
import torch

from db.descriptors.mfcc import add_deltas
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from files.errors import ParameterError
from sequencer.baselines import fit_baselines
from sequencer.evaluate import evaluate, to_document
from sequencer.evaluation_data import EvaluationSettings, added_sources, collect_data
from sequencer.forecaster import Forecaster
from sequencer.statistics import (
    autocorrelation,
    distinct_share,
    error_of_mean,
    window_moments,
)
from sequencer.train import ForecasterOptions, train_forecaster

SETTINGS = DescriptorSettings(n_mfcc=3)
RNG = np.random.default_rng(0)


def autoregression(steps, seed):
    """A sequence whose best linear forecast is known: x = 0.9 x + noise; two columns more that
    swing.
    """
    rng = np.random.default_rng(seed)
    x = np.zeros((steps, 3), np.float32)
    for t in range(1, steps):
        x[t] = 0.9 * x[t - 1] + rng.normal(0, 1, 3)
    return x


SMALL = EvaluationSettings(
    horizons=(1, 8),
    n_contexts=16,
    seed_steps=20,
    max_rollout_steps=250,
    windows=(1, 4),
    n_lags=10,
    block=10,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    sequences = [(f"s{i}", add_deltas(autoregression(300, i), width=9)) for i in range(20)]
    normaliser = fit_normaliser([rows for _, rows in sequences], 9)
    out = tmp_path_factory.mktemp("model") / "m"
    options = ForecasterOptions(epochs=4, window=8)
    train_forecaster(sequences, out, settings=SETTINGS, normaliser=normaliser, options=options)
    return out, sequences


def test_window_statistics_are_those_of_all_windows():
    sequences = [RNG.normal(1, 2, (n, 2)) for n in (30, 3, 17)]
    windows = np.array([s[i : i + 4].T.ravel() for s in sequences for i in range(len(s) - 3)])
    mean, covariance = window_moments(sequences, 4)
    np.testing.assert_allclose(mean, windows.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(windows, rowvar=False, bias=True))


def test_mean_forecast_of_few_draws_is_evaluated_without_their_variance():
    truth = np.zeros((2000, 3))
    draws = RNG.normal(0.5, 2.0, (4, 2000, 3))  # their true mean errs by 0.25
    assert error_of_mean(draws, truth) == pytest.approx(0.25, abs=0.05)


def test_autocorrelation_of_a_wave_comes_back_with_its_period():
    wave = np.sin(2 * np.pi * np.arange(4000) / 8)[:, None] * np.array([1, 3])
    expected = np.cos(2 * np.pi * np.arange(1, 11) / 8)
    np.testing.assert_allclose(autocorrelation([wave, wave[:2000]], 10), expected, atol=0.01)
    assert autocorrelation([np.ones((50, 2))], 10).tolist() == [1] * 10


def test_distinct_is_the_share_of_training_steps_that_are_met():
    train = [np.arange(6, dtype=np.float32)[:, None], np.arange(6, 9, dtype=np.float32)[:, None]]
    made = np.array([0.1, 7.9, 8.2, -0.4], np.float32)[:, None]
    assert distinct_share(made, train) == 0.5


class TestBaselines:
    train = [autoregression(2000, i) for i in range(5)]  # noqa: RUF012

    def test_ridge_learns_the_autoregression(self):
        seeds = np.stack([autoregression(40, 90 + i) for i in range(8)])
        forecast = fit_baselines(self.train)["ridge"](seeds, 3, RNG)
        for step in range(3):
            np.testing.assert_allclose(
                forecast[:, step], 0.9 ** (step + 1) * seeds[:, -1], atol=0.35
            )

    def test_analogue_plays_the_training_data_on(self):
        forecast = fit_baselines(self.train)["analogue"](self.train[2][None, 100:140], 60, RNG)
        np.testing.assert_array_equal(forecast[0], self.train[2][140:200])

    def test_analogue_goes_on_after_the_end_of_what_it_found(self):
        forecast = fit_baselines(self.train)["analogue"](self.train[0][None, -50:-10], 300, RNG)
        assert forecast.shape == (1, 300, 3)
        np.testing.assert_array_equal(forecast[0, :10], self.train[0][-10:])

    def test_persistence_and_mean_stand_still(self):
        seeds = self.train[0][None, :30]
        baselines = fit_baselines(self.train)
        np.testing.assert_array_equal(
            baselines["persistence"](seeds, 5, RNG), np.repeat(seeds[:, -1:], 5, axis=1)
        )
        assert not baselines["mean"](seeds, 5, RNG).any()


def test_figures_say_what_collapses_and_what_moves(trained):
    out, sequences = trained
    found, floors = evaluate({"m": Forecaster.load(out)}, sequences, settings=SMALL)
    by_name = {e.name: e for e in found}
    assert list(by_name) == ["m", "persistence", "mean", "ridge", "analogue"]
    assert by_name["persistence"].step_ratio == by_name["mean"].std_ratio == 0
    assert by_name["analogue"].std_ratio == pytest.approx(1, abs=0.3)
    assert by_name["m"].std_ratio == pytest.approx(1, abs=0.4)
    assert by_name["mean"].frechet[4] > 2 * floors["real against real"][4]
    assert floors["training data"][4] < by_name["mean"].frechet[4]
    # nothing can do better than the mean of an autoregression's noise, 1 - 0.81 of its variance; no
    # change does worse
    assert by_name["ridge"].errors[1] == pytest.approx(0.19, abs=0.06)
    assert by_name["m"].errors[1] < by_name["mean"].errors[1]
    assert by_name["m"].loss is not None
    assert by_name["ridge"].loss is None
    json.dumps(to_document(found, floors), allow_nan=False)


def test_same_seed_gives_the_same_figures(trained):
    out, sequences = trained
    first, second = (
        to_document(
            *evaluate({"m": Forecaster.load(out)}, sequences, settings=SMALL, random_seed=3)
        )
        for _ in "ab"
    )
    assert first == second


def test_only_validation_sources_are_evaluated(trained):
    out, sequences = trained
    model = Forecaster.load(out)
    names = set(model.config.training["sources"]["validation"])
    data = collect_data({"m": model}, sequences, SMALL)
    assert len(data.validation) == len(names)
    assert len(data.train) == len(sequences) - len(names)


def test_sources_that_came_later_change_nothing(trained):
    out, sequences = trained
    model = Forecaster.load(out)
    grown = [
        ("another", add_deltas(50 * autoregression(300, 99), width=9)),
        *sequences,
        ("one step", sequences[0][1][:1]),
    ]
    assert added_sources(model, sequences) == []
    assert added_sources(model, grown) == ["another"]
    before, after = (collect_data({"m": model}, s, SMALL) for s in (sequences, grown))
    np.testing.assert_array_equal(after.train, before.train)
    np.testing.assert_array_equal(after.validation, before.validation)


def test_scores_are_scaled_as_in_training(trained):
    out, sequences = trained
    model = Forecaster.load(out)
    train = collect_data({"m": model}, sequences).train
    name = model.config.training["sources"]["train"][0]
    np.testing.assert_array_equal(
        train[0], model.normalise(torch.from_numpy(dict(sequences)[name][:, :3])).numpy()
    )


def test_models_of_two_states_of_a_database_are_not_evaluated_together(trained):
    out, sequences = trained
    model = Forecaster.load(out)
    other = Forecaster.load(out)
    other.mean += 1
    with pytest.raises(
        ParameterError,
        match="b was trained on another state of the database than a; evaluate them one by one",
    ):
        evaluate({"a": model, "b": other}, sequences)


def test_one_source_is_evaluated_on_its_last_part_whatever_came_later(tmp_path):
    alone = [("alone", add_deltas(autoregression(400, 1), width=9))]
    options = ForecasterOptions(epochs=1, window=8)
    normaliser = fit_normaliser([alone[0][1]], 9)
    train_forecaster(
        alone, tmp_path / "m", settings=SETTINGS, normaliser=normaliser, options=options
    )
    later = [*alone, ("later", alone[0][1][:50])]
    data = collect_data({"m": Forecaster.load(tmp_path / "m")}, later, SMALL)
    assert [len(rows) for rows in data.train] == [360]
    assert [len(rows) for rows in data.validation] == [40]


def test_what_cannot_be_evaluated_is_refused(trained):
    out, sequences = trained
    model = Forecaster.load(out)
    other = Forecaster.load(out)
    other.config.training["sources"] = {"train": ["x"], "validation": ["y"]}
    with pytest.raises(ParameterError, match="b was trained on other sources than a"):
        evaluate({"a": model, "b": other}, sequences)
    with pytest.raises(
        ParameterError,
        match=r"2 of the 2 sources .* are not in the database .x, y.; evaluate on the database it",
    ):
        evaluate({"b": other}, sequences)
    with pytest.raises(
        ParameterError, match="a model is called ridge, like a baseline; give it another name"
    ):
        evaluate({"ridge": model}, sequences)
    with pytest.raises(ParameterError, match="no model is given"):
        evaluate({}, sequences)
    brief = [(name, rows[:15]) for name, rows in sequences]
    with pytest.raises(
        ParameterError, match="have 300 steps in the database and had 6000: they were changed since"
    ):
        evaluate({"a": model}, brief, settings=SMALL)
    del model.config.training["steps"]  # as an older version saved it
    with pytest.raises(
        ParameterError,
        match="longest validation source lasts 15 steps, at least 16 are needed",
    ):
        evaluate({"a": model}, brief, settings=SMALL)


def test_brief_pieces_are_evaluated_after_brief_seeds(trained):
    out, sequences = trained
    brief = [(name, rows[: 16 + i % 3]) for i, (name, rows) in enumerate(sequences)]
    model = Forecaster.load(out)
    del model.config.training["steps"]
    data = collect_data({"m": model}, brief, SMALL)
    assert data.n_seed == 8
    assert {len(rows) for rows in data.validation} <= {16, 17, 18}
    found, floors = evaluate({"m": model}, brief, settings=SMALL)
    json.dumps(to_document(found, floors), allow_nan=False)
