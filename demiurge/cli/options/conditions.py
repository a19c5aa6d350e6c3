"""Options of training: what a forecaster goes with, a coarse level or another track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from demiurge.cli.options.training import model_option

if TYPE_CHECKING:
    from sequencer.condition import GroupSteps


class GroupStepsType(click.ParamType):
    """beats, bars, or a number of steps."""

    name = "steps"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> GroupSteps:
        if value in ("beats", "bars"):
            return value
        if not str(value).isdecimal():
            self.fail(f"{value} is neither beats, bars nor a number of steps", param, ctx)
        return int(value)


coarse_option = model_option(
    "--coarse",
    type=GroupStepsType(),
    metavar="beats|bars|N",
    help="Learn beats, bars of four beats or groups of N steps as well; these are forecast"
    " first, and the steps by them.",
)
with_option = model_option(
    "--with",
    "with_sources",
    metavar="NAME",
    help="Learn to go with the sources of this name, such as drums.wav or '*_drums.wav', each"
    " with the others of its folder.",
)
