"""Table of a plan: the units played, their costs, and alternatives."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from demiurge.cli.terminal import counted, echo_line, echo_table
from files.errors import ParameterError

if TYPE_CHECKING:
    from demiurge.cli.options.roots import MovedRoot
    from playback.options import CrossfadeOptions
    from playback.plan import Plan

COLUMNS = [
    "step",
    "voice",
    "at",
    "length",
    "source",
    "start",
    "unit",
    "distance",
    "join",
    "how",
    "also",
    "nearest",
]


def plan_facts(
    plan: Plan, file: Path, crossfade: CrossfadeOptions, root: MovedRoot
) -> dict[str, Any]:
    """Return the facts in a plan, and which of its sources are missing.

    "missing" is None if the folder of the corpus does not exist.

    Raises
    ------
    ParameterError
        If `root` is no folder, or not that of one of the databases.
    """
    from playback.database_shares import database_shares
    from playback.runs import join_runs, joined_runs

    has_voices = plan.has_voices
    missing = missing_sources(plan, root)
    starts = {run.first for run in join_runs(plan.steps)}
    steps = [
        {
            "number": number,
            **step.to_dict(voices=has_voices),
            "contiguous": number not in starts,
            "missing": missing[step.source],
        }
        for number, step in enumerate(plan.steps)
    ]
    return {
        "file": str(file),
        "plan": plan.identity,
        "database": plan.database,
        "sample_rate": plan.sample_rate,
        "channels": plan.channels,
        "samples": plan.n_samples,
        "seconds": plan.n_samples / plan.sample_rate,
        "rest_seconds": round(plan.rest_samples / plan.sample_rate, 6),
        **({"voices": plan.n_voices} if has_voices else {}),
        **({"databases": shares} if (shares := database_shares(plan)) else {}),
        "sources": source_facts(plan, missing),
        "joins": len(joined_runs(plan.steps)),
        "crossfade": asdict(crossfade),
        "settings": plan.settings,
        "targets": len(plan.targets.rows) if plan.targets else 0,
        "steps": steps,
    }


def source_facts(plan: Plan, missing: dict[str, bool | None]) -> list[dict[str, Any]]:
    """Return how long each source is played, in order of first use."""
    counts = Counter(step.source for step in plan.steps)
    seconds: defaultdict[str, float] = defaultdict(float)
    for step in plan.steps:
        seconds[step.source] += step.n_samples / plan.sample_rate
    return [
        {"path": path, "steps": n, "seconds": round(seconds[path], 6), "missing": missing[path]}
        for path, n in counts.items()
    ]


def missing_sources(plan: Plan, root: MovedRoot) -> dict[str, bool | None]:
    """Return whether each source is missing; None if the folder of the corpus does not exist.

    Raises
    ------
    ParameterError
        If `root` is no folder, or not that of one of the databases.
    """
    roots = plan.roots.moved(root)
    sources = {step.source for step in plan.steps}
    if not (gone := roots.missing()):
        missing = set(roots.find_missing(sources))
        return {source: source in missing for source in sources}
    if root:
        raise ParameterError(
            f"{gone[0]}: no such folder; say where the corpus is with --root, or leave it out"
        )
    return dict.fromkeys(sources)


def echo_plan(facts: dict[str, Any]) -> None:
    """Print a few lines about the whole plan, then a row for each step."""
    sources = facts["sources"]
    steps = facts["steps"]
    voices = f" in {facts['voices']} voices" if facts.get("voices", 1) > 1 else ""
    echo_line(
        f"{facts['file']}: {facts['seconds']:.2f} s, {counted(len(steps), 'unit')}{voices} of"
        f" {counted(len(sources), 'source')}, {counted(facts['joins'], 'join')}; a unit without a"
        " join cost goes on from the one before"
    )
    if facts["rest_seconds"]:
        echo_line(f"  rests for {facts['rest_seconds']:.2f} s")
    for line in database_lines(facts):
        echo_line(f"  {line}")
    crossfade = [f"{name} {value}" for name, value in facts["crossfade"].items()]
    echo_line(f"  crossfade {', '.join(crossfade)}")
    echo_missing(sources)
    firsts = {step.get("voice"): step["number"] for step in reversed(steps)}
    rows = []
    for step in steps:
        is_first = step["number"] in firsts.values()
        voice = str(step["voice"]) if voices else ""
        rows.append(step_cells(step, facts["sample_rate"], voice=voice, is_first=is_first))
    used = [n for n in range(len(COLUMNS)) if any(row[n] for row in rows)]
    echo_table("", [COLUMNS[n] for n in used], [[row[n] for n in used] for row in rows])


def database_lines(facts: dict[str, Any]) -> list[str]:
    """Return which databases a plan is of, and how much is played from each of several."""
    database = facts["database"]
    if "databases" not in database:
        return [f"database {database['id']}, corpus {database['root']}"]
    lines = []
    for share in facts["databases"]:
        lines.append(share_text(share))
        if member := database["databases"].get(share["database"]):
            lines[-1] += f": database {member['id']}, corpus {member['root']}"
    return lines


def share_text(share: dict[str, Any]) -> str:
    """Return how much is played from one of several databases."""
    name = share["database"] or "in none of them"
    played = counted(share["steps"], "unit")
    return f"{name}: {played}, {share['seconds']:.2f} s, {share['share']:.0%}"


def echo_missing(sources: list[dict[str, Any]]) -> None:
    """Print which sources are missing, or that the corpus is."""
    if lost := [source["path"] for source in sources if source["missing"]]:
        echo_line(
            f"  missing: {', '.join(lost)}; put them back, or say with --root where the corpus is"
        )
    if any(source["missing"] is None for source in sources):
        echo_line(
            "  the folder of the corpus does not exist, so the plan cannot be played; name its new"
            " place with --root"
        )


def step_cells(step: dict[str, Any], sample_rate: int, *, voice: str, is_first: bool) -> list[str]:
    """Return a step's cells, one for each of `COLUMNS`.

    Costs are empty if a step was written by hand; the join cost is empty if nothing is joined: the
    step is the first of its voice, or goes on from the one before.
    """
    unit = ""
    distance = ""
    join = ""
    if step["unit"] >= 0:
        unit = str(step["unit"])
        distance = f"{step['distance']:.3f}"
        if not is_first and not step["contiguous"]:
            join = f"{step['join']:.3f}"
    return [
        str(step["number"]),
        voice,
        f"{step['at_sample'] / sample_rate:.3f} s",
        f"{step['n_samples'] / sample_rate:.3f} s",
        step["source"] + (" (missing)" if step["missing"] else ""),
        f"{step['start_sample'] / sample_rate:.3f} s",
        unit,
        distance,
        join,
        how_played(step),
        str(len(step["alternatives"]) or ""),
        nearest_text(step["alternatives"], sample_rate),
    ]


def how_played(step: dict[str, Any]) -> str:
    """Return the transformations of a unit, and whether it is locked."""
    marks = []
    if step["locked"]:
        marks.append("locked")
    if step.get("ramp"):
        marks.append(f"glides to {step['gain_db']:+g} dB")
    elif step["gain_db"]:
        marks.append(f"{step['gain_db']:+g} dB")
    if step["reverse"]:
        marks.append("reversed")
    if step["transpose"]:
        marks.append(f"{step['transpose']:+g} semitones")
    if step["stretch"] != 1:
        marks.append(f"stretched by {step['stretch']:g}")
    return ", ".join(marks)


def nearest_text(alternatives: Sequence[dict[str, Any]], sample_rate: int) -> str:
    """Return the nearest alternative, and the rule that forbids it there, if any."""
    if not alternatives:
        return ""
    nearest = min(alternatives, key=lambda match: match["distance"])
    where = f"unit {nearest['unit']}"
    if "source" in nearest and "start_sample" in nearest:
        start = f"{nearest['start_sample'] / sample_rate:.3f} s"
        where = f"{PurePosixPath(nearest['source']).name} {start}"
    if nearest.get("transpose"):
        where += f" {nearest['transpose']:+g} semitones"
    forbidden = f" ({nearest['removed']})" if "removed" in nearest else ""
    return f"{nearest['distance']:.3f} {where}{forbidden}"
