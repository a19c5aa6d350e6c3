"""Table of the candidates of each step: rank, place, costs, and choice of a path."""

from typing import Any

COLUMNS = ["at", "rank", "source", "start", "unit", "distance"]
PATH_COLUMNS = ["join", "played"]
PLAYED = "▶"


def candidate_table(
    steps: list[dict[str, Any]], sample_rate: int, *, with_path: bool, most: int | None
) -> tuple[list[str], list[list[str]]]:
    """Return columns and cells: the `most` nearest candidates of each step.

    With a path, the chosen unit is marked among them, or listed above them.
    """
    columns = COLUMNS + PATH_COLUMNS if with_path else COLUMNS
    rows = []
    for step in steps:
        at = f"{step['at_sample'] / sample_rate:.3f} s"
        chosen = step.get("chosen")
        if with_path and not chosen:
            rows.append([at, "", "(rest)", "", "", "", "", PLAYED])
        for line, (rank, match) in enumerate(ranked(step["candidates"][:most], chosen)):
            row = ["" if line else at, rank, *unit_cells(match, sample_rate)]
            if with_path:
                row += path_cells(match, chosen)
            rows.append(row)
    return columns, rows


def ranked(
    candidates: list[dict[str, Any]], chosen: dict[str, Any] | None
) -> list[tuple[str, dict[str, Any]]]:
    """Return ranks and candidates, preceded by the chosen unit if it is not among them."""
    found = [(str(rank), match) for rank, match in enumerate(candidates, start=1)]
    if chosen and not any(is_same(match, chosen) for match in candidates):
        found.insert(0, ("", chosen))
    return found


def unit_cells(match: dict[str, Any], sample_rate: int) -> list[str]:
    start = f"{match['start_sample'] / sample_rate:.3f} s"
    return [match["source"], start, str(match["unit"]), f"{match['distance']:.3f}"]


def path_cells(match: dict[str, Any], chosen: dict[str, Any] | None) -> list[str]:
    """Return the join cost of a candidate, and "played" or the rule that forbids it."""
    is_chosen = chosen is not None and is_same(match, chosen)
    return [f"{match['join']:.3f}", PLAYED if is_chosen else match.get("removed") or ""]


def is_same(match: dict[str, Any], chosen: dict[str, Any]) -> bool:
    """Return whether two matches are of one unit; ids are of its database, as its source is."""
    return (match["unit"], match["source"]) == (chosen["unit"], chosen["source"])
