"""demiurge synth train-vocoder and train-generator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demiurge.cli.options.command import command
from demiurge.cli.options.models import (
    audio_argument,
    check_model_output,
    load_generator,
    load_vocoder,
    model_argument,
)
from demiurge.cli.options.output import force_option, json_option
from demiurge.cli.options.synth_training import (
    OWN,
    AskedGenerator,
    AskedTraining,
    AskedVocoder,
    generator_options,
    vocoder_options,
)
from demiurge.cli.options.training import training_facts
from demiurge.cli.synth_training_report import (
    CODEC,
    codec_rows,
    echo_mel,
    echo_next,
    echo_summary,
)
from demiurge.cli.terminal import echo_json, progress_bar
from files.errors import CheckpointError, ParameterError
from synth.names import DEFAULT_GENERATOR

if TYPE_CHECKING:
    from synth.codec_options import CodecOptions
    from synth.codecs.mel_codec import MelCodecModel
    from synth.flow_options import FlowOptions
    from synth.generator import Generator
    from synth.train import AudioTrainingSummary
    from synth.train_vocoder import VocoderOptions
    from synth.unagan_options import UnaganOptions
    from synth.vocoder import Vocoder
    from training.options import TrainingOptions

    Train = Callable[..., AudioTrainingSummary]


@command(
    "train-vocoder",
    examples=(
        "demiurge synth train-vocoder my_sounds my.vocoder --minutes 600",
        "demiurge synth train-vocoder my_sounds my.vocoder --from shipped --minutes 60",
        "demiurge synth train-vocoder my_sounds v1.vocoder --architecture hifigan-v1 --mel hifigan"
        " --device cuda",
        "torchrun --nproc-per-node 2 --no-python demiurge synth train-vocoder my_sounds my.vocoder",
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
    """Train a vocoder on audio and save it in MODEL.

    The weights with the lowest validation loss are kept. When training is stopped by Ctrl-C or
    --minutes, the best weights so far are kept, and --resume continues; if it is killed, at most
    the last two minutes are lost. Several processes started by torchrun share the work.
    """
    from synth.train_vocoder import VocoderOptions
    from synth.train_vocoder import train_vocoder as train

    saved, start = prepare(audio_dir, model_dir, asked, kind="vocoder", force=force)
    started = load_vocoder(start) if start else None
    own = {"architecture": started.architecture} if started else {}
    options = VocoderOptions(**{**saved, **asked.values(), **own})
    run(train, audio_dir, model_dir, started, options, asked, as_json=as_json)


@command(
    "train-generator",
    examples=(
        "demiurge synth train-generator my_sounds my.generator --minutes 600",
        "demiurge synth train-generator my_sounds my.generator --resume --minutes 60",
        "demiurge synth train-generator my_sounds my.generator --from shipped --minutes 60",
        "demiurge synth train-generator my_sounds my.unagan --architecture unagan --size small",
        "demiurge synth train-generator my_sounds my.generator --size my_sizes.json --device cuda"
        " --precision bfloat16",
    ),
)
@audio_argument
@model_argument
@generator_options
@force_option
@json_option
def train_generator(
    audio_dir: Path, model_dir: Path, asked: AskedGenerator, force: bool, as_json: bool
) -> None:
    """Train a generator on audio and save it in MODEL.

    A flow (--architecture flow) learns most in a given time, and is the only one that continues
    and fills sounds. A JSON file of sizes has some of the names that demiurge synth models shows
    for the architecture; the rest is as in its first size. With --from, the sizes of networks are
    those of that model.

    Stopping, --resume and torchrun work as with train-vocoder.
    """
    saved, start = prepare(audio_dir, model_dir, asked, kind="generator", force=force)
    started = load_generator(start) if start else None
    before = saved.get("architecture")
    architecture = started.architecture if started else asked.architecture or before
    architecture = architecture or DEFAULT_GENERATOR
    if before not in (None, architecture):
        raise ParameterError(
            f"{model_dir}: was trained with architecture {before} (not {architecture}); to resume,"
            " give the same, or leave this option out"
        )
    values = {**saved, **asked.values_for(architecture)}
    values.pop("architecture", None)
    train, options = training_of(architecture, values, started)
    run(train, audio_dir, model_dir, started, options, asked, as_json=as_json)


def training_of(
    architecture: str, values: dict[str, Any], start: Generator | None
) -> tuple[Train, FlowOptions | UnaganOptions]:
    """Return the function that trains an architecture, and its options.

    The sizes that are decided by `start` replace those in `values`.
    """
    if architecture == "flow":
        from synth.flow_generator import FlowGenerator
        from synth.flow_options import FlowOptions
        from synth.train_flow import train_flow

        sizes = FlowOptions.sizes_of(start) if isinstance(start, FlowGenerator) else {}
        return train_flow, FlowOptions(**{**values, **sizes})
    from synth.train_unagan import train_unagan
    from synth.unagan_generator import UnaganGenerator
    from synth.unagan_options import UnaganOptions

    sizes = UnaganOptions.sizes_of(start) if isinstance(start, UnaganGenerator) else {}
    return train_unagan, UnaganOptions(**{**values, **sizes, "architecture": architecture})


def options_type(kind: str, architecture: object) -> type[TrainingOptions]:
    """Return the class of the options of a training."""
    if kind == "vocoder":
        from synth.train_vocoder import VocoderOptions

        return VocoderOptions
    if kind == "codec":
        from synth.codec_options import CodecOptions

        return CodecOptions
    if architecture == "flow":
        from synth.flow_options import FlowOptions

        return FlowOptions
    from synth.unagan_options import UnaganOptions

    return UnaganOptions


def prepare(
    audio_dir: Path, model_dir: Path, asked: AskedTraining, *, kind: str, force: bool
) -> tuple[dict[str, Any], Path | None]:
    """Check the options before training; return what training starts from.

    Returns
    -------
    saved : dict
        The options of the training to be resumed.
    start : Path or None
        The model that gives the sizes.

    Raises
    ------
    ParameterError, CheckpointError
    """
    from training.checkpoint import holds_model
    from training.distributed import Distributed
    from training.saved_state import load_state

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
    identity = state.identity
    if identity.get("kind") != kind:
        raise CheckpointError(
            f"{model_dir} holds the training of a {identity.get('kind')}, not of a {kind}; resume"
            " another model"
        )
    architecture = identity.get("architecture")
    state.check_options(options_type(kind, architecture), model_dir)
    start = model_dir if state.starts_trained else None
    saved = {**state.options, "architecture": architecture}
    return saved, asked.start or start


def refuse_own(asked: AskedTraining) -> None:
    """Refuse options that are decided by the model to start from."""
    given = [f"--{name.replace('_', '-')}" for name in OWN if getattr(asked, name) is not None]
    if given:
        raise ParameterError(
            f"{', '.join(given)}: the model that --from names has its own; leave it out"
        )


def run(
    train: Train,
    audio_dir: Path,
    model_dir: Path,
    start: Vocoder | Generator | MelCodecModel | None,
    options: VocoderOptions | FlowOptions | UnaganOptions | CodecOptions,
    asked: AskedTraining,
    *,
    as_json: bool,
) -> None:
    """Train and print a summary; exit with 1 if files were left out or training was interrupted."""
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
        of_codec = {"by_codebooks": codec_rows(model_dir)} if summary.architecture == CODEC else {}
        echo_json({**training_facts(model_dir, summary), **of_codec})
    else:
        echo_summary(model_dir, summary, options)
        echo_next(model_dir, mel, options)
    if summary.left_out or summary.stopped_by == "interrupt":
        raise SystemExit(1)  # of the main process only: torchrun would stop the others
