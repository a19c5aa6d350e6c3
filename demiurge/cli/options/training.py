"""Options of training: the same wherever a network is trained."""

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

# what a command says of a training that ended early
STOPPED = {
    "interrupt": " (interrupted; the best so far is kept, --resume goes on)",
    "minutes": " (time is up; --resume goes on)",
}


def precision_option(heading: str = "", *, default: str | None = PRECISIONS[0]) -> Decorator:
    """Return the option of a command that computes with networks; None is "as before"."""
    return option(
        "--precision",
        heading=heading,
        type=click.Choice(PRECISIONS),
        default=default,
        help="Precision of the computation; bfloat16 is less exact, and faster where processors"
        f" have it. [default: {PRECISIONS[0]}]",
    )


def device_option(heading: str = "", *, default: str | None = "cpu") -> Decorator:
    """Return the option that says where a network computes; None is "as before"."""
    return option(
        "--device",
        heading=heading,
        default=default,
        help="Where to compute: cpu, cuda, … [default: cpu]",
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
    help="Send the log, MODEL/log.jsonl, to this service as well.",
)


def resume_option(rule: str) -> Decorator:
    """Return the option that goes on with a training; `rule` says with which options."""
    return training_option(
        "--resume", is_flag=True, help=f"Go on where this training was stopped; {rule}."
    )


def training_facts(model_dir: Path, summary: TrainingSummary) -> dict[str, Any]:
    """Return what --json prints of a training."""
    return {"model": str(model_dir), **asdict(summary)}
