"""Options of training, shared by all commands that train a network."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.command import Decorator, option
from training.names import PRECISIONS

if TYPE_CHECKING:
    from training.position import TrainingSummary

TRACKERS = ("wandb",)
THE_TRAINING = "The training"
model_option = partial(option, heading="The model")
training_option = partial(option, heading=THE_TRAINING)

# appended to the summary of a training that ended early
STOPPED = {
    "interrupt": " (interrupted; the best so far is kept, --resume continues)",
    "minutes": " (time is up; --resume continues)",
}


def precision_option(heading: str = "", *, default: str | None = PRECISIONS[0]) -> Decorator:
    """Return the option of a command that runs networks; None means "as before"."""
    return option(
        "--precision",
        heading=heading,
        type=click.Choice(PRECISIONS),
        default=default,
        help="Precision of the computation; bfloat16 is less exact, and faster on processors that"
        f" support it. [default: {PRECISIONS[0]}]",
    )


def device_option(heading: str = "", *, default: str | None = "cpu") -> Decorator:
    """Return the option for the device of a network; None means "as before"."""
    return option(
        "--device",
        heading=heading,
        default=default,
        help="Device to compute on: cpu, cuda, … [default: cpu]",
    )


minutes_option = training_option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Longest time of this run, in minutes. [default: no limit]",
)
learning_rate_option = training_option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Learning rate. [default: the architecture's own]",
)
track_option = training_option(
    "--track",
    type=click.Choice(TRACKERS),
    help="Also send the log, MODEL/log.jsonl, to this service.",
)


def resume_option(rule: str) -> Decorator:
    """Return the option that resumes a training; `rule` says with which options."""
    return training_option(
        "--resume", is_flag=True, help=f"Continue where this training was stopped; {rule}."
    )


def training_facts(model_dir: Path, summary: TrainingSummary) -> dict[str, Any]:
    """Return the facts that --json prints about a training."""
    return {"model": str(model_dir), **asdict(summary)}
