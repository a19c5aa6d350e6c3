"""A picture of a render: sources, descriptors wanted and found, and their distance."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from db.database import Database
from db.descriptors.derived import static_columns
from demiurge.pipeline import RenderResult
from files.atomic import replacing
from playback.picture import draw_waveform

MOST_DEVIATIONS = 3  # standard deviations at the ends of the colour scale


def save_overview(result: RenderResult, database: Database, path: Path, *, title: str) -> None:
    """Write a PNG: waveform by source, descriptors wanted and found, distance of each step."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left")
    rows = figure.subplots(4, 1, sharex=True, height_ratios=[3, 2, 2, 1])
    waveform, target, found, distances = rows
    rate = result.plan.sample_rate
    seconds = result.summary.n_samples / rate
    draw_waveform(waveform, result.wav, result.plan)
    draw_descriptors(target, result.target, database, seconds, "wanted: forecast or target")
    descriptors = database.descriptors[result.path.positions]
    image = draw_descriptors(found, descriptors, database, seconds, "found: the units played")
    figure.colorbar(image, ax=[target, found], label="standard deviations", pad=0.01)
    starts = [step.at_sample / rate for step in result.plan.steps]
    distances.step(starts, result.path.distances, where="post", color="0.2", lw=0.8)
    distances.set_ylim(0)
    distances.set_ylabel("distance")
    distances.set_xlabel("seconds")
    distances.set_xlim(0, seconds)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})


def draw_descriptors(
    axes: Axes, sequence: np.ndarray, database: Database, seconds: float, title: str
) -> AxesImage:
    """Plot the z-scored independent descriptors of raw rows (steps, n_descriptors)."""
    columns = static_columns(database.settings)
    scores = database.normaliser.apply(sequence)[:, columns].T
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_ylabel("descriptor")
    return axes.imshow(
        scores,
        aspect="auto",
        origin="lower",
        cmap="RdBu_r",
        vmin=-MOST_DEVIATIONS,
        vmax=MOST_DEVIATIONS,
        extent=(0, seconds, -0.5, len(columns) - 0.5),
        interpolation="nearest",
    )
