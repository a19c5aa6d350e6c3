"""Draw the picture of query: candidates of some steps, the cheapest path, and nearest units."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from db.analyse import describe_file
from db.database import Database
from demiurge.bundled import SEED_FILE
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, find_path
from query.space import Space
from scripts.make.pictures.style import DARK, GREY, label, new_figure

STEPS = slice(17, 41)
SHOWN = 10  # candidates of each step


def draw_path(database: Database) -> Figure:
    _, description = describe_file(SEED_FILE, database.settings)
    index = UnitIndex(Space(database))
    title = f"{SEED_FILE.name}, half a second: what sounds like each step, and what is played"
    figure = new_figure(title, 6.5)
    rows = figure.subplots(2, 1, sharex=True, sharey=True)
    colours: dict[str, str] = {}
    default = PathOptions().continuity
    names = {
        0.0: "the nearest unit of each step (--continuity 0)",
        default: f"the path (--continuity {default:g})",
    }
    for axes, (continuity, name) in zip(rows, names.items(), strict=True):
        path = find_path(
            index,
            description.units[STEPS],
            PathOptions(continuity=continuity),
            step_samples=description.lengths[STEPS],
        )
        draw_candidates(axes, path)
        draw_units(axes, path, sources_of(path, database), colours)
        axes.set_ylabel("target cost")
        label(axes, f"{name}: {costs(path)}")
    rows[1].set_xlabel("step of the target, 23 ms each")
    return figure


def costs(path: UnitPath) -> str:
    target = float(path.distances.sum())
    join = float(path.joins.sum())
    n_joins = int((path.joins > 0).sum())
    n_steps = len(path.joins)
    return f"target costs {target:.0f}, join costs {join:.0f}, {n_joins} joins in {n_steps} steps"


def sources_of(path: UnitPath, database: Database) -> np.ndarray:
    """Return the name of the source that each step plays."""
    positions = path.positions
    return np.array([Path(database.sources[i].path).name for i in database.units.source[positions]])


def draw_candidates(axes: Axes, path: UnitPath) -> None:
    near = path.matches.distances[:, :SHOWN]
    axes.plot(np.repeat(np.arange(len(near)), near.shape[1]), near.ravel(), ".", color=GREY, ms=5)


def draw_units(axes: Axes, path: UnitPath, sources: np.ndarray, colours: dict[str, str]) -> None:
    """Draw the played units in their sources' colours, connected where a source simply goes on."""
    names = dict.fromkeys(sources.tolist())
    for name in names:
        colours.setdefault(name, f"C{len(colours)}")
    for step in range(1, len(sources)):
        around = ([step - 1, step], path.distances[step - 1 : step + 1])
        if path.joins[step] == 0:
            axes.plot(*around, color=colours[sources[step]], lw=3.0)
        else:
            axes.plot(*around, color=DARK, lw=0.7, ls=":")
    for name in names:
        steps = np.flatnonzero(sources == name)
        axes.plot(steps, path.distances[steps], "o", color=colours[name], ms=6, label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1.02), fontsize=8, frameon=False)
