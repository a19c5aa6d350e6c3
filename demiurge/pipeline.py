"""The chain: seed file → descriptors → closed loop with a forecaster → path → plan → WAV.

Each arrow is one call into a room.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from db.database import Database
from db.include import include_file
from demiurge.continuation import Continuation, continue_seed
from demiurge.domains import ALIKE, Domains, Settled, settle
from demiurge.plans.follow import follow, keep_steps, target_levels
from demiurge.plans.levels import level_column, levels_of, match_levels, mean_level
from demiurge.plans.make import DECIMALS, make_plan, total_cost
from demiurge.plans.settings import PlanSettings
from demiurge.plans.stretching import check_can_stretch, stretched
from demiurge.sequences import DescriptorSequence, describe
from demiurge.voices import describe_target, voice_mosaics
from files.errors import ParameterError
from files.progress import Progress, no_progress
from playback.options import DEFAULT_RENDER, RenderOptions
from playback.plan import Plan
from playback.render import RenderSummary, render
from playback.runs import joined_runs
from query.explain import explain
from query.index import UnitIndex
from query.names import AUTO
from query.path import UnitPath, find_paths
from query.settings import SearchSettings
from query.voices.target import VoiceTarget
from sequencer.sampling import AS_LEARNED, SamplingOptions

OnResult = Callable[["RenderResult"], None]  # called with each variation when it is complete


@dataclass(frozen=True)
class RenderResult:
    """An audio file that was rendered, its plan, and its path.

    `target` is the sequence that was searched for, raw descriptors, (steps, n_descriptors): of a
    continuation, the units that were chosen. A mosaic has no `continuation`, but was `settled`.
    """

    wav: Path
    plan_file: Path
    plan: Plan
    target: np.ndarray
    path: UnitPath
    summary: RenderSummary
    continuation: Continuation | None = None
    settled: Settled | None = None

    @property
    def n_sources(self) -> int:
        return len({step.source for step in self.plan.steps})

    @property
    def n_distinct_units(self) -> int:
        return len({step.unit for step in self.plan.steps})

    @property
    def n_joins(self) -> int:
        """Number of moments where the audio does not simply continue in its source."""
        return len(joined_runs(self.plan.steps))

    @property
    def rest_seconds(self) -> float:
        """Seconds in which nothing is played."""
        return self.plan.rest_samples / self.plan.sample_rate

    @property
    def mean_distance(self) -> float:
        return float(np.mean([step.distance for step in self.plan.steps]))


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
    seconds: float,
    sampling: SamplingOptions = AS_LEARNED,
    search: SearchSettings,
    include_seed: bool = False,
    transpose: int = 0,
    render_options: RenderOptions = DEFAULT_RENDER,
    root: Path | None = None,
    seed_name: str | None = None,
    progress: Progress = no_progress,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Continue the seed with units of the database for `seconds`, and render that to `out`.

    The forecaster hears what is chosen (`query.closed_loop`). Several variations are named by
    `variation_paths`. Plans name the seed by `seed_name`, by default its path. With `include_seed`,
    the seed itself may be played, too; `transpose` is as for `continue_seed`.

    Raises
    ------
    ParameterError
        If a forecast is to be included; and as `demiurge.continuation.continue_seed`.
    PlanError, AudioError
        As `playback.render.render`.
    """
    from sequencer.forecaster import Forecaster
    from sequencer.scorer import ForecasterScorer

    opened = Database(database, root=root)
    forecaster = Forecaster.load(model)
    opened.settings.check_matches(
        forecaster.config.settings, mine=f"the database {opened.path}", theirs=f"the model {model}"
    )
    heard = describe(seed, opened.settings)
    seed_source = None
    if include_seed:
        _check_is_audio(seed)
        opened, seed_source = include_file(opened, seed, heard.descriptors, heard.step_samples)
    continuations = continue_seed(
        heard,
        opened,
        ForecasterScorer(forecaster, sampling),
        seconds=seconds,
        sampling=sampling,
        search=search,
        seed_source=seed_source,
        transpose=transpose,
        progress=progress,
    )
    settings = PlanSettings(
        search=search,
        crossfade=render_options.crossfade,
        seed=seed_name or str(seed),
        model=str(model),
        sampling=sampling,
        include_seed=include_seed or None,
        transpose=transpose or None,
    )
    renderer = _Renderer(opened, settings, render_options, progress, on_result)
    return renderer.render_continuations(continuations, heard, out)


def _check_is_audio(seed: str | Path) -> None:
    if Path(seed).suffix.lower() == ".json":
        raise ParameterError(
            f"{seed}: a forecast has no sound that could be included; give an audio file, or leave"
            " --include-seed out"
        )


def render_mosaic(
    target: str | Path,
    database: str | Path,
    out: Path,
    *,
    search: SearchSettings,
    domains: Domains = ALIKE,
    render_options: RenderOptions = DEFAULT_RENDER,
    root: Path | None = None,
    target_name: str | None = None,
    progress: Progress = no_progress,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Rebuild the target from units of the database, and write it to `out`, equally long.

    A target unlike the corpus is treated as `domains` say. Several variations are named by
    `variation_paths`. Plans name the target by `target_name`, by default its path. Raises as
    `describe`, `query.path.find_paths` and `playback.render.render`.
    """
    opened = Database(database, root=root)
    if search.stretch == AUTO:
        check_can_stretch(opened)
    sequence = describe(target, opened.settings)
    settings = PlanSettings(
        search=search, crossfade=render_options.crossfade, target=target_name or str(target)
    )
    if search.voices.fit_spectra:
        renderer = _Renderer(opened, settings, render_options, progress, on_result)
        return renderer.render_voices(describe_target(target, sequence, opened), sequence, out)
    index = search.index(opened, sequence.step_samples, progress)
    settled = settle(domains, index, sequence, search.path)
    levels = None
    if settled.level == "follow":
        levels = target_levels(target, sequence, opened.settings)
        render_options = replace(render_options, crossfade=keep_steps(render_options.crossfade))
    settings = replace(
        settings,
        search=replace(search, path=settled.path),
        crossfade=render_options.crossfade,
        **settled.recorded,
    )
    renderer = _Renderer(opened, settings, render_options, progress, on_result)
    return renderer.render(index, settled, levels, out)


@dataclass(frozen=True)
class _Renderer:
    """Finds paths for a sequence, makes plans from them, and renders the plans."""

    database: Database
    settings: PlanSettings
    render_options: RenderOptions = DEFAULT_RENDER
    progress: Progress = no_progress
    on_result: OnResult | None = None

    def render(
        self, index: UnitIndex, settled: Settled, levels: np.ndarray | None, out: Path
    ) -> list[RenderResult]:
        """Render every variation of a target, with the level of its steps if `levels` are given."""
        search = self.settings.search
        target = settled.sequence
        stretch = search.stretch == AUTO
        paths = find_paths(
            index,
            target.descriptors,
            search.path,
            step_samples=target.step_samples,
            whole_units=stretch,
            in_time=stretch,
            variations=search.variations,
            progress=self.progress,
        )
        settings = replace(self.settings, units=index.counts, index=index.kind)
        results = []
        for number, wav in enumerate(variation_paths(out, search.variations), start=1):
            path = paths[number - 1]
            plan = make_plan(
                path, explain(index.space, path), self.database, target.descriptors, settings
            )
            if stretch:
                plan = replace(plan, steps=stretched(plan.steps, self.database))
            cost = total_cost(plan.steps, search.path.continuity)
            of_variation = replace(settings, search=replace(search, variations=number), cost=cost)
            if levels is not None:
                plan, wanted = follow(plan, levels, self.database.root)
                of_variation = replace(of_variation, levels=wanted.tolist())
            plan = replace(plan, settings=of_variation.to_dict())
            results.append(self._write(plan, wav, target, path, settled=settled))
        return results

    def render_voices(
        self, target: VoiceTarget, sequence: DescriptorSequence, out: Path
    ) -> list[RenderResult]:
        """Render every variation of a mosaic of voices."""
        mosaics = voice_mosaics(
            self.database, target, sequence, self.settings, progress=self.progress
        )
        wavs = variation_paths(out, self.settings.search.variations)
        return [
            self._write(mosaic.plan, wav, sequence, mosaic.voices[0].path)
            for wav, mosaic in zip(wavs, mosaics, strict=True)
        ]

    def render_continuations(
        self, continuations: list[Continuation], seed: DescriptorSequence, out: Path
    ) -> list[RenderResult]:
        """Render every variation of how a seed goes on."""
        levels = level_column(self.database)
        seed_levels = levels_of(seed.descriptors, self.database.settings)
        target_db = mean_level(seed_levels, seed.step_samples)
        results = []
        for number, wav in enumerate(variation_paths(out, len(continuations)), start=1):
            continuation = continuations[number - 1]
            path = continuation.path
            settings = replace(
                self.settings,
                search=replace(self.settings.search, variations=number),
                whole_units=path.rules.whole_units,
                units=continuation.counts,
                cost=round(path.cost, DECIMALS),
            )
            database = continuation.database
            heard = database.rows_at(path.positions)
            plan = make_plan(
                path,
                explain(continuation.space, path),
                database,
                heard,
                settings,
                placement=continuation.place(),
                gain_db=match_levels(path.positions, database.units, levels, target_db),
            )
            sequence = DescriptorSequence(heard, path.n_samples)
            results.append(self._write(plan, wav, sequence, path, continuation))
        return results

    def _write(
        self,
        plan: Plan,
        wav: Path,
        target: DescriptorSequence,
        path: UnitPath,
        continuation: Continuation | None = None,
        *,
        settled: Settled | None = None,
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
        result = RenderResult(
            wav, plan_path(wav), plan, target.descriptors, path, summary, continuation, settled
        )
        if self.on_result:
            self.on_result(result)
        return result
