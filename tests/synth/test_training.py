"""Vocoders, generators and codecs learn; the interrupted end as the undisturbed; what goes wrong is
told and leaves the last good.
"""

import errno
import functools
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from demiurge.bundled import CORPUS_DIR
from files.errors import CheckpointError, ParameterError, TrainingError
from files.progress import no_progress
from synth.architectures import ARCHITECTURES
from synth.codec_options import CodecOptions
from synth.codecs.mel_codec import MelCodecModel
from synth.dataset import open_dataset
from synth.discriminators import (
    MelGANDiscriminator,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
    MultiScaleDiscriminator,
)
from synth.flow_options import FlowOptions
from synth.generator import load_generator
from synth.mel import PRESETS
from synth.samples import SAFE_PEAK, save_wav
from synth.train_codec import CodecTraining, train_codec
from synth.train_flow import FlowTraining, train_flow
from synth.train_unagan import UnaganTraining, train_unagan
from synth.train_vocoder import VocoderOptions, VocoderTraining, train_vocoder
from synth.unagan_options import UnaganOptions
from synth.vocoder import Vocoder
from tests.synth.toy_codecs import SIZES, toy_vocoder
from tests.synth.toys import MEL, TOY
from training.checkpoint import load_training_state
from training.distributed import Distributed
from training.loop import TrainingLoop

NARROW = {
    "period": functools.partial(MultiPeriodDiscriminator, (2, 3), 1),
    "scale": functools.partial(MultiScaleDiscriminator, 2),
    "resolution": functools.partial(MultiResolutionDiscriminator, (256,), 2),
    "melgan": functools.partial(MelGANDiscriminator, 2, 2),
}
SOUNDS = ("tabla_ghe3", "bass_drop_c", "elec_chime", "tabla_tun3", "ambi_piano", "drum_splash_hard")
VOCODER = {
    "batch_size": 2,
    "segment_frames": 32,
    "mel": "toy",
    "adversarial_from": 2,
    "validate_steps": 4,
    "threads": 1,
    "learning_rate": 2e-3,
}
UNAGAN = {
    "batch_size": 3,
    "clip_frames": 128,
    "width": 16,
    "discriminator_width": 16,
    "mel": "toy",
    "architecture": "unagan-nonhierarchical",
    "validate_steps": 4,
    "threads": 1,
    "learning_rate": 1e-3,
}
CODEC = {
    **SIZES,
    "batch_size": 3,
    "segment_frames": 128,
    "mel": "toy",
    "validate_steps": 4,
    "threads": 1,
    "learning_rate": 1e-3,
}
FLOW = {
    "batch_size": 3,
    "clip_frames": 256,
    "width": 64,
    "layers": 1,
    "mel": "toy",
    "validate_steps": 4,
    "threads": 1,
    "learning_rate": 1e-3,
}


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    """Fourteen seconds of real sounds in six files."""
    folder = tmp_path_factory.mktemp("audio")
    for name in SOUNDS:
        shutil.copy(CORPUS_DIR / f"{name}.ogg", folder)
    return folder


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Vocoder and discriminators at toy width, a toy mel among the presets, one thread."""
    monkeypatch.setitem(PRESETS, "toy", MEL)
    monkeypatch.setattr("synth.train_unagan.N_VALIDATION_CLIPS", 4)
    monkeypatch.setattr("synth.train_flow.N_VALIDATION_CLIPS", 2)
    monkeypatch.setattr("synth.train_flow.VALIDATION_STEPS", 2)
    monkeypatch.setattr("synth.flow_generator.N_STYLES", 8)
    for name, architecture in ARCHITECTURES.items():
        monkeypatch.setitem(ARCHITECTURES, name, narrowed(architecture))
    small = ARCHITECTURES["vocos-small"]
    monkeypatch.setitem(
        ARCHITECTURES,
        "vocos-small",
        replace(small, sizes=replace(small.sizes, **TOY["vocos-small"])),
    )


def narrowed(architecture):
    """The architecture with discriminators of toy width, where there are such."""
    made = {
        key: (NARROW.get(key, make), weight)
        for key, (make, weight) in architecture.recipe.discriminators.items()
    }
    return replace(architecture, recipe=replace(architecture.recipe, discriminators=made))


def toy(architecture="vocos-small"):
    torch.manual_seed(0)
    return Vocoder(architecture, MEL, config=TOY[architecture])


def vocoder(audio, out, *, start=None, steps=4, resume=False, progress=no_progress, **options):
    options = VocoderOptions(**{**VOCODER, "steps": steps, **options})
    return train_vocoder(audio, out, options=options, start=start, resume=resume, progress=progress)


def unagan(audio, out, *, start=None, steps=4, resume=False, progress=no_progress, **options):
    options = UnaganOptions(**{**UNAGAN, "steps": steps, **options})
    return train_unagan(audio, out, options=options, start=start, resume=resume, progress=progress)


def flow(audio, out, *, start=None, steps=4, resume=False, progress=no_progress, **options):
    options = FlowOptions(**{**FLOW, "steps": steps, **options})
    return train_flow(audio, out, options=options, start=start, resume=resume, progress=progress)


def codec(audio, out, *, start=None, steps=4, resume=False, progress=no_progress, **options):
    options = CodecOptions(**{**CODEC, "steps": steps, **options})
    return train_codec(
        audio,
        out,
        options=options,
        vocoder=toy_vocoder(),
        start=start,
        resume=resume,
        progress=progress,
    )


TRAIN = {"vocoder": vocoder, "unagan": unagan, "flow": flow, "codec": codec}
OPTIONS = {"vocoder": VOCODER, "unagan": UNAGAN, "flow": FLOW, "codec": CODEC}
TRAINABLES = {
    "vocoder": VocoderTraining,
    "unagan": UnaganTraining,
    "flow": FlowTraining,
    "codec": CodecTraining,
}
BATCH = {
    "vocoder": 10,
    "unagan": 3,
    "flow": 3,
    "codec": 3,
}  # with which an epoch is less than seven steps
LOADERS = {
    "vocoder": Vocoder.load,
    "unagan": load_generator,
    "flow": load_generator,
    "codec": MelCodecModel.load,
}
both = pytest.mark.parametrize("kind", TRAIN)


def log(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def equal(a, b):
    """Whether two states hold the same, bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def interrupt(monkeypatch, kind, after):
    """Ctrl-C within the step after so many."""
    step = TRAINABLES[kind].step
    count = 0

    def stop(self, *arguments):
        nonlocal count
        count += 1
        if count > after:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(TRAINABLES[kind], "step", stop)


@pytest.mark.parametrize("architecture", TOY)
def test_one_batch_is_overfitted_by_every_vocoder(architecture, audio):
    """The vocoder gets nearer to discriminators that stand still; then these learn to tell it from
    the recordings.
    """
    options = VocoderOptions(
        batch_size=2, segment_frames=32, adversarial_from=0, learning_rate=5e-3
    )
    training = VocoderTraining(open_dataset(audio, MEL), options, Distributed(), toy(architecture))
    batch = next(training.batches(0, 0))
    step_discriminators = training.step_discriminators
    training.step_discriminators = lambda real, fake: {}
    losses = [sum(training.step(batch, update).values()) for update in range(1, 21)]
    assert losses[-1] < 0.85 * losses[0]

    with torch.no_grad():
        fake = training.model(batch[1])
    told = [step_discriminators(batch[0][:, None], fake) for _ in range(30)]
    assert {name.removeprefix("discriminator/") for name in told[0]} == set(
        ARCHITECTURES[architecture].recipe.discriminators
    )
    assert sum(told[-1].values()) < 0.95 * sum(told[0].values())


def test_one_batch_is_overfitted_by_a_codec(audio):
    options = CodecOptions(**{**CODEC, "learning_rate": 5e-3})
    training = CodecTraining(
        open_dataset(audio, MEL), options, Distributed(), vocoder=toy_vocoder()
    )
    batch = next(training.batches(0, 0))
    losses = [training.step(batch, update)["mel"] for update in range(1, 61)]
    assert losses[-1] < 0.6 * losses[0]


def test_one_codebook_of_a_codec_says_more_than_the_mean_spectrum(audio, tmp_path):
    summary = codec(audio, tmp_path / "m", steps=120, validate_steps=120, learning_rate=3e-3)
    measures = MelCodecModel.load(tmp_path / "m").training_summary["measures"]
    assert list(measures) == [
        *("mel_l1_3", "mel_l1_1", "mel_l1_2", "mel_l1_latents"),
        *(f"perplexity_{number}" for number in (1, 2, 3)),
    ]
    assert measures["mel_l1_1"] < 0.9 * summary.baselines["the mean spectrum"]
    assert measures["mel_l1_3"] == summary.validation_loss


@pytest.mark.parametrize("architecture", ["unagan", "unagan-nonhierarchical"])
@pytest.mark.parametrize("cycle", [True, False])
def test_one_batch_is_overfitted_by_every_unagan(architecture, cycle, audio):
    values = {**UNAGAN, "architecture": architecture, "cycle": cycle, "learning_rate": 5e-3}
    training = UnaganTraining(open_dataset(audio, MEL), UnaganOptions(**values), Distributed())
    batch = next(training.batches(0, 0))
    told = [training.step(batch, update) for update in range(1, 13)]
    assert told[-1]["began/real"] < 0.9 * told[0]["began/real"]
    assert 0 < told[-1]["began/k"] < 1
    assert ("generator/cycle_mel" in told[0]) == ("generator/cycle_z" in told[0]) == cycle
    if cycle:
        assert told[-1]["generator/cycle_mel"] < 0.9 * told[0]["generator/cycle_mel"]


@both
@pytest.mark.parametrize(("stop", "every"), [(2, 3), ("epoch", 1), (7, 3)])
def test_training_goes_on_bit_exactly_where_it_was_stopped(
    kind, stop, every, audio, tmp_path, undisturbed, monkeypatch
):
    """Stopped at a save (`every` step) and between two; at the end of an epoch and in the next."""
    whole, epoch = undisturbed(kind)
    save = TrainingLoop._save
    with monkeypatch.context() as patch:
        patch.setattr(
            TrainingLoop, "_save", lambda self: save(self) if self.at.step % every == 0 else None
        )
        interrupt(patch, kind, epoch if stop == "epoch" else stop)
        summary = TRAIN[kind](
            audio, tmp_path / "m", steps=9, batch_size=BATCH[kind], save_seconds=1e-9
        )
    assert summary.stopped_by == "interrupt"
    TRAIN[kind](audio, tmp_path / "m", steps=9, batch_size=BATCH[kind], resume=True)
    assert equal(*(load_training_state(folder)["trainable"] for folder in (tmp_path / "m", whole)))
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == (
        whole / "model.safetensors"
    ).read_bytes()


@pytest.fixture(scope="module")
def undisturbed(audio, tmp_path_factory):
    """Nine steps at a stretch, made once for each kind: the folder, and how many batches an epoch
    has.
    """

    @functools.cache
    def train(kind):
        folder = tmp_path_factory.mktemp("whole") / kind
        TRAIN[kind](audio, folder, steps=9, batch_size=BATCH[kind])
        progress = load_training_state(folder)["position"]
        epoch = (9 - progress["batch"]) // progress["epoch"]
        assert 2 < epoch < 7
        return folder, epoch

    return train


@both
def test_same_seed_gives_the_same_bytes_and_another_does_not(kind, audio, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        TRAIN[kind](audio, tmp_path / name, steps=2, random_seed=seed)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_every_step_draws_its_own_noise(audio, tmp_path, monkeypatch):
    seeds = []
    monkeypatch.setattr(
        VocoderTraining, "step", lambda *_: seeds.append(torch.initial_seed()) or {"loss": 1.0}
    )
    monkeypatch.setattr(VocoderTraining, "validate", lambda self, ema: {"distance": 1.0})
    for seed in (0, 1):
        vocoder(audio, tmp_path / str(seed), steps=3, random_seed=seed)
    assert len(set(seeds)) == 6


@both
def test_a_summary_tells_what_was_trained_on(kind, audio, tmp_path):
    summary = TRAIN[kind](audio, tmp_path / "m", steps=5)
    assert (summary.steps, summary.stopped_by, summary.left_out, summary.n_padded) == (
        5,
        "steps",
        {},
        1 if kind == "flow" else 0,  # its excerpts are the longest
    )
    assert summary.train_seconds + summary.validation_seconds == pytest.approx(14.5, abs=0.5)
    assert len(summary.validation_losses) == 2
    assert summary.validation_loss == min(summary.validation_losses)
    assert 0 <= summary.wait_share < 1
    config = json.loads((tmp_path / "m" / "config.json").read_text())["training"]
    assert sorted(config["train"] + config["validation"]) == sorted(
        f"{name}.ogg" for name in SOUNDS
    )
    assert config["batch_size"] == OPTIONS[kind]["batch_size"]
    assert config["step"] == summary.best_step


@both
def test_minutes_end_training_with_a_model_that_can_be_gone_on_from(kind, audio, tmp_path):
    summary = TRAIN[kind](audio, tmp_path / "m", steps=100_000, minutes=0.004, validate_steps=1000)
    assert summary.stopped_by == "minutes"
    assert summary.seconds < 5
    assert (
        summary.best_step
        == summary.steps
        == load_training_state(tmp_path / "m")["position"]["step"]
    )
    LOADERS[kind](tmp_path / "m")
    before = load_training_state(tmp_path / "m")["position"]
    assert (before["best_step"], before["best_loss"], before["validation_losses"]) == (
        summary.steps,
        summary.validation_loss,
        summary.validation_losses,
    )
    again = TRAIN[kind](
        audio, tmp_path / "m", steps=summary.steps + 1, validate_steps=1000, resume=True
    )
    assert again.steps == summary.steps + 1
    LOADERS[kind](tmp_path / "m")


def test_what_a_stop_kept_is_only_replaced_by_what_is_better(audio, tmp_path, monkeypatch):
    values = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(VocoderTraining, "validate", lambda self, ema: {"distance": next(values)})
    for steps in (1, 2, 3):
        summary = vocoder(
            audio,
            tmp_path / "m",
            steps=steps,
            validate_steps=100,
            adversarial_from=0,
            resume=steps > 1,
        )
    assert (summary.best_step, summary.validation_loss, summary.validation_losses) == (
        2,
        1.0,
        [3.0, 1.0, 2.0],
    )
    assert json.loads((tmp_path / "m" / "config.json").read_text())["training"]["step"] == 2


@both
def test_validating_by_time_leaves_training_as_it_is(kind, audio, tmp_path):
    often = TRAIN[kind](
        audio, tmp_path / "often", steps=3, minutes=60, validate_steps=100, validate_minutes=1e-9
    )
    once = TRAIN[kind](
        audio, tmp_path / "once", steps=3, validate_steps=100, validate_minutes=1e-9
    )  # time decides nothing
    assert (len(often.validation_losses), len(once.validation_losses)) == (3, 1)
    assert equal(*(load_training_state(tmp_path / name)["trainable"] for name in ("often", "once")))


def test_going_on_to_fewer_steps_than_were_made_ends_at_once(audio, tmp_path):
    vocoder(audio, tmp_path / "m", steps=4)
    before = load_training_state(tmp_path / "m")["trainable"]
    assert vocoder(audio, tmp_path / "m", steps=2, resume=True).steps == 4
    assert equal(load_training_state(tmp_path / "m")["trainable"], before)


@both
def test_interrupted_training_leaves_the_best_so_far(kind, audio, tmp_path, monkeypatch):
    interrupt(monkeypatch, kind, 3)
    summary = TRAIN[kind](audio, tmp_path / "m", steps=9, validate_steps=2)
    assert (summary.stopped_by, summary.best_step in (2, 3)) == ("interrupt", True)
    LOADERS[kind](tmp_path / "m")


@both
def test_ctrl_c_finishes_the_update_and_loses_none(kind, audio, tmp_path, undisturbed, monkeypatch):
    whole, _ = undisturbed(kind)
    step = TRAINABLES[kind].step
    count = 0

    def press(self, *arguments):
        nonlocal count
        count += 1
        if count == 2:
            signal.raise_signal(signal.SIGINT)
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TRAINABLES[kind], "step", press)
        summary = TRAIN[kind](audio, tmp_path / "m", steps=9, batch_size=BATCH[kind])
    assert (summary.stopped_by, summary.steps, summary.best_step) == ("interrupt", 2, 2)
    assert load_training_state(tmp_path / "m")["position"]["step"] == 2
    TRAIN[kind](audio, tmp_path / "m", steps=9, batch_size=BATCH[kind], resume=True)
    assert equal(*(load_training_state(folder)["trainable"] for folder in (tmp_path / "m", whole)))


@both
def test_the_best_by_validation_measure_is_kept(kind, audio, tmp_path, monkeypatch):
    values = iter([3.0, 1.0, 2.0, 1.0])
    monkeypatch.setattr(TRAINABLES[kind], "validate", lambda self, ema: {"distance": next(values)})
    joined = {"adversarial_from": 0} if kind in ("vocoder", "unagan") else {}
    summary = TRAIN[kind](audio, tmp_path / "m", steps=4, validate_steps=1, **joined)
    assert (summary.best_step, summary.validation_loss, summary.validation_losses) == (
        2,
        1.0,
        [3.0, 1.0, 2.0, 1.0],
    )
    assert json.loads((tmp_path / "m" / "config.json").read_text())["training"]["step"] == 2
    kept = LOADERS[kind](tmp_path / "m")
    now = load_training_state(tmp_path / "m")["ema"]
    assert not equal(dict(kept.state_dict()), {name: now[name] for name in kept.state_dict()})


@both
@pytest.mark.parametrize("when", ["step", "validate"])
def test_loss_that_is_not_a_number_stops_with_advice_and_leaves_the_last_good_state(
    kind, when, audio, tmp_path, monkeypatch
):
    TRAIN[kind](audio, tmp_path / "m", steps=2, validate_steps=2)
    before = {
        name: (tmp_path / "m" / name).read_bytes()
        for name in ("training.pt", "model.safetensors", "config.json")
    }
    monkeypatch.setattr(TRAINABLES[kind], when, lambda *arguments: {"vocoder/mel": math.nan})
    if when == "validate":
        monkeypatch.setattr(TRAINABLES[kind], "step", lambda *arguments: {"loss": 1.0})
    save_seconds = 1e9 if when == "validate" else 1e-9
    with pytest.raises(
        TrainingError, match=r"step [34]: .*mel is not a number; .*smaller --learning-rate"
    ):
        TRAIN[kind](
            audio, tmp_path / "m", steps=9, validate_steps=2, save_seconds=save_seconds, resume=True
        )
    assert {name: (tmp_path / "m" / name).read_bytes() for name in before} == before


@both
def test_exploding_training_stops_with_advice(kind, audio, tmp_path):
    with pytest.raises(TrainingError, match="is not a number; .*--learning-rate"):
        TRAIN[kind](audio, tmp_path / "m", steps=50, learning_rate=1e30)


def test_the_average_is_what_is_saved(audio, tmp_path):
    vocoder(audio, tmp_path / "m", steps=4, validate_steps=4)
    state = load_training_state(tmp_path / "m")
    loaded = Vocoder.load(tmp_path / "m").state_dict()
    assert all(torch.equal(tensor, state["ema"][name]) for name, tensor in loaded.items())
    assert not any(
        torch.equal(loaded[name], state["trainable"]["vocoder"][name])
        for name in loaded
        if name.endswith("head.weight")
    )


def test_the_learning_rate_falls_from_epoch_to_epoch(audio):
    training = VocoderTraining(
        open_dataset(audio, MEL), VocoderOptions(), Distributed(), toy("hifigan-v1")
    )
    training.end_epoch()
    training.end_epoch()
    for optimiser in training.optimisers.values():
        assert [group["lr"] for group in optimiser.param_groups] == [pytest.approx(2e-4 * 0.999**2)]


def test_the_mel_loss_hears_what_the_mel_does_not(audio):
    """A tone of 3 kHz above the last band at 2 kHz."""
    mel = replace(MEL, f_max=2000.0)
    training = VocoderTraining(
        open_dataset(audio, mel), VocoderOptions(), Distributed(), Vocoder("vocos-small", mel)
    )
    real = 0.1 * torch.randn(1, 1, 2048, generator=torch.Generator().manual_seed(0))
    fake = real + 0.1 * torch.sin(2 * math.pi * 3000 / 8000 * torch.arange(2048))
    assert training.spectral_losses(fake, real)["mel"] > 1


def test_a_generator_takes_over_the_statistics_of_what_it_is_trained_on(audio):
    recordings = open_dataset(audio, MEL)
    training = UnaganTraining(recordings, UnaganOptions(**UNAGAN), Distributed())
    frames = torch.from_numpy(
        np.concatenate([recordings.mel_of(file) for file in training.train.files], axis=1)
    )
    torch.testing.assert_close(training.model.mean, frames.mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(training.model.std, frames.std(1), atol=1e-2, rtol=0)


def test_weights_from_before_the_discriminators_joined_do_not_compete(audio, tmp_path, monkeypatch):
    values = iter([1.0, 3.0, 4.0, 2.0])
    monkeypatch.setattr(VocoderTraining, "validate", lambda self, ema: {"distance": next(values)})
    summary = vocoder(audio, tmp_path / "m", steps=4, validate_steps=1, adversarial_from=1)
    assert (summary.best_step, summary.validation_loss) == (4, 2.0)


def test_discriminators_join_when_they_should(audio, tmp_path):
    vocoder(audio, tmp_path / "m", steps=4, adversarial_from=2, validate_steps=100, log_steps=1)
    steps = [line for line in log(tmp_path / "m") if "train/vocoder/mel" in line]
    assert ["train/discriminator/period" in line for line in steps] == [False, False, True, True]


@both
def test_log_lines(kind, audio, tmp_path):
    told = []
    options = {"log_steps": 2, "validate_steps": 3}
    TRAIN[kind](audio, tmp_path / "m", steps=6, progress=lambda *said: told.append(said), **options)
    lines = log(tmp_path / "m")
    measure, loss = {
        "vocoder": ("validation/distance", "train/vocoder/mel"),
        "unagan": ("validation/frechet", "train/generator/cycle_mel"),
        "flow": ("validation/loss", "train/velocity"),
        "codec": ("validation/mel_l1_3", "train/codebook"),
    }[kind]
    assert [line["step"] for line in lines] == [2, 3, 4, 6]
    assert [measure in line for line in lines] == [False, True, False, True]
    assert all(
        {loss, "epoch", "seconds", "steps_per_second", "wait_share"} <= set(line) for line in lines
    )
    best = min(line[measure] for line in lines if measure in line)
    said = [text for _, _, text in told if text.startswith("step ")]
    assert said[0].startswith("step 1 (")
    for text in ("/min), loss ", f"best {best:.3f} after step ", "samples in "):
        assert text in said[-1]
    assert (
        told[0][2].startswith("decoding 1 of 6: ") or told[0][2] == "first step, samples in 1.0 min"
    )
    assert told[-1][0] == 1000
    TRAIN[kind](audio, tmp_path / "m", steps=8, **options, resume=True)
    assert [line["step"] for line in log(tmp_path / "m")] == [2, 3, 4, 6, 8]


def test_the_bar_says_how_much_of_the_time_is_over(audio, tmp_path):
    told = []
    vocoder(audio, tmp_path / "m", steps=1, minutes=50, progress=lambda *said: told.append(said))
    assert told[-1][2].startswith("0.0 of 50 min, step 1 (")


def test_previews_are_lowered_where_they_would_clip(tmp_path):
    wave = np.sin(np.arange(8000) / 10).astype(np.float32)
    for peak, expected in ((2.0, SAFE_PEAK), (0.5, 0.5)):
        save_wav(tmp_path / "x.wav", peak * wave, 8000)
        assert np.abs(sf.read(tmp_path / "x.wav")[0]).max() == pytest.approx(expected, abs=1e-3)


@both
def test_what_the_measure_is_of_other_things_is_told_and_outlives_a_stop(
    kind, audio, tmp_path, monkeypatch
):
    first = TRAIN[kind](audio, tmp_path / "m", steps=1).baselines
    if kind == "vocoder":
        assert 0 < first["Griffin-Lim"] < 5
    elif kind == "unagan":
        assert first["your recordings"] < first["white noise"]
    else:
        assert first["the mean spectrum"] > 1
    monkeypatch.setattr(TRAINABLES[kind], "baselines", None)
    assert TRAIN[kind](audio, tmp_path / "m", steps=2, resume=True).baselines == first


@both
def test_pictures_and_sounds_are_written(kind, audio, tmp_path):
    TRAIN[kind](audio, tmp_path / "m", steps=1, show_minutes=1e-9)
    samples = tmp_path / "m" / "samples"
    assert (samples / "step-0000001.png").read_bytes()[:4] == b"\x89PNG"
    sounds = sorted(path.name for path in samples.glob("*.wav"))
    names = [f"{name}-{number}.wav" for name in ("original", "step-0000001") for number in (1, 2)]
    # a codec's are of different files, and one file is for validation
    expected = {"vocoder": names, "codec": names[::2]}.get(kind, names[2:])
    assert [sound for sound in sounds if sound[-5] != "3"] == expected
    for name in sounds:
        info = sf.info(samples / name)
        assert info.samplerate == 8000
        assert info.duration > 1


def test_full_disk_while_showing_is_told(audio, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("synth.samples.plot_mels", full)
    with pytest.raises(
        ParameterError, match="samples: cannot be written .*No space left on device.*--resume"
    ):
        vocoder(audio, tmp_path / "m", show_minutes=1e-9)


@both
@pytest.mark.parametrize(
    "function", ["training.checkpoint.save_file", "training.checkpoint.torch.save"]
)
def test_full_disk_leaves_the_last_good_checkpoint(kind, function, audio, tmp_path, monkeypatch):
    TRAIN[kind](audio, tmp_path / "m", steps=2)
    names = ("training.pt", "model.safetensors", "config.json")
    before = {name: (tmp_path / "m" / name).read_bytes() for name in names}

    def full(what, path, *arguments):
        path.write_bytes(b"half a ")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(function, full)
        patch.setattr(TRAINABLES[kind], "validate", lambda self, ema: {"distance": -1.0})
        seconds = 1e-9 if function.endswith("torch.save") else 1e9
        with pytest.raises(
            ParameterError, match=r"m: cannot be saved .No space left on device.; .*--resume"
        ):
            TRAIN[kind](audio, tmp_path / "m", steps=4, save_seconds=seconds, resume=True)
    assert {name: (tmp_path / "m" / name).read_bytes() for name in names} == before
    beside = {"log.jsonl", "vocoder"} if kind == "codec" else {"log.jsonl"}
    assert {path.name for path in (tmp_path / "m").iterdir()} == {*names, *beside}
    TRAIN[kind](audio, tmp_path / "m", steps=4, resume=True)


@both
def test_resuming_needs_the_same_options_and_recordings_and_something_to_resume(
    kind, audio, tmp_path
):
    train = TRAIN[kind]
    with pytest.raises(CheckpointError, match="nothing to resume .*train without --resume"):
        train(audio, tmp_path / "m", resume=True)
    train(audio, tmp_path / "m", steps=1)
    with pytest.raises(
        ParameterError,
        match=(r"was trained with batch_size [23] \(not 1\), random_seed 0 \(not 1\); to resume, "),
    ):
        train(audio, tmp_path / "m", batch_size=1, random_seed=1, resume=True)
    shutil.copytree(audio, tmp_path / "other")
    train(tmp_path / "other", tmp_path / "m", steps=1, resume=True)  # the same files elsewhere
    (tmp_path / "other" / "elec_chime.ogg").unlink()
    for name in ("x", "y", "z"):
        shutil.copy(audio / "elec_chime.ogg", tmp_path / "other" / f"{name}.ogg")
    os.utime(tmp_path / "other" / "ambi_piano.ogg", (0, 0))
    changes = r"3 added: x.ogg, y.ogg, …, 1 removed: elec_chime.ogg, 1 changed: ambi_piano.ogg"
    with pytest.raises(
        ParameterError,
        match=rf"was trained on other files than these \({changes}\); put those back, or .*--from",
    ):
        train(tmp_path / "other", tmp_path / "m", resume=True)
    other = "unagan" if kind == "vocoder" else "vocoder"
    with pytest.raises(ParameterError, match="was trained with"):
        TRAIN[other](audio, tmp_path / "m", resume=True)
    torch.save({"model": 1}, tmp_path / "m" / "training.pt")
    with pytest.raises(
        CheckpointError, match=r"training.pt: of version 0.1.0, .* --force, .*--from"
    ):
        train(audio, tmp_path / "m", resume=True)


def test_resuming_with_other_sizes_is_refused(audio, tmp_path):
    vocoder(audio, tmp_path / "m", steps=1)
    wide = Vocoder("vocos-small", MEL, config={**TOY["vocos-small"], "dim": 24})
    with pytest.raises(CheckpointError, match=r"training.pt: does not fit the model \(.*--from"):
        vocoder(audio, tmp_path / "m", start=wide, resume=True)


@both
def test_training_goes_on_from_a_checkpoint(kind, audio, tmp_path):
    TRAIN[kind](audio, tmp_path / "m", steps=3, validate_steps=3)
    start = LOADERS[kind](tmp_path / "m")
    before = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    TRAIN[kind](audio, tmp_path / "n", start=start, steps=1, learning_rate=1e-12, random_seed=5)
    tuned = LOADERS[kind](tmp_path / "n").state_dict()
    for name, tensor in before.items():
        assert torch.equal(start.state_dict()[name], tensor)
        if name != "styles":  # of the excerpts of this training
            torch.testing.assert_close(tuned[name], tensor, atol=1e-6, rtol=0)


def test_a_flow_that_is_trained_on_other_audio_makes_it_in_styles_of_that(audio, tmp_path):
    flow(audio, tmp_path / "m", steps=1)
    start = load_generator(tmp_path / "m")
    (tmp_path / "soft").mkdir()
    for path in audio.glob("*"):
        samples, rate = sf.read(path)
        sf.write(tmp_path / "soft" / f"{path.stem}.wav", samples / 10, rate)
    flow(tmp_path / "soft", tmp_path / "n", start=start, steps=1)
    tuned = load_generator(tmp_path / "n")
    assert torch.equal(tuned.style_mean, start.style_mean)
    assert torch.equal(tuned.mean, start.mean)
    assert (tuned.styles - start.styles).mean(0).abs().max() > 0.5


def test_weight_norm_does_not_outlive_training(audio, tmp_path):
    start = toy("melgan")
    names = list(start.state_dict())
    vocoder(audio, tmp_path / "m", start=start, steps=2, adversarial_from=0)
    assert list(start.state_dict()) == names == list(Vocoder.load(tmp_path / "m").state_dict())


@both
def test_half_precision_trains(kind, audio, tmp_path):
    summary = TRAIN[kind](audio, tmp_path / "m", steps=3, precision="bfloat16")
    assert math.isfinite(summary.validation_loss)


@both
def test_silent_parts_train(kind, audio, tmp_path):
    """Digital silence for most of a file: no logarithm and no spread of zero."""
    click = np.zeros(40_000, np.float32)
    click[100:200] = 0.5
    for name in "abc":
        sf.write(tmp_path / f"{name}.wav", click, 8000)
    assert math.isfinite(TRAIN[kind](tmp_path, tmp_path / "m", steps=3).validation_loss)


def test_recordings_shorter_than_a_segment_are_filled_up_and_validated(tmp_path, tabla):
    for number in range(40):
        sf.write(tmp_path / f"{number}.wav", tabla[1000 * number : 1000 * number + 900], 44100)
    summary = vocoder(tmp_path, tmp_path / "m", steps=2, show_minutes=1e-9)
    assert summary.n_padded > 20
    assert math.isfinite(summary.validation_loss)


def test_recordings_too_short_to_validate_a_generator_are_refused(tmp_path, tabla):
    for number in range(9):
        sf.write(tmp_path / f"{number}.wav", tabla, 44200)
    with pytest.raises(
        ParameterError,
        match="validation files hold 0 excerpts of 1.0 s, and at least 2 are needed",
    ):
        unagan(tmp_path, tmp_path / "m")


@both
def test_too_little_audio_says_how_much_is_needed(kind, tmp_path, tabla):
    sf.write(tmp_path / "x.wav", tabla[:11025], 44100)
    least = {"vocoder": "0.51", "unagan": "2.05", "flow": "4.62", "codec": "2.75"}[kind]
    with pytest.raises(
        ParameterError, match=rf"0.26 s of audio are too little: at least {least} s are needed"
    ):
        TRAIN[kind](tmp_path, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@both
def test_a_device_that_is_not_there_is_refused(kind, audio, tmp_path):
    absent = "cuda:99" if torch.cuda.is_available() else "cuda"
    with pytest.raises(
        ParameterError, match=f"device='{absent}' cannot be used here .*--device cpu"
    ):
        TRAIN[kind](audio, tmp_path / "m", device=absent)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VocoderOptions(steps=0), "steps=0 must be an integer from 1 to"),
        (lambda: VocoderOptions(batch_size=0), "batch_size=0 must be"),
        (lambda: VocoderOptions(validate_steps=-1), "validate_steps=-1 must be"),
        (lambda: VocoderOptions(threads=0), "threads=0 must be"),
        (lambda: VocoderOptions(minutes=0.0), "minutes=0.0 must be more than 0"),
        (
            lambda: VocoderOptions(validate_minutes=-5.0),
            "validate_minutes=-5.0 must be a number from 0 to",
        ),
        (lambda: VocoderOptions(learning_rate=math.nan), "learning_rate=nan must be"),
        (lambda: VocoderOptions(show_minutes=math.inf), "show_minutes=inf must be"),
        (lambda: VocoderOptions(precision="int3"), "precision='int3' must be float32 or bfloat16"),
        (lambda: VocoderOptions(mel="8k"), "mel='8k' is not known; choose one of 22k"),
        (
            lambda: VocoderOptions(architecture="wavenet"),
            "vocoder 'wavenet' is not known; choose one of vocos-small",
        ),
        (
            lambda: VocoderOptions(segment_frames=15),
            "segment_frames=15 must be an integer from 16 to",
        ),
        (
            lambda: VocoderOptions(adversarial_from=-1),
            "adversarial_from=-1 must be an integer from 0 to",
        ),
        (lambda: UnaganOptions(mel="8k"), "mel='8k' is not known; choose one of 22k"),
        (
            lambda: UnaganOptions(architecture="flat"),
            "architecture='flat' is not known; choose unagan or",
        ),
        (
            lambda: UnaganOptions(discriminator_width=40),
            "discriminator_width=40 must be a multiple of 16",
        ),
        (lambda: UnaganOptions(width=6), "width=6 must be a multiple of groups=4"),
        (
            lambda: UnaganOptions(clip_frames=112),
            "clip_frames=112 must be an integer from 128 to",
        ),
        (
            lambda: UnaganOptions(clip_frames=136),
            "clip_frames=136 must be a multiple of 16",
        ),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_melgan_cannot_wait_for_its_discriminators(audio, tmp_path):
    with pytest.raises(
        ParameterError,
        match="adversarial_from=2 must be 0: melgan learns only from its discriminators",
    ):
        vocoder(audio, tmp_path / "m", start=toy("melgan"))


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
import test_training as t
from training.loop import TrainingLoop
from synth.mel import PRESETS

PRESETS["toy"] = t.MEL
for name, architecture in t.ARCHITECTURES.items():
    t.ARCHITECTURES[name] = t.narrowed(architecture)
audio, out, run = Path(sys.argv[2]), Path(sys.argv[3]), TrainingLoop.run
rank = t.os.environ["RANK"]

def keep(self, **arguments):
    summary = run(self, **arguments)
    state = {"trainable": self.trainable.state(), "ema": self.ema.state_dict()}
    name = type(self.trainable).__name__
    torch.save({**state, "validations": summary.validation_losses}, out / f"{name}{rank}.pt")
    return summary

TrainingLoop.run = keep
with t.Distributed():
    t.vocoder(audio, out / "vocoder", steps=3, adversarial_from=1, batch_size=2, start=t.toy())
    t.unagan(audio, out / "unagan", steps=2, batch_size=1)
    t.flow(audio, out / "flow", steps=2, batch_size=1)
    t.codec(audio, out / "codec", steps=2, batch_size=1)
"""


@pytest.mark.slow
def test_two_processes_stay_equal(audio, tmp_path, monkeypatch):
    """As torchrun starts them: by the environment."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(here.parents[1]),
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    open_dataset(audio, MEL)
    running = [
        subprocess.Popen(
            [sys.executable, script, here, audio, tmp_path],
            env={**environment, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
    for kind in TRAINABLES.values():
        first, second = (torch.load(tmp_path / f"{kind.__name__}{rank}.pt") for rank in range(2))
        for part in ("vocoder", "generator", "encoder", "codec", "restarts", "optimisers"):
            assert equal(first["trainable"].get(part), second["trainable"].get(part))
        assert first["validations"] == second["validations"]
        assert equal(first["ema"], second["ema"])
    with pytest.raises(ParameterError, match=r"was trained with world_size 2 \(not 1\)"):
        vocoder(audio, tmp_path / "vocoder", steps=4, adversarial_from=1, batch_size=2, resume=True)


def test_weights_that_training_starts_from_are_to_be_beaten(audio, tmp_path, monkeypatch):
    vocoder(audio, tmp_path / "first", steps=4, validate_steps=4)
    start = Vocoder.load(tmp_path / "first")
    values = iter([1.0, 3.0, 2.0])
    monkeypatch.setattr(VocoderTraining, "validate", lambda self, ema: {"distance": next(values)})
    summary = vocoder(audio, tmp_path / "second", steps=4, validate_steps=2, start=start)
    assert (summary.best_step, summary.validation_losses) == (0, [1.0, 3.0, 2.0])
    assert equal(Vocoder.load(tmp_path / "second").state_dict(), start.state_dict())


def test_noise_is_fitted_to_what_the_encoder_finds(audio, tmp_path, monkeypatch):
    monkeypatch.setattr("synth.train_unagan.FIT_EXCERPTS", 4)
    monkeypatch.setattr("synth.train_unagan.FIT_FRAMES", 128)
    monkeypatch.setattr("synth.train_unagan.FIT_STEPS", 2)
    options = {"latent_order": 2, "adversarial_from": 2, "validate_steps": 2}
    unagan(audio, tmp_path / "whole", steps=5, **options)
    unagan(audio, tmp_path / "parts", steps=3, **options)
    unagan(audio, tmp_path / "parts", steps=5, resume=True, **options)
    whole, parts = (
        load_training_state(tmp_path / name)["trainable"] for name in ("whole", "parts")
    )
    assert equal(whole, parts)
    latent = load_generator(tmp_path / "whole").latent
    assert latent.order == 2
    assert latent.transitions.abs().max() > 0.01
    assert not torch.equal(latent.between, torch.zeros_like(latent.between))


def test_noise_cannot_be_fitted_without_the_cycle(audio, tmp_path):
    for options in ({"latent_order": 2}, {"adversarial_from": 2}):
        with pytest.raises(ParameterError, match="need the cycle's encoder; set cycle to true"):
            unagan(audio, tmp_path / "m", cycle=False, **options)
