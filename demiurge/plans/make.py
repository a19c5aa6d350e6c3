"""Make a plan from a path: its units as steps, with their costs and alternatives."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from db.database import Database
from db.source_files import check_are_there, first_few
from demiurge.plans.placing import Placement
from demiurge.plans.settings import PlanSettings
from files.errors import DatabaseError
from playback.plan import Plan, Step
from playback.plan_document import MAX_CHANNELS
from playback.steps import NO_UNIT
from playback.targets import Targets
from query.explain import Explanation
from query.path import UnitPath
from query.rules import REST

ALTERNATIVES = 8  # other matches kept per step in a plan
DECIMALS = 6  # of costs
GAIN_DECIMALS = 2
TRANSPOSE_DECIMALS = 2


def make_plan(
    path: UnitPath,
    explanation: Explanation,
    database: Database,
    sequence: np.ndarray,
    settings: PlanSettings,
    *,
    placement: Placement | None = None,
    gain_db: np.ndarray | None = None,
) -> Plan:
    """Return a plan that plays one unit at each step, and nothing at rests.

    A unit is played from the start of its step, for as long as the step lasts. If that is longer
    than the unit, its source simply continues.

    Parameters
    ----------
    sequence : ndarray, float32, shape (steps, n_descriptors), raw
        The sequence that was searched for.
    placement : Placement, optional
        When and how units are played instead, one entry for each part of the path; without rests.
    gain_db : ndarray, float64, shape (parts,), optional
    """
    steps = make_steps(path, explanation, database, placement=placement, gain_db=gain_db)
    return assemble(steps, int(path.n_samples.sum()), database, sequence, settings)


def make_steps(
    path: UnitPath,
    explanation: Explanation,
    database: Database,
    *,
    placement: Placement | None = None,
    gain_db: np.ndarray | None = None,
) -> list[Step]:
    """Return the steps of a path; parameters as `make_plan`."""
    steps = []
    at_sample = 0
    for part, position in enumerate(path.positions.tolist()):
        n_samples = int(path.n_samples[part])
        if position != REST:
            choice = describe_choice(path, explanation, part, database)
            where = {"n_samples": n_samples, "at_sample": at_sample}
            step = make_step(database, position, target=int(path.steps[part]), **where, **choice)
            if placement is not None:
                step = replace(step, **placement.of_step(part))
            if gain_db is not None:
                step = replace(step, gain_db=round(float(gain_db[part]), GAIN_DECIMALS))
            steps.append(step)
        at_sample += n_samples
    return steps


def assemble(
    steps: Sequence[Step],
    n_samples: int,
    database: Database,
    sequence: np.ndarray,
    settings: PlanSettings,
) -> Plan:
    """Return the plan of steps, `n_samples` long; raises as `check_sources`."""
    used = {step.source for step in steps}
    plan = Plan(
        database.sample_rate,
        _count_channels(database, used),
        database.describe(),
        tuple(steps),
        settings.to_dict(),
        sources=check_sources(database, used),
        targets=Targets.of(sequence),
    )
    # units may be placed later than their steps
    return replace(plan, tail_samples=max(n_samples - plan.n_samples, 0))


def _count_channels(database: Database, used: set[str]) -> int:
    """Return how many channels the sources need."""
    most = max(database.sources_by_path[path].channels for path in used)
    return min(most, MAX_CHANNELS)


def make_step(database: Database, position: int, *, n_samples: int, **facts: Any) -> Step:
    """Return a step that plays the unit at a position in `database.units`.

    It lasts `n_samples`, or until the end of its source.
    """
    units = database.units
    number = units.source[position]
    return Step(
        unit=database.stored_id(position) if database.sources[number].is_stored else NO_UNIT,
        **place_of(database, position),
        n_samples=min(int(units.samples_left[position]), n_samples),
        transpose=float(database.semitones[number]),
        **facts,
    )


def place_of(database: Database, position: int) -> dict[str, Any]:
    """Return the "source" and "start_sample" of the unit at a position in `database.units`."""
    units = database.units
    return {
        "source": database.sources[units.source[position]].path,
        "start_sample": int(units.start_sample[position]),
    }


def describe_choice(
    path: UnitPath, explanation: Explanation, part: int, database: Database
) -> dict[str, Any]:
    """Return a step's "distance", "join" and "alternatives" from a part of a path.

    The alternatives are the nearest other matches that the database holds.
    """
    alternatives: list[dict[str, Any]] = []
    for position, distance, join, removed in explanation.candidates(path, part):
        if position == path.positions[part] or len(alternatives) == ALTERNATIVES:
            continue
        if not database.sources[database.units.source[position]].is_stored:
            continue
        alternative = {
            "unit": database.stored_id(position),
            "distance": round(distance, DECIMALS),
            "join": round(join, DECIMALS),
            **place_of(database, position),
        }
        if semitones := float(database.semitones[database.units.source[position]]):
            alternative["transpose"] = semitones
        if removed:
            alternative["removed"] = removed
        alternatives.append(alternative)
    return {
        "distance": round(float(path.distances[part]), DECIMALS),
        "join": round(float(path.joins[part]), DECIMALS),
        "alternatives": tuple(alternatives),
    }


def total_cost(steps: Iterable[Step], continuity: float) -> float:
    """Return the target costs plus weighted join costs."""
    return round(math.fsum(step.distance + continuity * step.join for step in steps), DECIMALS)


def check_sources(database: Database, used: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return `Database.stamps` of sources, after checking that all are there and unchanged.

    If only the date of a file has changed, its content is checked when it is played.

    Raises
    ------
    DatabaseError
        If a source is missing, or has another length than when it was analysed.
    """
    paths = sorted(used)
    check_are_there(database.roots, paths)
    stamps = database.stamps(paths)
    sizes = {path: (database.roots.stamp_of(path) or (0, 0))[0] for path in paths}
    if changed := [path for path, stamp in stamps.items() if sizes[path] != stamp["bytes"]]:
        verb = "has" if len(changed) == 1 else "have"
        raise DatabaseError(
            f"{len(changed)} source{'s' * (len(changed) > 1)} {verb} changed since the analysis:"
            f" {first_few(changed)}; run demiurge db build again"
        )
    return stamps
