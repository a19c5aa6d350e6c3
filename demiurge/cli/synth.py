"""demiurge synth: train models of sound, make audio with them, import and measure them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from demiurge.cli.options.command import Group, command
from demiurge.cli.options.models import (
    check_model_output,
    model_argument,
)
from demiurge.cli.options.output import force_option, json_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.synth_codec import codec
from demiurge.cli.synth_evaluation import evaluate
from demiurge.cli.synth_generate import generate
from demiurge.cli.synth_resynth import resynth
from demiurge.cli.synth_training import train_generator, train_vocoder
from demiurge.cli.synth_training_codec import train_codec
from demiurge.cli.terminal import echo_json, echo_line
from demiurge.shipped import MODELS, SHIPPED, shipped_names


@click.group(cls=Group)
def synth() -> None:
    """Train vocoders, generators and codecs, and make audio with them.

    A vocoder turns mel spectrograms into audio; a generator makes mel spectrograms from noise; a
    codec turns audio into codes and back. In place of a model, shipped and shipped:NAME mean models
    that come with Demiurge; demiurge synth models lists them.
    """


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
    """List the vocoders, generators and codecs that can be trained, and those shipped."""
    from synth.architectures import ARCHITECTURES
    from synth.names import CODEC_SIZES, GENERATORS

    vocoders = {name: asdict(architecture.sizes) for name, architecture in ARCHITECTURES.items()}
    generators = {
        name: {size: asdict(values) for size, values in sizes.items()}
        for name, sizes in GENERATORS.items()
    }
    codecs = {size: asdict(values) for size, values in CODEC_SIZES.items()}
    shipped = {kind: shipped_names(kind) for kind in MODELS}
    if as_json:
        known = {"vocoders": vocoders, "generators": generators, "codecs": codecs}
        echo_json({**known, "shipped": shipped})
        return
    rows = {f"vocoder {name}": values for name, values in vocoders.items()}
    for name, sizes in generators.items():
        rows |= {f"generator {name}, size {size}": values for size, values in sizes.items()}
    rows |= {f"codec, size {size}": values for size, values in codecs.items()}
    for name, values in rows.items():
        echo_line(f"{name}: {', '.join(f'{key} {value}' for key, value in values.items())}")
    for kind, names in shipped.items():
        words = [f"{SHIPPED} ({name})" for name in names[:1]]
        words += [f"{SHIPPED}:{name}" for name in names[1:]]
        echo_line(f"{kind}s that come with Demiurge: {', '.join(words) or 'none'}")


PARTS = (
    generate,
    resynth,
    train_vocoder,
    train_generator,
    train_codec,
    evaluate,
    import_,
    models,
    codec,
)
for part in PARTS:
    synth.add_command(part)
