"""A path as a plan: its units as steps, with what spoke for them and what else could be played."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from db.database import Database
from files.errors import DatabaseError
from playback.plan import MAX_CHANNELS, Plan, Step
from playback.targets import Targets
from query.explain import Explanation
from query.path import REST, UnitPath

ALTERNATIVES = 8  # other matches kept per step in a plan
DECIMALS = 6  # of costs
NAMED = 5  # sources, in an error


def make_plan(
    path: UnitPath,
    explanation: Explanation,
    database: Database,
    sequence: np.ndarray,
    settings: dict,
) -> Plan:
    """A plan that plays one unit per step, each from where its step begins and for as long as it
    lasts; nothing at rests.

    Where a step lasts longer than its unit, the source plays on behind the unit. `sequence` is what
    was looked for, raw, (steps, n_descriptors).
    """
    steps = []
    at = 0
    for part, (unit, lasts) in enumerate(
        zip(path.units.tolist(), path.n_samples.tolist(), strict=True)
    ):
        if unit != REST:
            facts = describe_choice(path, explanation, part, database)
            step = make_step(
                database, unit, n_samples=lasts, at_sample=at, target=int(path.steps[part]), **facts
            )
            steps.append(step)
        at += lasts
    used = {step.source for step in steps}
    stamps = check_sources(database, used)
    channels = min(
        max(source.channels for source in database.sources if source.path in used), MAX_CHANNELS
    )
    origin = {"id": database.id, "root": str(database.root)}
    tail_samples = at - steps[-1].until_sample
    return Plan(
        database.sample_rate,
        channels,
        origin,
        tuple(steps),
        settings,
        tail_samples,
        stamps,
        Targets.of(sequence),
    )


def make_step(database: Database, unit: int, *, n_samples: int, **facts: Any) -> Step:
    """A step that plays a unit of the database for so long, or until its source is over."""
    units = database.units
    position = int(database.positions(np.array(unit)))
    lasts = min(int(units.room[position]), n_samples)
    return Step(unit=unit, **place_of(database, position), n_samples=lasts, **facts)


def place_of(database: Database, position: int | np.integer) -> dict[str, Any]:
    """Where the unit at a position in `database.units` is to be found: "source" and "start_sample"."""
    units = database.units
    return {
        "source": database.sources[units.source[position]].path,
        "start_sample": int(units.start_sample[position]),
    }


def describe_choice(
    path: UnitPath, explanation: Explanation, part: int, database: Database
) -> dict[str, Any]:
    """A step's "distance", "join" and "alternatives", the nearest other matches, from a part of a
    path.
    """
    found: list[dict[str, Any]] = []
    positions = database.positions(path.matches.units[path.steps[part]])
    for position, (unit, distance, join, removed) in zip(
        positions, explanation.candidates(path, part), strict=True
    ):
        if unit != path.units[part] and len(found) < ALTERNATIVES:
            costs = {"distance": round(distance, DECIMALS), "join": round(join, DECIMALS)}
            found.append(
                {
                    "unit": unit,
                    **costs,
                    **place_of(database, position),
                    **({"removed": removed} if removed else {}),
                }
            )
    distance, join = (round(float(costs[part]), DECIMALS) for costs in (path.distances, path.joins))
    return {"distance": distance, "join": join, "alternatives": tuple(found)}


def total_cost(steps: Iterable[Step], continuity: float) -> float:
    """Target costs plus weighted join costs."""
    return round(math.fsum(step.distance + continuity * step.join for step in steps), DECIMALS)


def check_sources(database: Database, used: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`Database.stamps` of sources, after naming those that are missing, or of another length than
    when they were analysed.

    One whose date alone is another is read through when it is played.

    Raises
    ------
    DatabaseError
    """
    files = {path: database.root / path for path in sorted(used)}
    if missing := [path for path, file in files.items() if not file.is_file()]:
        raise DatabaseError(
            f"{len(missing)} sources are not in {database.root}: {_first_few(missing)}; put them"
            " back, name the folder with --root, or build the database again with --prune"
        )
    stamps = database.stamps(list(files))
    if changed := [
        path for path, stamp in stamps.items() if files[path].stat().st_size != stamp["bytes"]
    ]:
        raise DatabaseError(
            f"{len(changed)} sources have changed since they were analysed: {_first_few(changed)};"
            " run demiurge db build again"
        )
    return stamps


def _first_few(paths: list[str]) -> str:
    return ", ".join(paths[:NAMED]) + (", …" if len(paths) > NAMED else "")
