"""A picture of forecasts of a validation source.

It shows fans of forecasts over the truth, and rollouts beside the data.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from db.descriptors.derived import static_columns
from files.atomic import replacing
from files.progress import Progress, no_progress
from sequencer.evaluation_data import (
    DEFAULTS,
    EvaluationData,
    EvaluationSettings,
    collect_data,
)
from sequencer.forecaster import Forecaster
from sequencer.rollout import sample_forecast
from sequencer.split import NamedSequences

FAN_STEPS = 128
ROLLOUT_STEPS = 1024
N_SAMPLES = 32
BANDS = ((5, 95), (25, 75))  # percentiles
LABELS = ("step", "step of one rollout", "validation data, and the rollout")


def save_evaluation_picture(
    models: dict[str, Forecaster],
    sequences: NamedSequences,
    path: Path,
    *,
    settings: EvaluationSettings = DEFAULTS,
    n_samples: int = N_SAMPLES,
    random_seed: int = 0,
    progress: Progress = no_progress,
) -> None:
    """Plot a row for each model; forecasts are blue, the source itself is black.

    Each row has three panels: a fan of forecasts of the first descriptor, from one moment of the
    longest validation source; one rollout over time; the plane of the data's first two principal
    axes.
    """
    scene = _Scene.of(collect_data(models, sequences, settings))
    descriptors = next(iter(models.values())).config.settings
    first = descriptors.names[static_columns(descriptors)[0]]
    figure, rows = _new_figure(len(models), first)
    for number, (label, model) in enumerate(models.items()):
        progress(number, len(models), label)
        seeds = np.repeat(scene.before[None], n_samples, axis=0)
        sampled = _sample(model, seeds, len(scene.truth), random_seed)
        fan, line, plane = rows[number]
        fan.set_title(label, loc="left", fontsize=10)
        scene.draw_fan(fan, sampled[:, :, 0])
        scene.draw_line(line, sampled[0, :, 0])
        scene.draw_plane(plane, sampled[0])
    for axes, text in zip(rows[-1], LABELS, strict=True):
        axes.set_xlabel(text)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})


def _new_figure(n_rows: int, descriptor: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(15, 0.8 + 3 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    title = f"forecasts (blue) and the source itself (black); {descriptor}, in standard deviations"
    figure.suptitle(title, x=0.01, ha="left")
    return figure, figure.subplots(n_rows, 3, width_ratios=[2, 3, 1.5], squeeze=False)


@dataclass(frozen=True)
class _Scene:
    """A moment of the longest validation source, and all validation data; z-scored."""

    before: np.ndarray  # (n_seed, n)
    truth: np.ndarray  # (steps, n)
    data: np.ndarray  # (all steps, n)

    @classmethod
    def of(cls, data: EvaluationData) -> "_Scene":
        longest = max(data.validation, key=len)
        start = max(min(len(longest) // 4, len(longest) - FAN_STEPS - data.n_seed), 0)
        moment = start + data.n_seed
        return cls(
            before=longest[start:moment],
            truth=longest[moment:][:ROLLOUT_STEPS],
            data=np.concatenate(data.validation),
        )

    def draw_fan(self, axes, sampled: np.ndarray) -> None:
        """Plot percentiles of forecasts (samples, steps) over the truth."""
        sampled = sampled[:, : min(FAN_STEPS, len(self.truth))]
        steps = np.arange(1, sampled.shape[1] + 1)
        for low, high in BANDS:
            band = np.percentile(sampled, (low, high), axis=0)
            axes.fill_between(steps, *band, color="tab:blue", alpha=0.2, lw=0)
        axes.plot(steps, np.median(sampled, axis=0), color="tab:blue", lw=1)
        past = len(self.before) // 2
        axes.plot(np.arange(-past + 1, 1), self.before[-past:, 0], color="black", lw=1)
        axes.plot(steps, self.truth[: len(steps), 0], color="black", lw=1)
        axes.axvline(0.5, color="0.6", lw=0.8)

    def draw_line(self, axes, rollout: np.ndarray) -> None:
        """Plot one rollout (steps,) over the truth."""
        axes.plot(self.truth[:, 0], color="black", lw=0.7)
        axes.plot(rollout, color="tab:blue", lw=0.7)
        axes.set_xlim(0, len(self.truth))

    def draw_plane(self, axes, rollout: np.ndarray) -> None:
        """Plot a rollout (steps, n) in the plane of the data's principal axes."""
        centre = self.data.mean(axis=0)
        principal = np.linalg.svd(self.data - centre, full_matrices=False)[2][:2]

        def project(rows: np.ndarray) -> Iterator[np.ndarray]:
            return iter(((rows - centre) @ principal.T).T)

        axes.plot(*project(self.data), ".", color="0.8", ms=1, rasterized=True)
        axes.plot(*project(rollout), color="tab:blue", lw=0.5)
        axes.set_aspect("equal")


def _sample(model: Forecaster, seeds: np.ndarray, n_steps: int, random_seed: int) -> np.ndarray:
    """Return a forecast after each seed, shape (seeds, n_steps, n)."""
    generator = torch.Generator().manual_seed(random_seed)
    scores = torch.from_numpy(seeds).to(model.mean.device)
    return sample_forecast(model, scores, n_steps, generator=generator).cpu().numpy()
