"""demiurge sequencer train and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import command, option_group
from demiurge.cli.options.conditions import coarse_option, with_option
from demiurge.cli.options.models import check_model_output
from demiurge.cli.options.output import (
    database_argument,
    force_option,
    json_option,
    random_seed_option,
)
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.training import (
    STOPPED,
    THE_TRAINING,
    device_option,
    learning_rate_option,
    minutes_option,
    model_option,
    precision_option,
    resume_option,
    track_option,
    training_facts,
    training_option,
)
from demiurge.cli.sequencer_evaluation import evaluate_models, lines_of_progress
from demiurge.cli.terminal import counted, echo_json, echo_line, progress_bar
from sequencer.names import ARCHITECTURES, DEFAULT_HEAD, HEADS, MASKED, PATTERNS

if TYPE_CHECKING:
    from sequencer.condition import GroupSteps
    from sequencer.sequence_training import ForecasterSummary
    from sequencer.train import ForecasterOptions
    from sequencer.train_masked import MaskedOptions

FEW_STEPS = 10_000  # four minutes of frames


def make_training_options(
    *,
    architecture: str,
    head: str | None,
    pattern: str | None,
    epochs: int,
    minutes: float | None,
    window: int,
    learning_rate: float | None,
    precision: str,
    random_seed: int,
    device: str,
) -> ForecasterOptions | MaskedOptions:
    """Return `ForecasterOptions`, or `MaskedOptions`, from the command's options."""
    from demiurge.train import refuse_with_masked
    from sequencer.train import ForecasterOptions
    from sequencer.train_masked import MaskedOptions

    given: dict[str, Any] = {
        "epochs": epochs,
        "minutes": minutes,
        "window": window,
        "learning_rate": learning_rate,
        "precision": precision,
        "random_seed": random_seed,
        "device": device,
    }
    if architecture != MASKED:
        return ForecasterOptions(
            architecture=architecture, head=head or DEFAULT_HEAD, pattern=pattern, **given
        )
    refuse_with_masked({"--pattern": pattern, "--head": None if head == "tokens" else head})
    return MaskedOptions(**given)


training_options = option_group(
    model_option(
        "--architecture",
        type=click.Choice((*ARCHITECTURES, MASKED)),
        default="lstm",
        show_default=True,
        help="Network; demiurge sequencer models lists the sizes. masked does not forecast: it"
        " fills gaps, for demiurge infill.",
    ),
    model_option(
        "--head",
        type=click.Choice(HEADS),
        help="What is learnt: contrast chooses among units, for render; the others forecast steps."
        f" With --architecture {MASKED} it is tokens. [default: {DEFAULT_HEAD}]",
    ),
    model_option(
        "--pattern",
        type=click.Choice(PATTERNS),
        help="With --head tokens: in which order levels are forecast. [default: parallel]",
    ),
    training_option(
        "--epochs",
        type=click.IntRange(1),
        default=60,
        show_default=True,
        help="Most epochs; training ends earlier if the validation loss no longer falls.",
    ),
    minutes_option,
    training_option(
        "--window",
        type=click.IntRange(1),
        default=128,
        show_default=True,
        help="Length of a training excerpt, in steps.",
    ),
    learning_rate_option,
    precision_option(THE_TRAINING),
    random_seed_option(THE_TRAINING),
    device_option(THE_TRAINING),
    into="options",
    make=make_training_options,
)


@command(
    examples=(
        "demiurge sequencer train my.db my.model",
        "demiurge sequencer train my.db my.model --epochs 100 --random-seed 3",
        "demiurge sequencer train my.db my.model --coarse bars",
        "demiurge sequencer train stems.db my.model --with drums.wav",
        "torchrun --nproc-per-node 2 --no-python demiurge sequencer train my.db my.model",
    )
)
@database_argument
@click.argument("model_dir", metavar="MODEL", type=ANY_PATH)
@training_options
@coarse_option
@with_option
@resume_option("give the same options")
@track_option
@force_option
@json_option
def train(
    database: Path,
    model_dir: Path,
    options: ForecasterOptions | MaskedOptions,
    coarse: GroupSteps | None,
    with_sources: str | None,
    resume: bool,
    track: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Train a forecaster, or a masked model, on DB and save it in MODEL.

    The weights with the lowest validation loss are kept. When training is stopped by Ctrl-C or
    --minutes, the best weights so far are kept, and --resume continues as if it had never stopped.
    Several processes started by torchrun share the work.
    """
    from db.database import Database
    from demiurge.train import train_on
    from training.distributed import Distributed

    is_main = Distributed().is_main
    if is_main:
        check_model_output(model_dir, force=force or resume)
    opened = Database(database)
    with progress_bar("training", quiet=as_json or not is_main, counted=False) as progress:
        summary = train_on(
            opened,
            model_dir,
            options,
            coarse=coarse,
            with_sources=with_sources,
            resume=resume,
            wandb=track == "wandb",
            progress=progress,
        )
    if not is_main:
        return
    if as_json:
        echo_json(training_facts(model_dir, summary))
    else:
        echo_summary(model_dir, summary)
    if summary.stopped_by == "interrupt":
        raise SystemExit(1)  # of the main process only: torchrun would stop the others


def echo_summary(model_dir: Path, summary: ForecasterSummary) -> None:
    """Print a summary of the training."""
    from sequencer.masked_loss import LOSS_UNIT
    from sequencer.registry import HEADS
    from training.sparkline import sparkline

    is_masked = summary.architecture == MASKED
    loss_unit = LOSS_UNIT if is_masked else HEADS[summary.head].loss_unit
    best = f"epoch {summary.best_epoch} of {summary.epochs} is the best"
    if summary.stopped_by == "interrupt":
        best = f"stopped within epoch {summary.epochs}, best in epoch {summary.best_epoch}"
    echo_line(
        f"{model_dir}: {summary.architecture} with {summary.head} head, {best},"
        f" {summary.seconds:.0f} s{STOPPED.get(summary.stopped_by, '')}"
    )
    echo_line(
        f"  trained on {summary.train_steps} steps of {counted(summary.train_sources, 'source')};"
        f" validation loss {summary.validation_loss:.3f} {loss_unit} on"
        f" {summary.validation_steps} steps of {counted(summary.validation_sources, 'other')},"
        f" split by {summary.split_by}  {sparkline(summary.validation_losses)}"
    )
    if summary.coarse_loss is not None:
        echo_line(f"  coarse level: validation loss {summary.coarse_loss:.3f}")
    if summary.of_coarse:
        echo_line("  that was the coarse level, which is trained first; go on with --resume")
    elif summary.train_steps < FEW_STEPS and not is_masked:
        echo_line(
            "  that is little to learn from, so forecasts may be poor: use half an hour or more of"
            " loops, music or continuous playing; demiurge mosaic needs no forecast"
        )


@command(
    examples=(
        "demiurge sequencer compare my.db comparison",
        "demiurge sequencer compare my.db comparison --minutes 8 --json",
    )
)
@database_argument
@click.argument("out", metavar="OUT_DIR", type=ANY_PATH)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Training time of each model, in minutes.",
)
@random_seed_option()
@json_option
def compare(database: Path, out: Path, minutes: float, random_seed: int, as_json: bool) -> None:
    """Train every architecture with every head that forecasts, and evaluate all.

    One model per processor is trained at a time. The models are written to OUT_DIR, with a picture.
    If the command is stopped and run again with the same options, it keeps the finished models.
    """
    from sequencer.compare import train_all

    with lines_of_progress("training", quiet=as_json) as progress:
        folders = train_all(
            database, out, minutes=minutes, random_seed=random_seed, progress=progress
        )
    evaluate_models(
        folders,
        database,
        random_seed=random_seed,
        picture=out / "forecasts.png",
        as_json=as_json,
    )
