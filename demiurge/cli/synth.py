"""demiurge synth: train vocoders and generators, make audio with them, import published ones,
evaluate them.
"""

from dataclasses import asdict
from pathlib import Path

import click

from audio.decibels import to_decibels
from demiurge.cli.options.models import (
    check_model_output,
    load_generator,
    load_vocoder,
    model_argument,
    precision_option,
    seed_option,
    unagan_argument,
    vocoder_argument,
)
from demiurge.cli.options.output import (
    audio_out_option,
    check_audio_output,
    echo_json,
    force_option,
    json_option,
    progress_bar,
)
from demiurge.cli.synth_evaluation import evaluate
from demiurge.cli.synth_training import train_unagan, train_vocoder
from files.errors import ParameterError


@click.group()
def synth() -> None:
    """Train vocoders and generators, and make audio with them.

    A vocoder turns mel spectrograms into audio; a generator, a UNAGAN, makes mel spectrograms from
    noise. Where a model is asked for, the word shipped stands for the one that comes with Demiurge.
    """


@synth.command(
    epilog=(
        "\b\nExamples:\n  demiurge synth generate shipped shipped generated --minutes 30\n "
        " demiurge synth generate my.unagan my.vocoder generated --minutes 600 --seconds 60"
        " --seed 3"
    )
)
@unagan_argument
@vocoder_argument
@click.argument("out", metavar="OUT_DIR", type=click.Path(path_type=Path))
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    required=True,
    help="Audio to make, in whole files.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Of each file.",
)
@seed_option
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Files made side by side. [default: one per processor]",
)
@precision_option
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …")
@force_option
@json_option
def generate(
    unagan_dir: Path,
    vocoder_dir: Path,
    out: Path,
    precision: str,
    device: str,
    force: bool,
    as_json: bool,
    **options,
) -> None:
    """Fill OUT_DIR with audio that a UNAGAN and a vocoder make from noise.

    Interrupt it at any time; the same command goes on, and more --minutes add to what is there.
    With --force, what was generated there otherwise is replaced.
    """
    from synth.generate import GenerateOptions
    from synth.generate import generate as generate_audio
    from training.distributed import Distributed

    asked = GenerateOptions(**options)
    names = (unagan_dir.absolute().name, vocoder_dir.absolute().name)
    there = Distributed().device(device)
    generator = load_generator(unagan_dir).to(there)
    vocoder = load_vocoder(vocoder_dir).prepare(precision=precision, device=there)
    try:
        with progress_bar("generating", quiet=as_json) as progress:
            summary = generate_audio(
                generator, vocoder, out, options=asked, names=names, force=force, progress=progress
            )
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted; what was made is kept in {out}. Run the same command to go on"
        ) from None
    if as_json:
        echo_json({"folder": str(out), **asdict(summary)})
    else:
        _echo_generated(out, summary)
    if summary.failed:
        raise SystemExit(1)


def _echo_generated(out: Path, summary) -> None:
    made = f"{summary.made} file{'s' * (summary.made != 1)} made"
    speed = (
        f" in {summary.seconds:.1f} s, {summary.real_time:.0f} × real time" if summary.made else ""
    )
    click.echo(
        f"{out}: {made}{speed}, {summary.kept} were there; {summary.audio_seconds / 60:.1f} minutes"
        " of audio"
    )
    if summary.redone:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in summary.redone.items())
        click.echo(f"  made anew with other seeds, being broken: {reasons}")
    for name in summary.failed:
        click.echo(f"  failed: {name}: broken with every seed that was tried", err=True)


@synth.command(
    epilog=(
        "\b\nExamples:\n  demiurge synth resynth my_seed.wav shipped -o again.wav\n"
        "  demiurge synth resynth my_seed.wav my.vocoder -o again.flac --force --json"
    )
)
@click.argument("audio", metavar="AUDIO", type=click.Path(path_type=Path))
@vocoder_argument
@audio_out_option
@force_option
@json_option
def resynth(audio: Path, vocoder_dir: Path, out: Path, force: bool, as_json: bool) -> None:
    """Write what a vocoder makes of AUDIO's mel spectrogram, each channel by itself: how good it
    can be.
    """
    from audio.write import AudioWriter
    from files.atomic import replacing
    from synth.resynth import resynthesise

    check_audio_output(out, force=force)
    if out.exists() and out.samefile(audio):
        raise ParameterError(f"{out} is the recording itself; give the output another name")
    vocoder = load_vocoder(vocoder_dir).prepare()
    samples = resynthesise(audio, vocoder)
    rate = vocoder.mel.sample_rate
    gain = 1 / max(abs(samples).max(), 1)
    with (
        replacing(out) as temporary,
        AudioWriter(temporary, rate, samples.shape[1], n_samples=len(samples), shown=out) as writer,
    ):
        writer.write(samples * gain)
    facts = {
        "file": str(out),
        "seconds": len(samples) / rate,
        "sample_rate": rate,
        "channels": samples.shape[1],
    }
    if as_json:
        echo_json({**facts, "gain": float(gain)})
        return
    lowered = (
        f", lowered by {-to_decibels(gain):.1f} dB to stay below full scale" if gain < 1 else ""
    )
    click.echo(
        f"{out}: {facts['seconds']:.2f} s at {rate} Hz, channels: {facts['channels']}{lowered}"
    )


@synth.command(
    "import",
    epilog=(
        "\b\nExamples:\n  demiurge synth import generator_v1 v1.vocoder --config config.json\n "
        " demiurge synth import unagan.pt my.unagan --config sizes.json --statistics mean.npy"
        " std.npy"
    ),
)
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@model_argument
@click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="The JSON with its sizes."
)
@click.option(
    "--statistics",
    nargs=2,
    metavar="MEAN STD",
    type=click.Path(path_type=Path),
    help="Of a UNAGAN's training mels, as .npy; without them it makes normalised mels.",
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
    """Turn a published checkpoint of HiFi-GAN, MelGAN or UNAGAN into MODEL.

    Code in it is refused, never run.

    JSON has the names of HiFi-GAN's config.json; of MelGAN n_mel_channels, ngf, n_residual_layers
    and ratios; of UNAGAN feat_dim, z_dim, hidden_dim, num_groups and z_scale_factors. MelGAN and
    UNAGAN may have a sampling_rate.
    """
    from synth.published import import_published

    check_model_output(model_dir, force=force)
    model = import_published(checkpoint, config, statistics=statistics)
    model.save(model_dir)
    mel = model.mel
    note = model.training_summary.get("note")
    architecture = getattr(model, "architecture", "unagan")
    parameters = sum(p.numel() for p in model.parameters())
    if as_json:
        echo_json(
            {
                "model": str(model_dir),
                "kind": type(model).__name__.lower(),
                "architecture": architecture,
                "parameters": parameters,
                "mel": mel.to_dict(),
                "note": note,
            }
        )
        return
    click.echo(
        f"{model_dir}: {architecture} of {parameters / 1e6:.2f} million parameters; {mel.n_mels}"
        f" mel bands every {mel.hop_length} samples at {mel.sample_rate} Hz"
    )
    if note:
        click.echo(f"  {note}; import it again with --statistics MEAN STD")


@synth.command(epilog="\b\nExamples:\n  demiurge synth models\n  demiurge synth models --json")
@json_option
def models(as_json: bool) -> None:
    """List the vocoders that can be trained, and their sizes."""
    from synth.architectures import ARCHITECTURES

    sizes = {name: asdict(architecture.sizes) for name, architecture in ARCHITECTURES.items()}
    if as_json:
        echo_json({"vocoders": sizes})
        return
    for name, values in sizes.items():
        click.echo(f"{name}: {', '.join(f'{key} {value}' for key, value in values.items())}")


for command in (train_vocoder, train_unagan, evaluate):
    synth.add_command(command)
