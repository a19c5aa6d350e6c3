"""demiurge synth train-vocoder and train-unagan."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from demiurge.cli.options.models import (
    audio_argument,
    check_model_output,
    echo_left_out,
    load_generator,
    load_vocoder,
    mel_option,
    model_argument,
    precision_option,
)
from demiurge.cli.options.output import STOPPED, echo_json, force_option, json_option, progress_bar
from files.errors import ParameterError


def training_options(*, batch_size: int) -> Callable[[Callable], Callable]:
    """How and how long a network is trained, whatever it is."""

    def add(command: Callable) -> Callable:
        for option in reversed(
            (
                click.option(
                    "--minutes",
                    type=click.FloatRange(0, min_open=True),
                    help="At most, of this run.",
                ),
                click.option(
                    "--steps",
                    type=click.IntRange(1),
                    default=1_000_000,
                    show_default=True,
                    help="Updates, at most.",
                ),
                click.option(
                    "--batch-size", type=click.IntRange(1), default=batch_size, show_default=True
                ),
                click.option(
                    "--learning-rate",
                    type=click.FloatRange(0, min_open=True),
                    help="[default: the architecture's own]",
                ),
                precision_option,
                click.option(
                    "--seed",
                    "random_seed",
                    type=click.IntRange(0),
                    default=0,
                    show_default=True,
                    help="Same seed, same model.",
                ),
                click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …"),
                click.option(
                    "--threads", type=click.IntRange(1), help="Processor threads. [default: all]"
                ),
                click.option(
                    "--judge-steps",
                    "validate_steps",
                    type=click.IntRange(1),
                    default=1000,
                    show_default=True,
                    help=(
                        "Updates between two judgements on held-out recordings; the best weights so"
                        " judged are kept."
                    ),
                ),
                click.option(
                    "--judge-minutes",
                    "validate_minutes",
                    type=click.FloatRange(0, min_open=True),
                    default=5.0,
                    show_default=True,
                    help=(
                        "Minutes of training between two judgements, at most; not where only"
                        " --steps says how long to train."
                    ),
                ),
                click.option(
                    "--show-minutes",
                    type=click.FloatRange(0, min_open=True),
                    default=10.0,
                    show_default=True,
                    help="Minutes between two pictures (and sounds) in MODEL/samples.",
                ),
                click.option(
                    "--from",
                    "start",
                    metavar="MODEL",
                    type=click.Path(path_type=Path),
                    help="Go on from this model's weights.",
                ),
                click.option(
                    "--resume",
                    is_flag=True,
                    help=(
                        "Go on where training was stopped; options that are not given are as they"
                        " were."
                    ),
                ),
                click.option(
                    "--track",
                    type=click.Choice(["wandb"]),
                    help="Mirror the log, MODEL/log.jsonl, to a service.",
                ),
                force_option,
                json_option,
            )
        ):
            command = option(command)
        return command

    return add


@click.command(
    "train-vocoder",
    epilog=(
        "\b\nExamples:\n  demiurge synth train-vocoder my_sounds my.vocoder --minutes 600\n "
        " demiurge synth train-vocoder my_sounds my.vocoder --from shipped --minutes 60\n  demiurge"
        " synth train-vocoder my_sounds v1.vocoder --architecture hifigan-v1 --mel hifigan --device"
        " cuda"
    ),
)
@audio_argument
@model_argument
@click.option("--architecture", help="demiurge synth models lists them. [default: vocos-small]")
@mel_option
@click.option("--n-mels", type=click.IntRange(1), help="Mel bands. [default: those of --mel]")
@click.option(
    "--segment-frames",
    type=click.IntRange(16),
    help="Frames of a training excerpt. [default: the architecture's own]",
)
@click.option(
    "--adversarial-from",
    type=click.IntRange(0),
    help="Updates before discriminators join. [default: the architecture's own]",
)
@training_options(batch_size=16)
def train_vocoder(
    audio_dir: Path, model_dir: Path, start: Path | None, resume: bool, force: bool, **options
) -> None:
    """Train a vocoder on the audio below AUDIO_DIR and leave the best, by held-out distance, in
    MODEL.

    Stopped with Ctrl-C or by --minutes, the best so far is kept, and --resume goes on; killed, the
    last two minutes are lost at most. Several processes share the work when started by torchrun:
    torchrun --nproc-per-node 2 --no-python demiurge synth train-vocoder …
    """
    from synth.train_vocoder import VocoderOptions
    from synth.train_vocoder import train_vocoder as train

    _check_folders(audio_dir, model_dir, force=force, resume=resume)
    if start:
        _refuse_sizes(options, "architecture", "mel", "n_mels")
    if resume:
        start = _as_before(model_dir, options, start)
    started = load_vocoder(start) if start else None
    if started:
        options["architecture"] = started.architecture
    _train(
        train,
        VocoderOptions,
        audio_dir,
        model_dir,
        started,
        VOCODER_MEASURE,
        resume=resume,
        **options,
    )


VOCODER_MEASURE = "mel and STFT distance"
SMALL = {"width": 160, "discriminator_width": 160, "clip_frames": 128, "batch_size": 8}


@click.command(
    "train-unagan",
    epilog=(
        "\b\nExamples:\n  demiurge synth train-unagan my_sounds my.unagan --size small --minutes"
        " 600\n  demiurge synth train-unagan my_sounds my.unagan --resume --minutes 60\n  demiurge"
        " synth train-unagan my_sounds my.unagan --device cuda --precision bfloat16"
    ),
)
@audio_argument
@model_argument
@click.option(
    "--architecture",
    type=click.Choice(["hierarchical", "nonhierarchical"]),
    help="[default: hierarchical]",
)
@mel_option
@click.option("--n-mels", type=click.IntRange(1), help="Mel bands. [default: those of --mel]")
@click.option(
    "--cycle/--no-cycle",
    default=True,
    show_default=True,
    help="Whether noise must be found again in what it made.",
)
@click.option(
    "--size",
    type=click.Choice(["published", "small"]),
    default="published",
    show_default=True,
    help=(
        "small, for processors: --width 160 --discriminator-width 160 --clip-frames 128 --batch-size 8."
        " published wants a GPU."
    ),
)
@click.option("--width", type=click.IntRange(1), help="Channels of the generator. [default: 512]")
@click.option(
    "--discriminator-width",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="Channels of its discriminator.",
)
@click.option(
    "--clip-frames",
    type=click.IntRange(1),
    default=864,
    show_default=True,
    help="Frames of a training excerpt.",
)
@click.option(
    "--adversarial-from",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Updates before the discriminator joins.",
)
@click.option(
    "--latent-order",
    type=click.IntRange(0, 16),
    help=(
        "Make noise like what recordings come from, by an autoregression of so many steps."
        " [default: 0, white]"
    ),
)
@training_options(batch_size=5)
def train_unagan(
    audio_dir: Path,
    model_dir: Path,
    start: Path | None,
    resume: bool,
    force: bool,
    size: str,
    **options,
) -> None:
    """Train a UNAGAN on the audio below AUDIO_DIR and leave the best, by held-out Fréchet distance,
    in MODEL.

    Stopped with Ctrl-C or by --minutes, the best so far is kept, and --resume goes on. torchrun
    works as with train-vocoder.
    """
    from synth.train_unagan import UnaganOptions
    from synth.train_unagan import train_unagan as train

    _check_folders(audio_dir, model_dir, force=force, resume=resume)
    if start:
        _refuse_sizes(options, "architecture", "mel", "n_mels", "width", "latent_order")
    if size == "small":
        options |= {name: value for name, value in SMALL.items() if not _is_given(name)}
    if resume:
        start = _as_before(model_dir, options, start)
    started = load_generator(start) if start else None
    if started:
        options["architecture"] = (
            "hierarchical" if started.config.upsamplings else "nonhierarchical"
        )
        options["width"] = started.config.width
        options["latent_order"] = started.latent.order
    _train(
        train,
        UnaganOptions,
        audio_dir,
        model_dir,
        started,
        "Fréchet distance",
        resume=resume,
        **options,
    )


def _check_folders(audio_dir: Path, model_dir: Path, *, force: bool, resume: bool) -> None:
    """Refuse folders in the wrong order, and those that must not be replaced."""
    from training.checkpoint import holds_model
    from training.distributed import Distributed

    if holds_model(audio_dir):
        raise ParameterError(
            f"{audio_dir} holds a model, not recordings; the order is AUDIO_DIR MODEL"
        )
    check_model_output(model_dir, force=force or resume or not Distributed().is_main)


def _is_given(name: str) -> bool:
    """Whether an option is on the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _as_before(model_dir: Path, options: dict[str, Any], start: Path | None) -> Path | None:
    """Set the options that are not given to what a model is trained with; returns what gives its
    sizes, if not they.
    """
    from training.state import load_state

    state = load_state(model_dir)
    options.update(
        {
            name: value
            for name, value in state["options"].items()
            if name in options and not _is_given(name)
        }
    )
    return start or (model_dir if state["starts_trained"] else None)


def _refuse_sizes(options: dict[str, Any], *names: str) -> None:
    """Refuse sizes beside --from, whose model has its own."""
    if given := [f"--{name.replace('_', '-')}" for name in names if options[name] is not None]:
        raise ParameterError(
            f"{', '.join(given)}: the model that --from names has its own; leave it out"
        )


def _train(
    train: Callable,
    make_options: Callable,
    audio_dir: Path,
    model_dir: Path,
    start: Any,
    measure: str,
    *,
    resume: bool,
    track: str | None,
    as_json: bool,
    **options,
) -> None:
    from synth.mel import PRESETS
    from training.distributed import Distributed

    first = Distributed().is_main
    given = make_options(**{name: value for name, value in options.items() if value is not None})
    mel = start.mel if start else given.mel_settings()
    fits = mel == PRESETS["22k"]  # of the shipped models
    if first and not as_json:
        needed = (
            ""
            if fits or measure == VOCODER_MEASURE
            else "; it needs a vocoder that is trained with the same --mel"
        )
        click.echo(
            f"{model_dir}: for mono audio at {mel.sample_rate} Hz, nothing above"
            f" {mel.f_max / 1000:g} kHz{needed}",
            err=True,
        )
    with progress_bar(model_dir.name, quiet=as_json or not first, counted=False) as progress:
        summary = train(
            audio_dir,
            model_dir,
            options=given,
            start=start,
            resume=resume,
            wandb=track == "wandb",
            progress=progress,
        )
    if as_json and first:
        echo_json({"model": str(model_dir), **asdict(summary)})
    elif first:
        _echo_training(model_dir, summary, measure)
        _echo_next(model_dir, measure, fits=fits)
    if first and (
        summary.left_out or summary.stopped_by == "interrupt"
    ):  # torchrun would stop the others
        raise SystemExit(1)


def _echo_training(model_dir: Path, summary, measure: str) -> None:
    """How training went, in words."""
    from training.sparkline import sparkline

    trained = f"best after {summary.best_step} of {summary.steps} updates"
    if not summary.best_step:
        trained = (
            f"still the weights that training started from: {summary.steps} updates have not made"
            " them better "
        )
        trained += f"({summary.validations[0]:.3f} before, {summary.validations[-1]:.3f} now)"
    click.echo(
        f"{model_dir}: {summary.architecture}, {trained}, {summary.seconds:.0f} s in"
        f" all{STOPPED.get(summary.stopped_by, '')}\n  trained on {summary.train_seconds / 60:.1f}"
        f" minutes of audio; {measure} on {summary.validation_seconds:.0f} s more, held out:"
        f" {summary.best:.3f}  {sparkline(summary.validations)}\n  lower is better;"
        f" {', '.join(f'{name}: {value:.3f}' for name, value in summary.references.items())}"
    )
    if summary.n_padded:
        click.echo(f"  recordings shorter than an excerpt, followed by silence: {summary.n_padded}")
    echo_left_out(summary.left_out)


def _echo_next(model_dir: Path, measure: str, *, fits: bool) -> None:
    """Where to listen, and what to do with the model."""
    if sounds := sorted(model_dir.glob("samples/step-*.wav")):
        click.echo(f"  hear it: {sounds[-1]}")
    if measure == VOCODER_MEASURE:
        click.echo(f"  next: demiurge synth resynth RECORDING {model_dir} -o again.wav")
    else:
        click.echo(
            f"  next: demiurge synth generate {model_dir} {'shipped' if fits else 'VOCODER'}"
            " generated --minutes 1"
        )
