"""Every forecaster goes through these, at toy width; and what training and rollouts must hold."""

import errno
import json
import math
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from db.descriptors.mfcc import add_deltas
from db.normaliser import fit_normaliser
from db.settings import DescriptorSettings
from files.errors import CheckpointError, ParameterError, TrainingError
from sequencer.averages import SlowAverages, slow_averages
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.linear import ORDER
from sequencer.loss import batch_loss
from sequencer.mixture import MixtureHead
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.rollout import rollout
from sequencer.sampler import Sampler
from sequencer.sampling import SamplingOptions
from sequencer.train import ForecasterOptions, train_forecaster
from sequencer.windows import Windows
from training.checkpoint import load_training_state
from training.interrupt import Interrupt
from training.sparkline import sparkline

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
LEFT = {
    "point": 0.2,
    "tokens": 0.3,
}  # of the loss, when one batch is overfitted; of a likelihood, 3 nats are gone
WINDOW = 32
ALL = [(model, head) for model in ARCHITECTURES for head in HEADS]


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


def toy(name="lstm", head="mixture"):
    torch.manual_seed(0)
    model = Forecaster(ForecasterConfig(name, SETTINGS, head, TOY[name], TOY_HEAD.get(head, {})))
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "m"
    options = ForecasterOptions(epochs=25, window=WINDOW, learning_rate=5e-3)
    summary = train_forecaster(
        SONGS, out, settings=SETTINGS, normaliser=NORMALISER, options=options
    )
    return out, summary


@pytest.mark.parametrize(("name", "head"), ALL)
class TestConformance:
    def test_shapes(self, name, head):
        model = toy(name, head)
        x = torch.zeros(5, 11, 4)
        averages = torch.zeros(5, 11, 8)
        assert model(x, averages).shape == (5, 11, model.architecture.hidden_size)
        assert model(x, averages, 6).shape == (5, 5, model.architecture.hidden_size)

    def test_is_causal(self, name, head):
        model = toy(name, head)
        x = torch.randn(1, 20, 4, generator=generator())
        changed = x.clone()
        changed[:, 15:] += 1
        before, after = (
            model(y, torch.from_numpy(slow_averages(y.numpy(), delay=model.head.delay)), 3)
            for y in (x, changed)
        )
        torch.testing.assert_close(before[:, :12], after[:, :12])
        assert not torch.allclose(before[:, 12:], after[:, 12:])

    def test_state_goes_on_where_it_was(self, name, head):
        model = toy(name, head)
        x = torch.randn(2, 40, model.head.input_size(4) + 8, generator=generator())
        state = model.architecture.prime(x[:, :7])
        whole, _ = model.architecture(x[:, 7:], state)
        parts = []
        for first, last in ((7, 20), (20, 21), (21, 22), (22, 40)):
            hidden, state = model.architecture(x[:, first:last], state)
            parts.append(hidden)
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)

    def test_a_batch_gives_what_each_of_its_rows_gives(self, name, head):
        model = toy(name, head)
        seeds = [song(30, 1), song(30, 2), song(37, 3)]
        together = rollout(model, seeds, n_steps=9, sampling=SamplingOptions(temperature=0.0))
        for seed, rows in zip(seeds, together[:, 0], strict=True):
            np.testing.assert_allclose(roll(model, seed, 9, temperature=0.0), rows, atol=1e-3)

    def test_save_and_load_give_the_same_output(self, name, head, tmp_path):
        model = toy(name, head)
        model.save(tmp_path / "m")
        loaded = Forecaster.load(tmp_path / "m")
        np.testing.assert_array_equal(*(roll(m, song(30), 9) for m in (model, loaded)))

    def test_one_batch_is_overfitted(self, name, head):
        model = toy(name, head)
        windows = Windows(
            [model.normalise(torch.from_numpy(song(40)[:, :4]))],
            window=19,
            batch_size=2,
            context=12,
        )
        batch = next(windows.epoch())
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(150):
            loss, n = batch_loss(model, batch)
            optimiser.zero_grad()
            (loss / n).backward()
            optimiser.step()
            losses.append(float((loss / n).detach()))
        assert losses[-1] < (LEFT[head] * losses[0] if head in LEFT else losses[0] - 3)

    def test_variations_differ_with_a_distribution_only(self, name, head):
        model = toy(name, head)
        a, b = rollout(model, [song(30)], n_steps=9, variations=2)[0]
        assert (a.tobytes() == b.tobytes()) == (head == "point")


def test_mixture_likelihood_of_one_component_is_the_gaussian_density():
    head = MixtureHead(3, 2, n_components=1)
    hidden = torch.randn(7, 3)
    ground = torch.randn(7, 2)
    following = torch.randn(7, 2)
    _, mean, std = head(hidden, ground)
    expected = torch.distributions.Normal(mean[:, 0], std[:, 0]).log_prob(following).sum(-1)
    torch.testing.assert_close(head.log_likelihood(hidden, ground, following), expected)


def test_mixture_density_integrates_to_one():
    torch.manual_seed(0)
    head = MixtureHead(3, 1, n_components=4)
    grid = torch.linspace(-12, 12, 4001)[:, None]
    density = (
        head.log_likelihood(torch.randn(1, 3).expand(4001, 3), torch.zeros(4001, 1), grid)
        .exp()
        .detach()
    )
    assert float(torch.trapezoid(density, grid[:, 0])) == pytest.approx(1, abs=1e-3)


def test_mixture_samples_follow_its_mean():
    torch.manual_seed(0)
    head = MixtureHead(3, 2, n_components=4)
    hidden = torch.randn(1, 3).expand(20000, 3)
    recent = torch.zeros(20000, ORDER, 2)
    drawn = head.sample(hidden, recent, sampler())
    expected = head.expectation(hidden[:1].expand(1, ORDER, 3), torch.zeros(1, ORDER, 2))[
        0, -1
    ].detach()
    torch.testing.assert_close(drawn.mean(0), expected, atol=0.03, rtol=0)


def test_the_mixture_predicts_linearly_from_the_last_steps():
    head = toy().head
    x = torch.from_numpy(NORMALISER.apply(song(50, 3))[:, :4].copy())
    ground = head.predict(x[None])[0]
    row = torch.cat([x[20 - ORDER + 1 : 21].flatten(), torch.ones(1)])
    torch.testing.assert_close(ground[20], row @ head.prediction)
    assert (ground[ORDER:-1] - x[ORDER + 1 :]).square().mean() < 0.3 * (
        x[ORDER:-1] - x[ORDER + 1 :]
    ).square().mean()
    torch.testing.assert_close(head.predict(x[None, 21 - ORDER : 21])[0, -1], ground[20])


@pytest.mark.parametrize("delay", [0, 3])
def test_slow_averages_are_means_at_first_and_the_same_step_by_step(delay):
    x = np.random.default_rng(0).normal(1, 1, (2, 900, 3)).astype(np.float32)
    averages = slow_averages(x, delay=delay)
    assert averages.shape == (2, 900, 6)
    assert not averages[:, :delay].any()
    np.testing.assert_allclose(averages[:, delay, 3:], x[:, 0], rtol=1e-6)
    np.testing.assert_allclose(averages[:, delay + 19, 3:], x[:, :20].mean(1), atol=0.05)
    stream = SlowAverages(torch.from_numpy(x[:, :50]))
    for t in range(50, 900 - delay):
        value = stream.add(torch.from_numpy(x[:, t]))
        np.testing.assert_allclose(value, averages[:, t + delay], atol=1e-5)


def test_training_learns(trained):
    out, summary = trained
    losses = [
        json.loads(line)["validation/loss"] for line in (out / "log.jsonl").read_text().splitlines()
    ]
    assert summary.best < losses[0] - 2
    assert (summary.train_sources, summary.validation_sources, summary.split_by) == (5, 1, "source")


def test_log_has_a_line_per_epoch(trained):
    out, summary = trained
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, summary.epochs + 1))
    assert min(line["validation/loss"] for line in lines) == pytest.approx(summary.best)


def test_same_seed_gives_the_same_bytes(tmp_path):
    options = ForecasterOptions(epochs=2, window=WINDOW)
    for name in "ab":
        train_forecaster(
            SONGS, tmp_path / name, settings=SETTINGS, normaliser=NORMALISER, options=options
        )
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_saved_sizes_outlive_a_change_of_the_defaults(trained, tmp_path, monkeypatch):
    entry = ARCHITECTURES["lstm"]
    config = json.loads((trained[0] / "config.json").read_text())
    assert config["architecture_sizes"] == entry.default_sizes
    before = roll(Forecaster.load(trained[0]), song(30), 5)
    shutil.copytree(trained[0], tmp_path / "old")
    (tmp_path / "old" / "config.json").write_text(
        json.dumps({**config, "architecture_sizes": {}})
    )  # as an older version saved it
    np.testing.assert_array_equal(roll(Forecaster.load(tmp_path / "old"), song(30), 5), before)
    monkeypatch.setitem(
        ARCHITECTURES, "lstm", replace(entry, sizes=replace(entry.sizes, hidden_size=8))
    )
    np.testing.assert_array_equal(roll(Forecaster.load(trained[0]), song(30), 5), before)


def test_interrupted_training_leaves_the_best_so_far(tmp_path):
    def interrupt(done, total, label):
        if "epoch 3 of" in label:
            raise KeyboardInterrupt

    summary = train_forecaster(
        SONGS,
        tmp_path / "m",
        settings=SETTINGS,
        normaliser=NORMALISER,
        options=ForecasterOptions(window=WINDOW),
        progress=interrupt,
    )
    assert summary.stopped_by == "interrupt"
    assert roll(Forecaster.load(tmp_path / "m"), song(30), 3).shape == (3, 12)


@pytest.mark.parametrize(("name", "head"), [("lstm", "mixture"), ("transformer", "tokens")])
@pytest.mark.parametrize("batches", [1, 5, 8])
def test_training_goes_on_bit_exactly_where_it_was_stopped(
    tmp_path, monkeypatch, name, head, batches
):
    options = ForecasterOptions(
        architecture=name, head=head, epochs=3, window=4, batch_size=16, save_seconds=1e-9
    )
    entry = ARCHITECTURES[name]
    monkeypatch.setitem(
        ARCHITECTURES, name, replace(entry, sizes=replace(entry.sizes, **TOY[name]))
    )
    train = {"settings": SETTINGS, "normaliser": NORMALISER, "options": options}
    train_forecaster(SONGS, tmp_path / "whole", **train)
    count = 0

    def stop(*arguments):
        nonlocal count
        count += 1
        if count > batches:
            raise KeyboardInterrupt
        return batch_loss(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("sequencer.train.batch_loss", stop)
        train_forecaster(SONGS, tmp_path / "parts", **train)
    train_forecaster(SONGS, tmp_path / "parts", **train, resume=True)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_ctrl_c_finishes_the_update_and_loses_none(tmp_path, monkeypatch):
    options = ForecasterOptions(epochs=2, window=4, batch_size=16)
    train = {"settings": SETTINGS, "normaliser": NORMALISER, "options": options}
    train_forecaster(SONGS, tmp_path / "whole", **train)
    count = 0

    def press(*arguments):
        nonlocal count
        count += 1
        if count == 5:
            signal.raise_signal(signal.SIGINT)
        return batch_loss(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("sequencer.train.batch_loss", press)
        summary = train_forecaster(SONGS, tmp_path / "parts", **train)
    assert (summary.stopped_by, len(summary.validations)) == ("interrupt", 1)
    assert load_training_state(tmp_path / "parts")["position"]["step"] == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train_forecaster(SONGS, tmp_path / "parts", **train, resume=True)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_resuming_needs_the_same_options_sources_and_something_to_resume(tmp_path):
    train = {"settings": SETTINGS, "normaliser": NORMALISER}
    options = ForecasterOptions(epochs=1, window=WINDOW)
    with pytest.raises(CheckpointError, match="nothing to go on from .*train without --resume"):
        train_forecaster(SONGS, tmp_path / "m", **train, options=options, resume=True)
    train_forecaster(SONGS, tmp_path / "m", **train, options=options)
    with pytest.raises(
        ParameterError,
        match=r"was trained with head mixture \(not point\); to resume, give the same",
    ):
        train_forecaster(
            SONGS, tmp_path / "m", **train, options=replace(options, head="point"), resume=True
        )
    with pytest.raises(
        ParameterError,
        match=r"trained on other files than these \(2 removed: song4, song5\); .*--force",
    ):
        train_forecaster(SONGS[:4], tmp_path / "m", **train, options=options, resume=True)


class Hostile:
    def __reduce__(self):
        return (os.system, ("touch /tmp/hostile_pickle_was_run",))


def test_training_state_with_code_in_it_is_refused_and_not_run(tmp_path):
    train = {
        "settings": SETTINGS,
        "normaliser": NORMALISER,
        "options": ForecasterOptions(epochs=1, window=WINDOW),
    }
    train_forecaster(SONGS, tmp_path / "m", **train)
    torch.save({"model": Hostile()}, tmp_path / "m" / "training.pt")
    with pytest.raises(CheckpointError, match=r"training.pt: damaged .*train anew with --force"):
        train_forecaster(SONGS, tmp_path / "m", **train, resume=True)
    assert not os.path.exists("/tmp/hostile_pickle_was_run")


def test_time_budget_ends_training_with_a_model(tmp_path):
    options = ForecasterOptions(epochs=10_000, patience=10_000, window=WINDOW, minutes=0.02)
    summary = train_forecaster(
        SONGS, tmp_path / "m", settings=SETTINGS, normaliser=NORMALISER, options=options
    )
    assert summary.stopped_by == "minutes"
    assert summary.seconds < 20
    assert roll(Forecaster.load(tmp_path / "m"), song(30), 3).shape == (3, 12)


def test_half_precision_trains(tmp_path):
    options = ForecasterOptions(epochs=2, window=WINDOW, precision="bfloat16")
    summary = train_forecaster(
        SONGS, tmp_path / "m", settings=SETTINGS, normaliser=NORMALISER, options=options
    )
    assert math.isfinite(summary.best)


def test_loss_that_is_not_a_number_stops_with_advice(tmp_path):
    options = ForecasterOptions(window=WINDOW, learning_rate=1e30)
    with pytest.raises(TrainingError, match="smaller --learning-rate"):
        train_forecaster(
            SONGS, tmp_path / "m", settings=SETTINGS, normaliser=NORMALISER, options=options
        )


def test_wandb_in_disabled_mode_does_not_change_training(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    options = ForecasterOptions(epochs=1, window=WINDOW)
    train_forecaster(
        SONGS, tmp_path / "a", settings=SETTINGS, normaliser=NORMALISER, options=options, wandb=True
    )
    train_forecaster(
        SONGS, tmp_path / "b", settings=SETTINGS, normaliser=NORMALISER, options=options
    )
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (
        tmp_path / "b" / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"window": -1},
        {"batch_size": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"minutes": 0.0},
        {"precision": "int3"},
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises(ParameterError, match=f"{next(iter(options))}=.* must be"):
        ForecasterOptions(**options)


def test_unknown_parts_are_refused():
    with pytest.raises(
        ParameterError, match="unknown architecture 'oracle'; known are lstm, lstm-seq2seq"
    ):
        ForecasterOptions(architecture="oracle")
    with pytest.raises(
        ParameterError, match="unknown head 'oracle'; known are point, mixture, tokens"
    ):
        ForecasterOptions(head="oracle")


def test_second_ctrl_c_interrupts_at_once():
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
    assert (interrupt.asked, signal.signal(signal.SIGINT, ignored)) == (False, signal.SIG_IGN)


def test_unknown_device_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="device='abacus' cannot be used here .*--device cpu"):
        train_forecaster(
            SONGS,
            tmp_path / "m",
            settings=SETTINGS,
            normaliser=NORMALISER,
            options=ForecasterOptions(device="abacus"),
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


def test_damaged_checkpoints_are_refused(tmp_path):
    toy().save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    weights = tmp_path / "m" / "model.safetensors"
    good = json.loads(config.read_text())
    for change, message in [
        ({"version": 99}, "version 99, this Demiurge knows versions up to 1; update"),
        ({"kind": "vocoder"}, "holds a vocoder, not a forecaster"),
        ({"architecture": "oracle"}, "unknown architecture 'oracle'; known are lstm"),
        ({"architecture_sizes": {"hidden_size": 9}}, "do not fit"),
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


def test_nucleus_keeps_the_likeliest_that_make_up_top_p():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).expand(4000, 4)
    for top_p, kept in ((1.0, {0, 1, 2, 3}), (0.9, {0, 1, 2}), (0.6, {0, 1}), (0.1, {0})):
        drawn = sampler(top_p=top_p).sample_categories(logits)
        assert set(drawn.tolist()) == kept


def test_quantised_steps_come_back_nearly_and_exactly_when_quantised_again():
    head = toy("lstm", "tokens").head
    scores = torch.from_numpy(NORMALISER.apply(song(200, 3))[:, :4].copy())
    restored = head.restore(head.quantise(scores))
    assert float((restored - scores).square().mean()) < 0.05
    torch.testing.assert_close(head.restore(head.quantise(restored)), restored, atol=0.3, rtol=0)


def test_levels_enter_the_architecture_in_the_delayed_pattern():
    head = toy("lstm", "tokens").head
    codes = torch.arange(12).reshape(1, 4, 3)
    pad = head.n_codes
    assert head._delayed(codes)[0].tolist() == [[0, pad, pad], [3, 1, pad], [6, 4, 2], [9, 7, 5]]


def test_sampled_levels_enter_the_architecture_in_the_delayed_pattern(monkeypatch):
    """As codes, before they are embedded and restored: what a rollout feeds back is what training
    sees.
    """
    head = toy("lstm", "tokens").head
    seed = torch.randn(2, ORDER, 4, generator=generator(1))
    for name in ("embed", "restore"):
        monkeypatch.setattr(head, name, lambda codes: codes)
    stream = head.start(seed, sampler())
    fed, drawn = zip(
        *(stream.step(torch.randn(2, 16, generator=generator(i))) for i in range(9)), strict=True
    )
    assert [step is None for step in drawn] == [True] * head.delay + [False] * (9 - head.delay)
    whole = torch.cat([head.quantise(seed), torch.stack(drawn[head.delay :], dim=1)], dim=1)
    expected = head._delayed(whole)[:, ORDER:]
    assert torch.equal(torch.stack(fed, dim=1)[:, : expected.shape[1]], expected)


def test_attention_with_its_cache_equals_attention_over_the_whole_history():
    model = toy("transformer-encoder")
    x = torch.randn(1, 60, 12, generator=generator())
    whole, _ = model.architecture(x)
    state = None
    parts = []
    for i in range(60):
        hidden, state = model.architecture(x[:, i : i + 1], state)
        parts.append(hidden)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    assert state[0].keys.shape[2] == 9  # span - 1, however long the history


@pytest.mark.parametrize("head", HEADS)
def test_constant_descriptors_train_and_are_continued(tmp_path, head):
    constant = [
        (f"c{i}", add_deltas(np.tile([1.0, 0.0, -300.0, 7.0], (90, 1)).astype(np.float32), width=9))
        for i in range(3)
    ]
    train = {"settings": SETTINGS, "normaliser": fit_normaliser([rows for _, rows in constant], 12)}
    train_forecaster(
        constant,
        tmp_path / "m",
        **train,
        options=ForecasterOptions(head=head, epochs=2, window=WINDOW),
    )
    forecast = roll(Forecaster.load(tmp_path / "m"), constant[0][1], 20)
    np.testing.assert_allclose(forecast[:, :4], constant[0][1][:20, :4], atol=1e-3)


def test_one_source_is_split_by_time(tmp_path):
    options = ForecasterOptions(epochs=1, window=WINDOW)
    summary = train_forecaster(
        SONGS[:1], tmp_path / "m", settings=SETTINGS, normaliser=NORMALISER, options=options
    )
    assert (summary.split_by, summary.train_steps, summary.validation_steps) == ("time", 108, 12)


def test_fewer_steps_than_a_window_are_refused(tmp_path):
    options = ForecasterOptions(window=1000)
    with pytest.raises(
        ParameterError,
        match=r"600 steps to train on are fewer than one window of 1000; .*--window 300",
    ):
        train_forecaster(
            SONGS, tmp_path / "m", settings=SETTINGS, normaliser=NORMALISER, options=options
        )
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("function", "kept"),
    [
        ("training.checkpoint.save_file", ["model.safetensors", "config.json"]),
        ("training.checkpoint.torch.save", ["model.safetensors", "config.json", "training.pt"]),
    ],
)
def test_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch, function, kept):
    train = {"settings": SETTINGS, "normaliser": NORMALISER}
    once = ForecasterOptions(epochs=1, window=WINDOW)
    twice = replace(once, epochs=2)
    folder = tmp_path / "m"
    train_forecaster(SONGS, folder, **train, options=once)
    before = {name: (folder / name).read_bytes() for name in kept}
    files = {file.name for file in folder.iterdir()}

    def full(what, path, *arguments):
        path.write_bytes(b"half a ")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(function, full)
        with pytest.raises(
            ParameterError, match=r"m: cannot be saved .No space left on device.; .*--resume"
        ):
            train_forecaster(SONGS, folder, **train, options=twice, resume=True)
    assert {name: (folder / name).read_bytes() for name in kept} == before
    assert {file.name for file in folder.iterdir()} == files
    train_forecaster(SONGS, folder, **train, options=twice, resume=True)


def test_loss_curve_shows_rise_and_fall():
    assert sparkline([8.0, 4.0, 1.0, 1.0, 2.0]) == "█▄▁▁▂"
    assert sparkline([]) == ""
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([float(n) for n in range(100, 0, -1)], width=8) == "█▇▆▅▄▃▂▁"
