"""demiurge synth: train vocoders and generators, make audio with them, import and measure them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from audio.decibels import to_decibels
from demiurge.cli.options.command import Group, command
from demiurge.cli.options.models import (
    check_model_output,
    load_vocoder,
    model_argument,
    vocoder_argument,
)
from demiurge.cli.options.output import (
    audio_out_option,
    check_audio_output,
    force_option,
    json_option,
)
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.synth_codec import codec
from demiurge.cli.synth_evaluation import evaluate
from demiurge.cli.synth_generate import generate
from demiurge.cli.synth_training import train_generator, train_vocoder
from demiurge.cli.terminal import counted, echo_json, echo_line
from demiurge.shipped import MODELS, SHIPPED, shipped_names
from files.errors import ParameterError


@click.group(cls=Group)
def synth() -> None:
    """Train vocoders and generators, and make audio with them.

    A vocoder turns mel spectrograms into audio; a generator makes mel spectrograms from noise. In
    place of a model, shipped and shipped:NAME mean models that come with Demiurge; demiurge synth
    models lists them.
    """


@command(
    examples=(
        "demiurge synth resynth my_seed.wav shipped -o again.wav",
        "demiurge synth resynth my_seed.wav my.vocoder -o again.flac --force --json",
    )
)
@click.argument("audio", metavar="AUDIO", type=ANY_PATH)
@vocoder_argument
@audio_out_option
@force_option
@json_option
def resynth(audio: Path, vocoder_dir: Path, out: Path, force: bool, as_json: bool) -> None:
    """Pass AUDIO through a vocoder.

    Each channel is passed separately. The result shows how good VOCODER can be.
    """
    from synth.resynth import resynthesise

    check_audio_output(out, force=force)
    if out.exists() and out.samefile(audio):
        raise ParameterError(f"{out} is AUDIO itself; give the output another name")
    vocoder = load_vocoder(vocoder_dir).prepare()
    samples = resynthesise(audio, vocoder)
    sample_rate = vocoder.mel.sample_rate
    gain = 1 / max(abs(samples).max(), 1)
    write_audio(out, samples * gain, sample_rate)
    n_samples, channels = samples.shape
    facts = {
        "file": str(out),
        "seconds": n_samples / sample_rate,
        "sample_rate": sample_rate,
        "channels": channels,
    }
    if as_json:
        echo_json({**facts, "gain": float(gain)})
        return
    lowered = f", lowered by {-to_decibels(gain):.1f} dB to stay below full scale"
    echo_line(
        f"{out}: {facts['seconds']:.2f} s at {sample_rate} Hz, {counted(channels, 'channel')}"
        f"{lowered if gain < 1 else ''}"
    )


def write_audio(out: Path, samples: Any, sample_rate: int) -> None:
    """Write float samples (n, channels)."""
    from audio.write import AudioWriter
    from files.atomic import replacing

    n_samples, channels = samples.shape
    with (
        replacing(out) as temporary,
        AudioWriter(temporary, sample_rate, channels, n_samples=n_samples, shown=out) as writer,
    ):
        writer.write(samples)


@command(
    "import",
    examples=(
        "demiurge synth import generator_v1 v1.vocoder --config config.json",
        "demiurge synth import unagan.pt my.unagan --config sizes.json --statistics mean.npy"
        " std.npy",
    ),
)
@click.argument("checkpoint", metavar="CKPT", type=ANY_PATH)
@model_argument
@click.option(
    "--config",
    type=ANY_PATH,
    required=True,
    help="JSON file with the network's sizes.",
)
@click.option(
    "--statistics",
    nargs=2,
    metavar="MEAN STD",
    type=ANY_PATH,
    help="Mean and deviation of a UNAGAN's training mels, as .npy. [default: none; the model makes"
    " normalised mels]",
)
@force_option
@json_option
def import_(
    checkpoint: Path,
    model_dir: Path,
    config: Path,
    statistics: tuple[Path, Path] | None,
    force: bool,
    as_json: bool,
) -> None:
    """Turn a published checkpoint into MODEL.

    HiFi-GAN, MelGAN and UNAGAN are supported. Code in a checkpoint is refused, never run.

    The JSON file has the keys of HiFi-GAN's config.json; for MelGAN n_mel_channels, ngf,
    n_residual_layers and ratios; for UNAGAN feat_dim, z_dim, hidden_dim, num_groups and
    z_scale_factors. MelGAN and UNAGAN also take a sampling_rate.
    """
    from synth.published import import_published
    from synth.vocoder import Vocoder

    check_model_output(model_dir, force=force)
    model = import_published(checkpoint, config, statistics=statistics)
    model.save(model_dir)
    mel = model.mel
    note = model.training_summary.get("note")
    parameters = sum(p.numel() for p in model.parameters())
    if as_json:
        facts = {
            "model": str(model_dir),
            "kind": "vocoder" if isinstance(model, Vocoder) else "generator",
            "architecture": model.architecture,
            "parameters": parameters,
            "mel": mel.to_dict(),
            "note": note,
        }
        echo_json(facts)
        return
    echo_line(
        f"{model_dir}: {model.architecture} of {parameters / 1e6:.2f} million parameters;"
        f" {mel.n_mels} mel bands every {mel.hop_length} samples at {mel.sample_rate} Hz"
    )
    if note:
        echo_line(f"  {note}; import it again with --statistics MEAN STD")


@command(examples=("demiurge synth models", "demiurge synth models --json"))
@json_option
def models(as_json: bool) -> None:
    """List the vocoders and generators that can be trained, with their sizes, and those shipped."""
    from synth.architectures import ARCHITECTURES
    from synth.names import GENERATORS

    vocoders = {name: asdict(architecture.sizes) for name, architecture in ARCHITECTURES.items()}
    generators = {
        name: {size: asdict(values) for size, values in sizes.items()}
        for name, sizes in GENERATORS.items()
    }
    shipped = {kind: shipped_names(kind) for kind in MODELS}
    if as_json:
        echo_json({"vocoders": vocoders, "generators": generators, "shipped": shipped})
        return
    rows = {f"vocoder {name}": values for name, values in vocoders.items()}
    for name, sizes in generators.items():
        rows |= {f"generator {name}, size {size}": values for size, values in sizes.items()}
    for name, values in rows.items():
        echo_line(f"{name}: {', '.join(f'{key} {value}' for key, value in values.items())}")
    for kind, (first, *others) in shipped.items():
        names = [f"{SHIPPED} ({first})", *(f"{SHIPPED}:{name}" for name in others)]
        echo_line(f"{kind}s that come with Demiurge: {', '.join(names)}")


for part in (generate, resynth, train_vocoder, train_generator, evaluate, import_, models, codec):
    synth.add_command(part)
