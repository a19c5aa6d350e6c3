"""Check that a plan was made from a database; find its units there."""

from collections.abc import Sequence

import numpy as np

from db.database import Database
from files.errors import PlanError
from playback.plan import Plan, Step
from query.rules import REST


def is_own(plan: Plan, database: Database) -> bool:
    """Return whether a plan was made from the database, so that its unit ids are valid there."""
    return plan.database["id"] == database.id


def belongs(plan: Plan, database: Database) -> bool:
    """Return whether the plan can play units of the database.

    It must have been made from the database, and have the same sample rate.
    """
    return is_own(plan, database) and plan.sample_rate == database.sample_rate


def check_database(plan: Plan, database: Database) -> None:
    """Raise a PlanError if the plan does not belong to the database."""
    if not is_own(plan, database):
        raise PlanError(
            f"the plan was made from database {plan.database['id']}, but {database.path} is"
            f" {database.id}; open it with its own"
        )
    if plan.sample_rate != database.sample_rate:
        raise PlanError(
            f"the plan has a sample rate of {plan.sample_rate} Hz, {database.path} one of"
            f" {database.sample_rate}; make the plan again"
        )


def samples_played(step: Step, position: int, database: Database) -> int:
    """Return how many samples of its source a step plays, from the start of its unit on.

    They are those of the unit if only the rounding of a stretched step says otherwise.
    """
    units = database.units
    n_samples = step.end_sample - int(units.start_sample[position])
    whole = int(units.n_samples[position])
    return whole if abs(n_samples - whole) <= step.rounding else n_samples


def position_of(step: Step, database: Database) -> int:
    """Return the position of a step's unit in `database.units`.

    It is `REST` if the database has no such unit, or has it in another source.
    """
    return int(positions_of([step], database)[0])


def positions_of(steps: Sequence[Step], database: Database) -> np.ndarray:
    """Return the position of each step's unit, as `position_of`; int64, (steps,)."""
    positions = database.units.find([step.unit for step in steps])
    for number, step in enumerate(steps):
        source = database.sources[database.units.source[positions[number]]]
        if source.path != step.source:
            positions[number] = REST
    return positions
