"""Stretch the steps of a mosaic so that each unit lasts as long as its step.

plays on    |▇▇▇▇▇▇▇▒▒▒|▇▇▇▇|      a short unit is followed by what comes next in its source, a long
stretched   |▇▇▇▇▇▇▇▇▇▇|▇▇▇▇|      one is cut; stretched, both are heard as they are, and no more

Every step keeps its place and its length. Stretching units that follow each other in their source
by one factor, with attacks up to 10 ms off, keeps neither the pulse nor the onsets of drum loops
better.
"""

from collections.abc import Sequence
from dataclasses import replace

from db.database import Database
from demiurge.plans.costs import refresh_costs
from demiurge.plans.locate import positions_of
from demiurge.plans.placing import HIGHEST_FACTOR, LOWEST_FACTOR, STRETCH_DECIMALS
from files.errors import ParameterError, install_command
from files.names import quoted
from playback.plan import Plan, Step
from playback.transform import can_transform
from query.rules import REST

SAME_LENGTH = 0.03  # steps are not stretched by less


def check_can_stretch(database: Database) -> None:
    """Check that the units of a database can be stretched to their steps.

    Raises
    ------
    ParameterError
        If they are all equally long, or python-stretch is not installed.
    """
    settings = database.settings
    if not settings.units_vary:
        raise ParameterError(
            f"stretch=auto is for units of different lengths, and those of {database.path} are"
            f" {settings.units}; leave it out, or build a database of onsets or beats: demiurge db"
            f" build {quoted(str(database.root))} NEW.db --units onset"
        )
    if not can_transform():
        raise ParameterError(
            f"stretch=auto needs the package python-stretch; {install_command('stretch')}"
        )


def stretch_plan(plan: Plan, database: Database) -> Plan:
    """Return a plan with its steps stretched, and their costs as they are played."""
    plan = replace(plan, steps=stretched(plan.steps, database))
    return refresh_costs(plan, range(len(plan.steps)), database)


def stretched(steps: Sequence[Step], database: Database) -> tuple[Step, ...]:
    """Return steps that are stretched from the lengths of their units to their own.

    A factor that is within 3 % of 1, or not within 0.5 to 2, leaves a step as it is.
    """
    positions = positions_of(steps, database).tolist()
    return tuple(
        step if position == REST else _stretch(step, int(database.units.n_samples[position]))
        for step, position in zip(steps, positions, strict=True)
    )


def _stretch(step: Step, n_samples: int) -> Step:
    factor = step.n_samples / n_samples
    if not LOWEST_FACTOR <= factor <= HIGHEST_FACTOR or abs(factor - 1) <= SAME_LENGTH:
        return step
    return replace(step, stretch=round(factor, STRETCH_DECIMALS))
