"""Check that a plan was made from a database; find its units there."""

from collections.abc import Sequence

import numpy as np

from db.database import Database
from files.errors import PlanError
from playback.plan import Plan, Step
from query.rules import REST


def is_own(plan: Plan, database: Database) -> bool:
    """Return whether a plan was made from the database, so that its units mean something there."""
    return plan.database["id"] == database.id


def belongs(plan: Plan, database: Database) -> bool:
    """Return whether the plan can play units of the database: it was made from it, and counts in
    its samples.
    """
    return is_own(plan, database) and plan.sample_rate == database.sample_rate


def check_database(plan: Plan, database: Database) -> None:
    """Raise a PlanError if the plan does not belong to the database."""
    if not is_own(plan, database):
        raise PlanError(
            f"the plan was made from database {plan.database['id']}, {database.path} is"
            f" {database.id}; open it with its own"
        )
    if plan.sample_rate != database.sample_rate:
        raise PlanError(
            f"the plan has a sample rate of {plan.sample_rate} Hz, {database.path} one of"
            f" {database.sample_rate}; make the plan again"
        )


def position_of(step: Step, database: Database) -> int:
    """Return the position of a step's unit in `database.units`; `REST` if it is none, or another
    source's.
    """
    return int(positions_of([step], database)[0])


def positions_of(steps: Sequence[Step], database: Database) -> np.ndarray:
    """Return `position_of` of each step, int64, (steps,)."""
    positions = database.units.find([step.unit for step in steps])
    for number, step in enumerate(steps):
        source = database.sources[database.units.source[positions[number]]]
        if source.path != step.source:
            positions[number] = REST
    return positions
