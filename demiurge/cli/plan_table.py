"""A plan for reading: what is played when, why, and what else would have fitted."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

import click

from demiurge.cli.terminal import echo_table
from files.errors import ParameterError

COLUMNS = [
    "step",
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


def plan_facts(plan, file: Path, crossfade, root: Path | None) -> dict[str, Any]:
    """All that a plan says, and which of its sources are missing; None where nobody knows, since
    the corpus is not there.

    Raises
    ------
    ParameterError
        If `root` is no folder.
    """
    from playback.runs import join_runs

    runs = join_runs(plan.steps)
    missing = missing_sources(plan, root)
    begins = {run.first for run in runs}
    steps = [
        {
            "number": number,
            **step.to_dict(),
            "contiguous": number not in begins,
            "missing": missing[step.source],
        }
        for number, step in enumerate(plan.steps)
    ]
    seconds = Counter[str]()
    lasts = Counter(step.source for step in plan.steps)
    for step in plan.steps:
        seconds[step.source] += step.n_samples / plan.sample_rate
    sources = [
        {"path": path, "steps": n, "seconds": round(seconds[path], 6), "missing": missing[path]}
        for path, n in lasts.items()
    ]
    return {
        "file": str(file),
        "plan": plan.identity,
        "database": plan.database,
        "sample_rate": plan.sample_rate,
        "channels": plan.channels,
        "samples": plan.n_samples,
        "seconds": plan.n_samples / plan.sample_rate,
        "rest_seconds": round(
            (plan.n_samples - sum(step.n_samples for step in plan.steps)) / plan.sample_rate, 6
        ),
        "sources": sources,
        "joins": len(runs) - 1,
        "crossfade": asdict(crossfade),
        "settings": plan.settings,
        "targets": len(plan.targets.rows) if plan.targets else 0,
        "steps": steps,
    }


def missing_sources(plan, root: Path | None) -> dict[str, bool | None]:
    """Whether each source is missing; None if the folder of the corpus is not there."""
    folder = Path(root or plan.database["root"])
    sources = {step.source for step in plan.steps}
    if folder.is_dir():
        return {source: not os.path.isfile(folder / source) for source in sources}
    if root:
        raise ParameterError(
            f"{root}: no such folder; say where the corpus is with --root, or leave it out"
        )
    return dict.fromkeys(sources)


def echo_plan(facts: dict[str, Any]) -> None:
    """The facts for people: a few lines about the whole, then a line per step."""
    sources = facts["sources"]
    steps = facts["steps"]
    crossfade = facts["crossfade"]
    click.echo(
        f"{facts['file']}: {facts['seconds']:.2f} s, {len(steps)} units of {len(sources)} sources,"
        f" {facts['joins']} joins; where no join is told, the sound goes on as recorded"
    )
    if facts["rest_seconds"]:
        click.echo(f"  rests for {facts['rest_seconds']:.2f} s")
    click.echo(f"  database {facts['database']['id']}, corpus {facts['database']['root']}")
    click.echo("  crossfade " + ", ".join(f"{name} {value}" for name, value in crossfade.items()))
    if lost := [source["path"] for source in sources if source["missing"]]:
        click.echo(
            f"  missing: {', '.join(lost)}; put them back, or say with --root where the corpus is"
        )
    if any(source["missing"] is None for source in sources):
        click.echo(
            "  the corpus is not there, so that it cannot be played; say where it is now with"
            " --root"
        )
    rows = [step_cells(step, facts["sample_rate"]) for step in steps]
    said = [n for n in range(len(COLUMNS)) if any(row[n] for row in rows)]
    echo_table("", [COLUMNS[n] for n in said], [[row[n] for n in said] for row in rows])


def step_cells(step: dict[str, Any], sample_rate: int) -> list[str]:
    """A step's cells, one for each of `COLUMNS`; costs are empty of a step written by hand, and
    where nothing joins.
    """
    at, length, start = (
        f"{step[key] / sample_rate:.3f} s" for key in ("at_sample", "n_samples", "start_sample")
    )
    source = step["source"] + (" (missing)" if step["missing"] else "")
    unit = distance = join = ""
    if step["unit"] >= 0:
        unit = str(step["unit"])
        distance = f"{step['distance']:.3f}"
        join = f"{step['join']:.3f}" if step["number"] > 0 and not step["contiguous"] else ""
    others = step["alternatives"]
    also = str(len(step["alternatives"]) or "")
    how = how_played(step)
    nearest = nearest_text(others, sample_rate)
    return [
        str(step["number"]),
        at,
        length,
        source,
        start,
        unit,
        distance,
        join,
        how,
        also,
        nearest,
    ]


def how_played(step: dict[str, Any]) -> str:
    """What is done to a unit, and whether it stays."""
    marks = ["locked"] if step["locked"] else []
    marks += [f"{step['gain_db']:+g} dB"] if step["gain_db"] else []
    marks += ["reversed"] if step["reverse"] else []
    marks += [f"{step['transpose']:+g} semitones"] if step["transpose"] else []
    marks += [f"stretched by {step['stretch']:g}"] if step["stretch"] != 1 else []
    return ", ".join(marks)


def nearest_text(alternatives: Sequence[dict[str, Any]], sample_rate: int) -> str:
    """The nearest of the other units that would fit, and what forbids it there."""
    if not alternatives:
        return ""
    nearest = min(alternatives, key=lambda match: match["distance"])
    where = f"unit {nearest['unit']}"
    if "source" in nearest and "start_sample" in nearest:
        where = (
            f"{PurePosixPath(nearest['source']).name} {nearest['start_sample'] / sample_rate:.3f} s"
        )
    forbidden = f" ({nearest['removed']})" if "removed" in nearest else ""
    return f"{nearest['distance']:.3f} {where}{forbidden}"
