"""Continuations of a seed, and methods that make them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio.channels import to_mono
from audio.read import read_audio
from demiurge.evaluate.runs import Run
from files.roots import Roots
from playback.options import DEFAULT_RENDER, RenderOptions
from playback.plan import Plan
from playback.render import render
from playback.runs import join_runs


@dataclass(frozen=True)
class Continuation:
    """What follows a seed: `audio` float32, (n_samples, channels), and the runs it is made of."""

    audio: np.ndarray
    sample_rate: int
    runs: tuple[Run, ...]

    @property
    def mono(self) -> np.ndarray:
        """(n_samples,)"""
        return to_mono(self.audio)


class Method(Protocol):
    """A way to continue a seed."""

    @property
    def name(self) -> str:
        """What people call it; a valid file name."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """All that affects what it makes, for JSON."""
        ...

    def continue_seed(self, seed: Path, seconds: float, random_seed: int) -> Continuation:
        """Continue an audio file for exactly `seconds`."""
        ...


def render_plan(
    plan: Plan, roots: Roots, seconds: float, render_options: RenderOptions = DEFAULT_RENDER
) -> Continuation:
    """Render a plan; raises as `playback.render.render`."""
    with tempfile.TemporaryDirectory(prefix="demiurge-") as folder:
        path = Path(folder) / "plan.wav"
        render(plan, path, root=roots, render_options=render_options)
        return read_continuation(path, plan, seconds)


def read_continuation(path: Path, plan: Plan, seconds: float) -> Continuation:
    """Read the render of a plan; it is cut, or silence is added, to last exactly `seconds`."""
    audio = read_audio(path)
    samples = fit_length(audio.samples, round(seconds * audio.sample_rate))
    return Continuation(samples, audio.sample_rate, cut_runs(plan_runs(plan), seconds))


def plan_runs(plan: Plan) -> list[Run]:
    """Return what a plan plays."""
    rate = plan.sample_rate
    return [
        Run(
            run.step.source,
            run.step.start_sample / rate,
            run.step.n_samples / rate,
            run.step.stretch,
        )
        for run in join_runs(plan.steps)
    ]


def cut_runs(runs: Sequence[Run], seconds: float) -> tuple[Run, ...]:
    """Return the runs that are played within `seconds`, the last one cut."""
    kept = []
    left = seconds
    for run in runs:
        if left <= 0:
            break
        kept.append(Run(run.source, run.start, min(run.seconds, left), run.stretch))
        left -= run.seconds
    return tuple(kept)


def fit_length(samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut audio (n, channels), or add silence, to `n_samples`."""
    missing = max(n_samples - len(samples), 0)
    return np.pad(samples[:n_samples], ((0, missing), (0, 0)))
