"""One picture of a rendering: what plays, which source each part came from, what was forecast and what was found."""

from collections import Counter
from pathlib import Path

import matplotlib
import soundfile as sf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from db.atomic import replacing
from db.database import Database
from db.descriptors.derived import static_columns
from demiurge.pipeline import Rendering

NAMED_SOURCES = 12  # as many as a legend can tell apart; the rest are grey


def save_overview(rendering: Rendering, database: Database, path: Path, *, title: str) -> None:
    """Waveform coloured by source, forecast and matched static descriptors (z-scored), distance per step."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(figure)
    wave, wanted, found, distance = figure.subplots(4, 1, sharex=True, height_ratios=[3, 2, 2, 1])
    steps, rate = rendering.plan.steps, rendering.plan.sample_rate
    seconds = rendering.summary.n_samples / rate
    figure.suptitle(title, x=0.01, ha="left")
    _draw_waveform(wave, rendering)
    columns = static_columns(database.settings)
    n = len(columns)
    positions = database.positions(rendering.path.units)
    for axes, rows, label in (
        (wanted, rendering.target, "wanted: forecast or target"),
        (found, database.descriptors[positions], "found: the units played"),
    ):
        scores = database.normaliser.apply(rows)[:, columns].T
        image = axes.imshow(
            scores, aspect="auto", origin="lower", cmap="RdBu_r", vmin=-3, vmax=3, extent=(0, seconds, -0.5, n - 0.5),
            interpolation="nearest",
        )  # fmt: skip
        axes.set_title(label, loc="left", fontsize=9)
        axes.set_ylabel("descriptor")
    figure.colorbar(image, ax=[wanted, found], label="standard deviations", pad=0.01)
    distance.step([step.at_sample / rate for step in steps], rendering.path.distances, where="post", color="0.2", lw=0.8)
    distance.set_ylim(0)
    distance.set_ylabel("distance")
    distance.set_xlabel("seconds")
    distance.set_xlim(0, seconds)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})


def _draw_waveform(axes, rendering: Rendering) -> None:
    audio, rate = sf.read(rendering.wav, dtype="float32", always_2d=True)
    steps = rendering.plan.steps
    played: Counter[str] = Counter()
    for step in steps:
        played[step.source] += step.n_samples
    palette = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
    named = {source: palette[i] for i, (source, _) in enumerate(played.most_common(NAMED_SOURCES))}
    for step in steps:
        block = audio[step.at_sample : step.until_sample]
        axes.fill_between(
            [step.at_sample / rate, step.until_sample / rate], block.min(), block.max(),
            color=named.get(step.source, (0.6, 0.6, 0.6)), lw=0,
        )  # fmt: skip
    axes.set_ylim(-1, 1)
    axes.set_ylabel("waveform")
    handles = [Patch(color=colour, label=Path(source).stem) for source, colour in named.items()]
    if len(played) > len(named):
        handles.append(Patch(color=(0.6, 0.6, 0.6), label=f"{len(played) - len(named)} others"))
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
