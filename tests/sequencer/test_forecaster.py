"""Every forecaster goes through these, at toy width; and what training and rollouts must hold."""

import json
import math

import numpy as np
import pytest
import torch

from db.descriptors.mfcc import add_deltas
from db.errors import CheckpointError, ParameterError
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.mixture import KEEP, MixtureHead
from sequencer.models import BODIES
from sequencer.rollout import rollout
from sequencer.train import TrainingError, TrainingOptions, _nll, train_forecaster
from sequencer.windows import batches

SETTINGS = DescriptorSettings(n_mfcc=4)
TOY = {"hidden_size": 16, "n_layers": 2, "dropout": 0.1}
WINDOW = 8


def song(steps, seed=0):
    """A wave through four descriptors with a little noise, raw (steps, 12)."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)[:, None] * 0.4 + np.arange(4) + rng.uniform(0, 6)
    return add_deltas(10 * np.sin(t).astype(np.float32) + rng.normal(0, 0.5, (steps, 4)).astype(np.float32), width=9)


SONGS = [(f"song{i}", song(120, i)) for i in range(6)]
NORMALISER = fit_normaliser([rows for _, rows in SONGS], 12)


def toy(name="lstm"):
    torch.manual_seed(0)
    model = Forecaster(ForecasterConfig(name, SETTINGS, WINDOW, body=TOY, n_components=3))
    model.set_statistics(NORMALISER, low=torch.full((4,), -3.0), high=torch.full((4,), 3.0))
    return model.eval()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "m"
    options = TrainingOptions(epochs=25, window=WINDOW, learning_rate=5e-3)
    summary = train_forecaster(SONGS, out, settings=SETTINGS, normaliser=NORMALISER, options=options)
    return out, summary


@pytest.mark.parametrize("name", sorted(BODIES))
class TestConformance:
    def test_shapes(self, name):
        hidden, _ = toy(name)(torch.zeros(5, 11, 4))
        assert hidden.shape[:2] == (5, 11)

    def test_is_causal(self, name):
        model, x = toy(name), torch.randn(1, 20, 4, generator=generator())
        changed = x.clone()
        changed[:, 12:] += 1
        torch.testing.assert_close(model(x)[0][:, :12], model(changed)[0][:, :12])

    def test_state_goes_on_where_it_was(self, name):
        model, x = toy(name), torch.randn(2, 20, 4, generator=generator())
        whole, _ = model(x)
        first, state = model(x[:, :13])
        second, _ = model(x[:, 13:], state)
        torch.testing.assert_close(torch.cat([first, second], dim=1), whole)

    def test_save_and_load_give_the_same_output(self, name, tmp_path):
        model = toy(name)
        model.save(tmp_path / "m")
        loaded = Forecaster.load(tmp_path / "m")
        np.testing.assert_array_equal(*(rollout(m, song(30), steps=9, generator=generator()) for m in (model, loaded)))

    def test_one_batch_is_overfitted(self, name):
        model = toy(name)
        batch = next(batches([model.normalise(torch.from_numpy(song(20)[:, :4]))], window=19, batch_size=1))
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(150):
            nll, n = _nll(model, batch)
            optimiser.zero_grad()
            (nll / n).backward()
            optimiser.step()
            losses.append(float((nll / n).detach()))
        assert losses[-1] < losses[0] - 4


def test_mixture_likelihood_of_one_component_is_the_gaussian_density():
    head = MixtureHead(3, 2, n_components=1)
    hidden, current, following = torch.randn(7, 3), torch.randn(7, 2), torch.randn(7, 2)
    _, mean, std = head(hidden, current)
    expected = torch.distributions.Normal(mean[:, 0], std[:, 0]).log_prob(following).sum(-1)
    torch.testing.assert_close(head.log_likelihood(hidden, current, following), expected)


def test_mixture_density_integrates_to_one():
    torch.manual_seed(0)
    head = MixtureHead(3, 1, n_components=4)
    grid = torch.linspace(-12, 12, 4001)[:, None]
    density = head.log_likelihood(torch.randn(1, 3).expand(4001, 3), torch.zeros(4001, 1), grid).exp().detach()
    assert float(torch.trapezoid(density, grid[:, 0])) == pytest.approx(1, abs=1e-3)


def test_mixture_samples_follow_its_mean():
    torch.manual_seed(0)
    head = MixtureHead(3, 2, n_components=4)
    hidden, current = torch.randn(1, 3).expand(20000, 3), torch.zeros(20000, 2)
    drawn = head.sample(hidden, current, temperature=1.0, generator=generator())
    torch.testing.assert_close(drawn.mean(0), head.expectation(hidden, current)[0].detach(), atol=0.03, rtol=0)


def test_current_step_is_never_carried_over_whole():
    head = MixtureHead(3, 2, n_components=2)
    hidden = torch.randn(5, 3)
    _, near, _ = head(hidden, torch.zeros(5, 2))
    _, far, _ = head(hidden, torch.ones(5, 2))
    assert ((far - near) < KEEP).all()


def test_training_learns_and_reports_baselines(trained):
    _, summary = trained
    assert summary.error < summary.error_persistence
    assert summary.error < summary.error_mean
    assert (summary.train_sources, summary.held_out_sources, summary.split_by) == (5, 1, "source")


def test_log_has_a_line_per_epoch(trained):
    out, summary = trained
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, summary.epochs + 1))
    assert min(line["held_out/nll"] for line in lines) == pytest.approx(summary.held_out_nll)


def test_same_seed_gives_the_same_bytes(tmp_path):
    options = TrainingOptions(epochs=2, window=WINDOW)
    for name in "ab":
        train_forecaster(SONGS, tmp_path / name, settings=SETTINGS, normaliser=NORMALISER, options=options)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_interrupted_training_leaves_the_best_so_far(tmp_path):
    def interrupt(done, total, what):
        if done == 2:
            raise KeyboardInterrupt

    summary = train_forecaster(
        SONGS,
        tmp_path / "m",
        settings=SETTINGS,
        normaliser=NORMALISER,
        options=TrainingOptions(window=WINDOW),
        progress=interrupt,
    )
    assert summary.interrupted
    assert rollout(Forecaster.load(tmp_path / "m"), song(30), steps=3, generator=generator()).shape == (3, 12)


def test_loss_that_is_not_a_number_stops_with_advice(tmp_path):
    options = TrainingOptions(window=WINDOW, learning_rate=1e30)
    with pytest.raises(TrainingError, match="smaller --learning-rate"):
        train_forecaster(SONGS, tmp_path / "m", settings=SETTINGS, normaliser=NORMALISER, options=options)


def test_wandb_in_disabled_mode_does_not_change_training(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    options = TrainingOptions(epochs=1, window=WINDOW)
    train_forecaster(SONGS, tmp_path / "a", settings=SETTINGS, normaliser=NORMALISER, options=options, wandb=True)
    train_forecaster(SONGS, tmp_path / "b", settings=SETTINGS, normaliser=NORMALISER, options=options)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"window": -1}, {"batch_size": 0}, {"patience": 0}, {"learning_rate": 0.0}, {"learning_rate": math.nan}],
)
def test_bad_options_are_refused(options):
    with pytest.raises(ParameterError, match=f"{next(iter(options))}=.* must be"):
        TrainingOptions(**options)


def test_unknown_device_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="device='abacus' cannot be used here .*--device cpu"):
        train_forecaster(
            SONGS, tmp_path / "m", settings=SETTINGS, normaliser=NORMALISER, options=TrainingOptions(device="abacus")
        )


def test_rollout_lives(trained):
    forecast = rollout(Forecaster.load(trained[0]), song(60, 9), steps=400, generator=generator())
    real = song(400, 9)
    assert 0.7 < forecast[:, :4].std() / real[:, :4].std() < 1.3
    assert 0.7 < np.abs(np.diff(forecast[:, :4], axis=0)).mean() / np.abs(np.diff(real[:, :4], axis=0)).mean() < 1.5


def test_ten_thousand_steps_stay_in_range(trained):
    forecast = rollout(Forecaster.load(trained[0]), song(60, 9), steps=10_000, generator=generator())
    assert np.isfinite(forecast).all()
    first, last = forecast[:1000, :4], forecast[-1000:, :4]
    assert last.std() / first.std() == pytest.approx(1, abs=0.25)


def test_same_generator_gives_the_same_bytes_and_another_does_not(trained):
    model = Forecaster.load(trained[0])
    a, b, c = (rollout(model, song(60), steps=50, generator=generator(s)) for s in (1, 1, 2))
    assert a.tobytes() == b.tobytes() != c.tobytes()


def test_temperature_zero_is_deterministic_and_more_gives_more_variance(trained):
    model = Forecaster.load(trained[0])
    cold = [rollout(model, song(60), steps=20, temperature=0.0, generator=generator(s)) for s in (1, 2)]
    np.testing.assert_array_equal(*cold)
    spread = []
    for temperature in (0.25, 1.0, 2.0):
        runs = [rollout(model, song(60), steps=20, temperature=temperature, generator=generator(s)) for s in range(8)]
        spread.append(np.std(runs, axis=0).mean())
    assert spread == sorted(spread)


def test_deltas_of_a_forecast_follow_from_it(trained):
    seed = song(60)
    forecast = rollout(Forecaster.load(trained[0]), seed, steps=30, generator=generator())
    whole = add_deltas(np.concatenate([seed[:, :4], forecast[:, :4]]), width=9)
    np.testing.assert_allclose(forecast, whole[60:], atol=1e-4)


@pytest.mark.parametrize(
    ("seed", "options", "message"),
    [
        (song(7), {}, "7 steps and the model's window is 8 .*longer seed, or train a model with --window 7"),
        (song(60), {"steps": 0}, "steps=0 must be at least 1"),
        (song(60), {"temperature": -1.0}, "temperature=-1.0 must be a finite number of at least 0"),
        (song(60), {"temperature": math.nan}, "temperature=nan must be"),
        (song(60)[:, :5], {}, "does not fit the model: it must be .steps, 12"),
        (np.full((20, 12), np.nan, np.float32), {}, "step 0 of the seed is not finite"),
    ],
)
def test_bad_rollouts_are_refused(seed, options, message):
    with pytest.raises(ParameterError, match=message):
        rollout(toy(), seed, **{"steps": 3, **options}, generator=generator())


def test_damaged_checkpoints_are_refused(tmp_path):
    toy().save(tmp_path / "m")
    config, weights = tmp_path / "m" / "config.json", tmp_path / "m" / "model.safetensors"
    good = json.loads(config.read_text())
    for change, message in [
        ({"version": 99}, "version 99, this Demiurge knows versions up to 1; update"),
        ({"kind": "vocoder"}, "holds a vocoder, not a forecaster"),
        ({"model": "oracle"}, "unknown forecaster 'oracle'; known are lstm"),
        ({"body": {"hidden_size": 9}}, "do not fit"),
        ({"descriptors": {}}, "descriptor settings differ from this version's"),
    ]:
        config.write_text(json.dumps({**good, **change}))
        with pytest.raises(CheckpointError, match=message):
            Forecaster.load(tmp_path / "m")
    config.write_text(json.dumps(good)[:50])
    with pytest.raises(CheckpointError, match="damaged"):
        Forecaster.load(tmp_path / "m")
    config.write_text(json.dumps(good))
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"model.safetensors: damaged"):
        Forecaster.load(tmp_path / "m")


def test_missing_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no model here .*train one"):
        Forecaster.load(tmp_path / "m")
