"""demiurge synth train-vocoder and train-unagan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import command, option_group
from demiurge.cli.options.models import (
    audio_argument,
    check_model_output,
    load_generator,
    load_vocoder,
    model_argument,
)
from demiurge.cli.options.output import force_option, json_option, random_seed_option
from demiurge.cli.options.training import (
    THE_TRAINING,
    device_option,
    learning_rate_option,
    minutes_option,
    model_option,
    precision_option,
    resume_option,
    track_option,
    training_option,
)
from demiurge.cli.synth_training_report import echo_mel, echo_next, echo_summary
from demiurge.cli.terminal import echo_json, progress_bar
from files.errors import ParameterError
from synth.names import (
    DEFAULT_MEL,
    DEFAULT_UNAGAN,
    DEFAULT_UNAGAN_SIZE,
    DEFAULT_VOCODER,
    MEL_PRESETS,
    UNAGAN_ARCHITECTURES,
    UNAGAN_SIZES,
    VOCODERS,
)

if TYPE_CHECKING:
    from synth.generator import Generator
    from synth.train import TrainingSummary
    from synth.train_unagan import UnaganOptions
    from synth.train_vocoder import VocoderOptions
    from synth.vocoder import Vocoder

OWN = ("architecture", "mel", "n_mels")  # a model to start from has these itself


@dataclass(frozen=True, kw_only=True)
class AskedTraining:
    """What the options ask for; None is as before the training was stopped, or the default."""

    architecture: str | None
    mel: str | None
    n_mels: int | None
    minutes: float | None
    steps: int | None
    batch_size: int | None
    learning_rate: float | None
    precision: str | None
    random_seed: int | None
    device: str | None
    start: Path | None
    resume: bool
    track: str | None

    def values(self) -> dict[str, Any]:
        """Return what is given of the library's options, by its name there."""
        own = {name: getattr(self, name) for name in OWN}
        run = {
            "minutes": self.minutes,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "precision": self.precision,
            "seed": self.random_seed,
            "device": self.device,
        }
        return {name: value for name, value in (own | run).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class AskedVocoder(AskedTraining):
    segment_frames: int | None

    def values(self) -> dict[str, Any]:
        if self.segment_frames is None:
            return super().values()
        return {**super().values(), "segment_frames": self.segment_frames}


@dataclass(frozen=True, kw_only=True)
class AskedUnagan(AskedTraining):
    size: str | None

    def values(self) -> dict[str, Any]:
        from synth.unagan_sizes import read_sizes

        sizes = {} if self.size is None else asdict(read_sizes(self.size))
        return {**sizes, **super().values()}


mel_option = model_option(
    "--mel",
    type=click.Choice(MEL_PRESETS),
    help=f"Kind of mel spectrogram. [default: {DEFAULT_MEL}]",
)
n_mels_option = model_option(
    "--n-mels", type=click.IntRange(1), help="Number of mel bands. [default: those of --mel]"
)
training_options = (
    minutes_option,
    training_option(
        "--steps",
        type=click.IntRange(1),
        help="Most training steps. [default: 1000000]",
    ),
    learning_rate_option,
    precision_option(THE_TRAINING, default=None),
    random_seed_option(THE_TRAINING, default=None),
    device_option(THE_TRAINING, default=None),
    training_option(
        "--from",
        "start",
        metavar="MODEL",
        type=click.Path(path_type=Path),
        help="Start with the weights of this model.",
    ),
    resume_option("options that are not given are as they were"),
    track_option,
)


def batch_size_option(default: int) -> Callable:
    return training_option(
        "--batch-size",
        type=click.IntRange(1),
        help=f"Training excerpts in a batch. [default: {default}]",
    )


vocoder_options = option_group(
    model_option(
        "--architecture",
        type=click.Choice(VOCODERS),
        help=f"Network; demiurge synth models lists the sizes. [default: {DEFAULT_VOCODER}]",
    ),
    mel_option,
    n_mels_option,
    batch_size_option(16),
    training_option(
        "--segment-frames",
        type=click.IntRange(16),
        help="Length of a training excerpt, in frames. [default: the architecture's own]",
    ),
    *training_options,
    into="asked",
    make=AskedVocoder,
)
unagan_options = option_group(
    model_option(
        "--architecture",
        type=click.Choice(UNAGAN_ARCHITECTURES),
        help=f"Network. [default: {DEFAULT_UNAGAN}]",
    ),
    model_option(
        "--size",
        metavar="NAME|FILE.json",
        help=f"Sizes of networks and batches: {', '.join(UNAGAN_SIZES)} (for processors) or those"
        f" in a JSON file. [default: {DEFAULT_UNAGAN_SIZE}]",
    ),
    mel_option,
    n_mels_option,
    batch_size_option(5),
    *training_options,
    into="asked",
    make=AskedUnagan,
)


@command(
    "train-vocoder",
    examples=(
        "demiurge synth train-vocoder my_sounds my.vocoder --minutes 600",
        "demiurge synth train-vocoder my_sounds my.vocoder --from shipped --minutes 60",
        "demiurge synth train-vocoder my_sounds v1.vocoder --architecture hifigan-v1 --mel hifigan"
        " --device cuda",
    ),
)
@audio_argument
@model_argument
@vocoder_options
@force_option
@json_option
def train_vocoder(
    audio_dir: Path, model_dir: Path, asked: AskedVocoder, force: bool, as_json: bool
) -> None:
    """Train a vocoder on the audio below AUDIO_DIR; the best, by validation loss, is MODEL.

    Stopped with Ctrl-C or by --minutes, the best so far is kept, and --resume goes on; killed, the
    last two minutes are lost at most. Several processes share the work when started by torchrun:
    torchrun --nproc-per-node 2 --no-python demiurge synth train-vocoder …
    """
    from synth.train_vocoder import VocoderOptions
    from synth.train_vocoder import train_vocoder as train

    saved, start = prepare(audio_dir, model_dir, asked, force=force)
    started = load_vocoder(start) if start else None
    own = {"architecture": started.architecture} if started else {}
    options = VocoderOptions(**{**saved, **asked.values(), **own})
    run(train, audio_dir, model_dir, started, options, asked, as_json=as_json)


@command(
    "train-unagan",
    examples=(
        "demiurge synth train-unagan my_sounds my.unagan --size small --minutes 600",
        "demiurge synth train-unagan my_sounds my.unagan --resume --minutes 60",
        "demiurge synth train-unagan my_sounds my.unagan --device cuda --precision bfloat16",
    ),
)
@audio_argument
@model_argument
@unagan_options
@force_option
@json_option
def train_unagan(
    audio_dir: Path, model_dir: Path, asked: AskedUnagan, force: bool, as_json: bool
) -> None:
    """Train a UNAGAN on the audio below AUDIO_DIR; the best, by validation distance, is MODEL.

    FILE.json may hold width and discriminator_width (channels), clip_frames (length of a training
    excerpt), batch_size, cycle (whether noise must be found again in what it made),
    adversarial_from (training steps before the discriminator joins) and latent_order (of the
    autoregression that colours the noise); the rest is as published.

    Stopped with Ctrl-C or by --minutes, the best so far is kept, and --resume goes on. torchrun
    works as with train-vocoder.
    """
    from synth.train_unagan import UnaganOptions
    from synth.train_unagan import train_unagan as train

    saved, start = prepare(audio_dir, model_dir, asked, force=force)
    started = load_generator(start) if start else None
    own = sizes_of(started) if started else {}
    options = UnaganOptions(**{**saved, **asked.values(), **own})
    run(train, audio_dir, model_dir, started, options, asked, as_json=as_json)


def sizes_of(generator: Generator) -> dict[str, Any]:
    """Return the options that a generator to start from decides."""
    hierarchical = bool(generator.config.upsamplings)
    return {
        "architecture": "hierarchical" if hierarchical else "nonhierarchical",
        "width": generator.config.width,
        "latent_order": generator.latent.order,
    }


def prepare(
    audio_dir: Path, model_dir: Path, asked: AskedTraining, *, force: bool
) -> tuple[dict[str, Any], Path | None]:
    """Refuse what cannot be trained.

    Returns
    -------
    saved : dict
        The options that the training to be resumed had.
    start : Path or None
        The model that gives the sizes.

    Raises
    ------
    ParameterError, CheckpointError
    """
    from training.checkpoint import holds_model
    from training.distributed import Distributed
    from training.resume import load_state

    if holds_model(audio_dir):
        raise ParameterError(
            f"{audio_dir} holds a model, not audio files; the order is AUDIO_DIR MODEL"
        )
    check_model_output(model_dir, force=force or asked.resume or not Distributed().is_main)
    if asked.start:
        refuse_own(asked)
    if not asked.resume:
        return {}, asked.start
    state = load_state(model_dir)
    start = model_dir if state["started"] else None
    return state["options"], asked.start or start


def refuse_own(asked: AskedTraining) -> None:
    """Refuse options that the model to start from decides."""
    given = [f"--{name.replace('_', '-')}" for name in OWN if getattr(asked, name) is not None]
    if given:
        raise ParameterError(
            f"{', '.join(given)}: the model that --from names has its own; leave it out"
        )


def run(
    train: Callable[..., TrainingSummary],
    audio_dir: Path,
    model_dir: Path,
    start: Vocoder | Generator | None,
    options: VocoderOptions | UnaganOptions,
    asked: AskedTraining,
    *,
    as_json: bool,
) -> None:
    """Train, print how it went, and end with exit status 1 if not all was done."""
    from training.distributed import Distributed

    is_main = Distributed().is_main
    quiet = as_json or not is_main
    mel = start.mel if start else options.mel_settings()
    if not quiet:
        echo_mel(model_dir, mel, options)
    with progress_bar(model_dir.name, quiet=quiet, counted=False) as progress:
        summary = train(
            audio_dir,
            model_dir,
            options=options,
            start=start,
            resume=asked.resume,
            wandb=asked.track == "wandb",
            progress=progress,
        )
    if not is_main:
        return
    if as_json:
        echo_json({"model": str(model_dir), **asdict(summary)})
    else:
        echo_summary(model_dir, summary, options)
        echo_next(model_dir, mel, options)
    if summary.left_out or summary.stopped_by == "interrupt":
        raise SystemExit(1)  # of the main process only: torchrun would stop the others
