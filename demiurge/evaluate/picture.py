"""A picture of an evaluation: a row for each method, a panel for each measure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from demiurge.evaluate.columns import COLUMNS, Column
from demiurge.evaluate.report import MethodReport
from files.atomic import replacing

PANELS_PER_ROW = 8
PANEL_INCHES = 2.2
ROW_INCHES = 0.32
NAME_INCHES = 2.0
TRUE_COLOUR = "black"  # what really follows
COLOUR = "tab:blue"


def save_evaluation_picture(reports: Sequence[MethodReport], path: Path) -> None:
    """Plot the estimates with their 95 % intervals; the first report is the true continuation's.

    A grey line marks its value in every panel.

    Raises
    ------
    ParameterError
        If `path` cannot be written.
    """
    n_rows = -(-len(COLUMNS) // PANELS_PER_ROW)
    width = NAME_INCHES + PANELS_PER_ROW * PANEL_INCHES
    height = n_rows * (len(reports) * ROW_INCHES + 0.8)
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(n_rows, PANELS_PER_ROW, squeeze=False)
    for panel, column in zip(panels.flat, COLUMNS, strict=False):
        _draw(panel, column, reports)
    for panel in panels.flat[len(COLUMNS) :]:
        panel.set_axis_off()
    for panel in panels[:, 0]:
        panel.set_yticks(range(len(reports)), [report.name for report in reports])
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def _draw(panel: Axes, column: Column, reports: Sequence[MethodReport]) -> None:
    estimates = [report.estimates[column.measure] for report in reports]
    values = column.scale * np.array([[e.value, e.lower, e.upper] for e in estimates])
    panel.axvline(values[0, 0], color="0.8", zorder=0)
    for number, (value, lower, upper) in enumerate(values):
        colour = COLOUR if number else TRUE_COLOUR
        panel.plot(value, number, "o", color=colour, markersize=5)
        panel.plot([lower, upper], [number, number], color=colour, linewidth=1.5)
    panel.set_title(f"{column.label} (best: {column.best})" if column.best else column.label)
    panel.title.set_fontsize(9)
    panel.set_yticks([])
    panel.set_ylim(len(reports) - 0.5, -0.5)
    panel.tick_params(axis="x", labelsize=8)
