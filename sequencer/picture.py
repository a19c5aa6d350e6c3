"""One picture of what forecasters make of a held-out piece: fans over the truth, and rollouts
beside the data.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from db.descriptors.derived import static_columns
from files.atomic import replacing
from sequencer import evaluate
from sequencer.forecaster import Forecaster
from sequencer.rollout import draw_steps
from sequencer.split import Named

FAN_STEPS = 128
ROLLOUT_STEPS = 1024
DRAWS = 32
BANDS = ((5, 95), (25, 75))  # percentiles


def save_evaluation_picture(
    models: dict[str, Forecaster],
    sequences: Named,
    path: Path,
    *,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """A row for each model: the fan of its forecasts of the first descriptor after a moment of the
    longest held-out piece; one rollout over time; the plane of the data's first two principal axes.
    Forecasts are blue, the piece is black.
    """
    _, validation = evaluate.validation_material(models, sequences)
    piece = max(validation, key=len)
    n_seed = evaluate.seed_steps(validation)
    start = max(min(len(piece) // 4, len(piece) - FAN_STEPS - n_seed), 0)
    before = piece[start : start + n_seed]
    truth = piece[start + n_seed :][:ROLLOUT_STEPS]
    settings = next(iter(models.values())).config.settings
    name = settings.names[static_columns(settings)[0]]
    data = np.concatenate(validation)
    centre = data.mean(axis=0)
    axes_of_data = np.linalg.svd(data - data.mean(axis=0), full_matrices=False)[2][:2]

    figure = Figure(figsize=(15, 0.8 + 3 * len(models)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"forecasts (blue) and the piece itself (black); {name}, in standard deviations",
        x=0.01,
        ha="left",
    )
    rows = figure.subplots(len(models), 3, width_ratios=[2, 3, 1.5], squeeze=False)
    for number, ((label, model), (fan, line, plane)) in enumerate(
        zip(models.items(), rows, strict=True)
    ):
        if progress:
            progress(number, len(models), label)
        drawn = _draw(model, before, len(truth), seed)
        _draw_fan(fan, drawn[:, : min(FAN_STEPS, len(truth)), 0], before[:, 0], truth[:, 0])
        fan.set_title(label, loc="left", fontsize=10)
        line.plot(truth[:, 0], color="black", lw=0.7)
        line.plot(drawn[0, :, 0], color="tab:blue", lw=0.7)
        line.set_xlim(0, len(truth))
        plane.plot(*((data - centre) @ axes_of_data.T).T, ".", color="0.8", ms=1, rasterized=True)
        plane.plot(*((drawn[0] - centre) @ axes_of_data.T).T, color="tab:blue", lw=0.5)
        plane.set_aspect("equal")
    for axes, text in zip(
        rows[-1], ("step", "step of one rollout", "held-out data, and the rollout"), strict=True
    ):
        axes.set_xlabel(text)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})


def _draw(model: Forecaster, before: np.ndarray, steps: int, seed: int) -> np.ndarray:
    seeds = torch.from_numpy(np.repeat(before[None], DRAWS, axis=0)).to(model.mean.device)
    return (
        draw_steps(model, seeds, steps, generator=torch.Generator().manual_seed(seed)).cpu().numpy()
    )


def _draw_fan(axes, drawn: np.ndarray, before: np.ndarray, truth: np.ndarray) -> None:
    steps = np.arange(1, drawn.shape[1] + 1)
    for low, high in BANDS:
        axes.fill_between(
            steps, *np.percentile(drawn, (low, high), axis=0), color="tab:blue", alpha=0.2, lw=0
        )
    axes.plot(steps, np.median(drawn, axis=0), color="tab:blue", lw=1)
    past = len(before) // 2
    axes.plot(np.arange(-past + 1, 1), before[-past:], color="black", lw=1)
    axes.plot(steps, truth[: len(steps)], color="black", lw=1)
    axes.axvline(0.5, color="0.6", lw=0.8)
