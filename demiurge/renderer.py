"""From what was chosen to files: paths, plans and audio of every variation."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from db.database import Database
from demiurge.continuation import Continuation
from demiurge.domains import Settled
from demiurge.plans.continued import plan_of_continuation
from demiurge.plans.follow import follow
from demiurge.plans.levels import levels_of, mean_level
from demiurge.plans.make import DECIMALS, make_plan, total_cost
from demiurge.plans.settings import PlanSettings
from demiurge.plans.stretching import stretch_plan
from demiurge.results import RenderResult, plan_path, variation_paths
from demiurge.sequences import DescriptorSequence
from demiurge.voices import voice_mosaics
from files.progress import Progress, no_progress
from playback.options import DEFAULT_RENDER, RenderOptions
from playback.plan import Plan
from playback.render import render
from query.explain import explain
from query.index import UnitIndex
from query.names import AUTO
from query.path import UnitPath, find_paths
from query.voices.target import VoiceTarget

OnResult = Callable[[RenderResult], None]  # called with each variation when it is complete


@dataclass(frozen=True)
class Renderer:
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
            whole_units=self.settings.whole_units or stretch,
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
                plan = stretch_plan(plan, self.database)
            cost = total_cost(plan.steps, search.path.continuity)
            of_variation = replace(settings, search=replace(search, variations=number), cost=cost)
            if levels is not None:
                plan, wanted = follow(plan, levels, self.database.roots)
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
                cost=round(math.fsum(voice.cost for voice in continuation.voices), DECIMALS),
            )
            plan = plan_of_continuation(continuation, settings, target_db)
            heard = continuation.database.rows_at(path.positions)
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
            root=self.database.roots,
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
