"""One picture of a rendering: what plays, which source each part came from, what was forecast and
what was found.
"""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from db.database import Database
from db.descriptors.derived import static_columns
from demiurge.pipeline import RenderResult
from files.atomic import replacing
from playback.picture import draw_waveform


def save_overview(rendering: RenderResult, database: Database, path: Path, *, title: str) -> None:
    """Waveform coloured by source, forecast and matched static descriptors (z-scored), distance per
    step.
    """
    figure = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(figure)
    wave, wanted, found, distance = figure.subplots(4, 1, sharex=True, height_ratios=[3, 2, 2, 1])
    steps = rendering.plan.steps
    rate = rendering.plan.sample_rate
    seconds = rendering.summary.n_samples / rate
    figure.suptitle(title, x=0.01, ha="left")
    draw_waveform(wave, rendering.wav, rendering.plan)
    columns = static_columns(database.settings)
    n = len(columns)
    positions = rendering.path.positions
    for axes, rows, label in (
        (wanted, rendering.target, "wanted: forecast or target"),
        (found, database.descriptors[positions], "found: the units played"),
    ):
        scores = database.normaliser.apply(rows)[:, columns].T
        image = axes.imshow(
            scores,
            aspect="auto",
            origin="lower",
            cmap="RdBu_r",
            vmin=-3,
            vmax=3,
            extent=(0, seconds, -0.5, n - 0.5),
            interpolation="nearest",
        )
        axes.set_title(label, loc="left", fontsize=9)
        axes.set_ylabel("descriptor")
    figure.colorbar(image, ax=[wanted, found], label="standard deviations", pad=0.01)
    distance.step(
        [step.at_sample / rate for step in steps],
        rendering.path.distances,
        where="post",
        color="0.2",
        lw=0.8,
    )
    distance.set_ylim(0)
    distance.set_ylabel("distance")
    distance.set_xlabel("seconds")
    distance.set_xlim(0, seconds)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
