"""A picture of a render: sources, descriptors, and distances."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from db.database import Database
from db.descriptors.derived import static_columns
from demiurge.results import RenderResult
from files.atomic import replacing
from playback.picture import draw_waveform

MOST_DEVIATIONS = 3  # standard deviations at the ends of the colour scale


def save_overview(result: RenderResult, database: Database, path: Path, *, title: str) -> None:
    """Write a PNG: waveform by source, descriptors, and the distance of each step.

    Of a mosaic the descriptors of the target and of the units are drawn, of a continuation those of
    the units.
    """
    figure = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left")
    sequences = {"found: the units played": database.rows_at(result.path.positions)}
    if result.continuation is None:
        sequences = {"wanted: the target": result.target, **sequences}
    ratios = [3, *(2 for _ in sequences), 1]
    waveform, *drawn, distances = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    rate = result.plan.sample_rate
    draw_waveform(waveform, result.wav, result.plan)
    edges = np.concatenate([[0], np.cumsum(result.path.n_samples)]) / rate
    for axes, (name, sequence) in zip(drawn, sequences.items(), strict=True):
        image = draw_descriptors(axes, sequence, database, edges, name)
    figure.colorbar(image, ax=drawn, label="standard deviations", pad=0.01)
    starts = [step.at_sample / rate for step in result.plan.steps]
    distances.step(starts, result.path.distances, where="post", color="0.2", lw=0.8)
    distances.set_ylim(0)
    distances.set_ylabel("distance" if result.continuation is None else "target cost")
    distances.set_xlabel("seconds")
    distances.set_xlim(0, result.summary.n_samples / rate)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})


def draw_descriptors(
    axes: Axes, sequence: np.ndarray, database: Database, edges: np.ndarray, title: str
) -> QuadMesh:
    """Plot the z-scored independent descriptors of raw rows (steps, n_descriptors).

    `edges`, float64, (steps + 1,), are when steps begin and the last one ends, in seconds.
    """
    columns = static_columns(database.settings)
    scores = database.normaliser.apply(sequence)[:, columns].T
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_ylabel("descriptor")
    return axes.pcolormesh(
        edges,
        np.arange(len(columns) + 1) - 0.5,
        scores,
        cmap="RdBu_r",
        vmin=-MOST_DEVIATIONS,
        vmax=MOST_DEVIATIONS,
        rasterized=True,
    )
