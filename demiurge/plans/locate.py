"""Check that a plan was made from a database; find its units there.

A unit is named by its id, and in several databases by NAME:ID: the id is that in its own database.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from audio.read import MAX_SAMPLES
from db.database import Database
from demiurge.plans.settings import normaliser_of
from files.errors import PlanError
from files.ranges import shown
from files.roots import SEPARATOR, named_source
from playback.plan import Plan, Step
from playback.steps import NO_UNIT
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
            f"the plan was made from database {_ids(plan.database)}, but {database.path} is"
            f" {_ids(database.describe())}; open it with its own"
        )
    if plan.sample_rate != database.sample_rate:
        raise PlanError(
            f"the plan has a sample rate of {plan.sample_rate} Hz, {database.path} one of"
            f" {database.sample_rate}; make the plan again"
        )
    if (mine := normaliser_of(database)) and plan.settings.get("normaliser") != mine:
        raise PlanError(
            "the plan's distances are normalised by the units of"
            f" {shown(plan.settings.get('normaliser'))}, but here by those of {mine}; open it with"
            " the --normaliser that it was made with"
        )


def unit_name(position: int, database: Database) -> int | str:
    """Return the name of the unit at a position in `database.units`."""
    unit = database.stored_id(position)
    if not database.names:
        return unit
    return named_unit(unit, database.sources[database.units.source[position]].path, database)


def named_unit(unit: int, source: str, database: Database) -> int | str:
    """Return the name of the unit of a source that has this id in its database."""
    if not database.names or unit == NO_UNIT:
        return unit
    return f"{database.roots.split(source)[0]}{SEPARATOR}{unit}"


def find_unit(name: Any, database: Database) -> int:
    """Return the position of a unit that is named, or `REST` if there is none."""
    member = ""
    if database.names and isinstance(name, str):
        member, _, number = name.rpartition(SEPARATOR)
        name = int(number) if re.fullmatch(r"[0-9]{1,17}", number) else None
    if type(name) is not int or not 0 <= name <= MAX_SAMPLES:
        return REST
    return int(database.find_stored([name], [named_source(member, "")])[0])


def _ids(described: dict[str, Any]) -> str:
    """Return the id of a database, or those of several by their names."""
    members = described.get("databases")
    if members is None:
        return described["id"]
    return " + ".join(f"{name}={member['id']}" for name, member in members.items())


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
    positions = database.find_stored([step.unit for step in steps], [step.source for step in steps])
    for number, step in enumerate(steps):
        source = database.sources[database.units.source[positions[number]]]
        if source.path != step.source:
            positions[number] = REST
    return positions
