"""The chain: seed file → descriptors → forecast → path → plan → WAV.

Each arrow is one call into a room.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from db.database import Database
from db.units import step_lengths
from demiurge.plans.make import make_plan, total_cost
from demiurge.plans.settings import PlanSettings
from demiurge.sequences import DescriptorSequence, describe, forecast
from files.progress import Progress, no_progress
from playback.options import DEFAULT_RENDER, RenderOptions
from playback.plan import Plan
from playback.render import RenderSummary, render
from playback.runs import join_runs
from query.explain import explain
from query.path import UnitPath, find_paths
from query.rules import REST
from query.settings import SearchSettings
from sequencer.sampling import AS_LEARNED, SamplingOptions

SPARE_FORECAST = 2  # times the length asked for: units may be shorter than their targets

OnResult = Callable[["RenderResult"], None]  # called with each variation when it is complete


@dataclass(frozen=True)
class RenderResult:
    """An audio file that was rendered, its plan, and its path.

    `target` is the sequence that was searched for, raw descriptors, (steps, n_descriptors).
    """

    wav: Path
    plan_file: Path
    plan: Plan
    target: np.ndarray
    path: UnitPath
    summary: RenderSummary

    @property
    def n_sources(self) -> int:
        return len({step.source for step in self.plan.steps})

    @property
    def n_distinct_units(self) -> int:
        return len({step.unit for step in self.plan.steps})

    @property
    def n_joins(self) -> int:
        """Number of moments where the audio does not simply continue in its source."""
        return len(join_runs(self.plan.steps)) - 1

    @property
    def rest_seconds(self) -> float:
        """Seconds in which nothing is played."""
        played = sum(step.n_samples for step in self.plan.steps)
        return (self.plan.n_samples - played) / self.plan.sample_rate

    @property
    def mean_distance(self) -> float:
        return float(self.path.distances[self.path.positions != REST].mean())


def plan_path(wav: Path) -> Path:
    """Return OUT.plan.json for OUT.wav, .flac or .ogg."""
    return wav.with_suffix(".plan.json")


def variation_paths(out: Path, variations: int) -> list[Path]:
    """Return OUT.wav, or OUT-1.wav, OUT-2.wav, … if there are several."""
    if variations == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, variations + 1)]


def render_continuation(
    seed: str | Path,
    database: str | Path,
    model: str | Path,
    out: Path,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    sampling: SamplingOptions = AS_LEARNED,
    search: SearchSettings,
    render_options: RenderOptions = DEFAULT_RENDER,
    root: Path | None = None,
    seed_name: str | None = None,
    progress: Progress = no_progress,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Forecast how the seed goes on, and render the forecast with units of the database to `out`.

    With units of one length, the result has `steps` units. Onset and beat units vary in length, so
    as many are played as begin within `seconds`. Units are played whole. Several variations are
    different paths for the same forecast, named by `variation_paths`. Plans name the seed by
    `seed_name`, by default its path. Raises as `forecast`, `query.path.find_paths` and
    `playback.render.render`.
    """
    opened = Database(database, root=root)
    whole_units = opened.settings.units_vary
    spare = SPARE_FORECAST if whole_units else 1
    (of_seed,), _ = forecast(
        [seed],
        model,
        steps=steps,
        seconds=seconds and seconds * spare,
        sampling=sampling,
        database=opened,
        progress=progress,
    )
    target = DescriptorSequence(of_seed[0], step_lengths(of_seed[0], opened.settings))
    settings = PlanSettings(
        search=search,
        crossfade=render_options.crossfade,
        whole_units=whole_units,
        seed=seed_name or str(seed),
        model=str(model),
        sampling=sampling,
    )
    renderer = _Renderer(opened, settings, render_options, progress, on_result)
    return renderer.render(target, out, seconds=seconds if whole_units else None)


def render_mosaic(
    target: str | Path,
    database: str | Path,
    out: Path,
    *,
    search: SearchSettings,
    render_options: RenderOptions = DEFAULT_RENDER,
    root: Path | None = None,
    target_name: str | None = None,
    progress: Progress = no_progress,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Rebuild the target from units of the database, and write it to `out`, equally long.

    Several variations are named by `variation_paths`. Plans name the target by `target_name`, by
    default its path. Raises as `describe`, `query.path.find_paths` and `playback.render.render`.
    """
    opened = Database(database, root=root)
    settings = PlanSettings(
        search=search, crossfade=render_options.crossfade, target=target_name or str(target)
    )
    renderer = _Renderer(opened, settings, render_options, progress, on_result)
    return renderer.render(describe(target, opened.settings), out)


@dataclass(frozen=True)
class _Renderer:
    """Finds paths for a sequence, makes plans from them, and renders the plans."""

    database: Database
    settings: PlanSettings
    render_options: RenderOptions = DEFAULT_RENDER
    progress: Progress = no_progress
    on_result: OnResult | None = None

    def render(
        self, target: DescriptorSequence, out: Path, *, seconds: float | None = None
    ) -> list[RenderResult]:
        """Render every variation; only what begins within `seconds` is played."""
        search = self.settings.search
        index = search.index(self.database, target.step_samples, self.progress)
        paths = find_paths(
            index,
            target.descriptors,
            search.path,
            step_samples=target.step_samples,
            whole_units=self.settings.whole_units,
            variations=search.variations,
            progress=self.progress,
        )
        settings = replace(self.settings, units=index.counts, index=index.kind)
        results = []
        for number, wav in enumerate(variation_paths(out, search.variations), start=1):
            path = paths[number - 1]
            if seconds is not None:
                path = _cut_path(path, seconds * self.database.sample_rate)
            plan = make_plan(
                path, explain(index.space, path), self.database, target.descriptors, settings
            )
            cost = total_cost(plan.steps, search.path.continuity)
            of_variation = replace(settings, search=replace(search, variations=number), cost=cost)
            plan = replace(plan, settings=of_variation.to_dict())
            results.append(self._write(plan, wav, target, path))
        return results

    def _write(
        self, plan: Plan, wav: Path, target: DescriptorSequence, path: UnitPath
    ) -> RenderResult:
        """Write a plan and its audio."""
        summary = render(
            plan,
            wav,
            root=self.database.root,
            render_options=self.render_options,
            progress=self.progress,
        )
        plan.save(plan_path(wav))
        result = RenderResult(wav, plan_path(wav), plan, target.descriptors, path, summary)
        if self.on_result:
            self.on_result(result)
        return result


def _cut_path(path: UnitPath, n_samples: float) -> UnitPath:
    """Return the part of a path whose units begin within `n_samples` samples."""
    begins = np.cumsum(path.n_samples) - path.n_samples
    n = int(np.searchsorted(begins, n_samples))
    columns = ("positions", "steps", "n_samples", "distances", "joins")
    return replace(path, **{name: getattr(path, name)[:n] for name in columns})
