"""Plans of a database: whether one belongs to it, and where its units are there."""

from collections.abc import Sequence

import numpy as np

from db.database import Database
from files.errors import PlanError
from playback.plan import Plan, Step
from query.locked_steps import find_units
from query.path import REST


def is_own(plan: Plan, database: Database) -> bool:
    """Whether a plan was made from the database, so that its units mean something there."""
    return plan.database["id"] == database.id


def belongs(plan: Plan, database: Database) -> bool:
    """Whether units of the database can be played by the plan: it was made from it, and counts in
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
    """Of a step's unit in `database.units`; `REST` if it is none, or another source's."""
    return int(positions_of([step], database)[0])


def positions_of(steps: Sequence[Step], database: Database) -> np.ndarray:
    """As `position_of`, of each step, int64, (steps,)."""
    found = find_units(database.units, np.array([step.unit for step in steps], np.int64))
    sources = database.units.source
    known = [
        at != REST and database.sources[sources[at]].path == step.source
        for at, step in zip(found.tolist(), steps, strict=True)
    ]
    return np.where(known, found, REST)
