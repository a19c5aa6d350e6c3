"""The chain of demiurge infill: plan → tokens → masked model → path → plans, and their audio."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from db.database import Database
from demiurge.plans.infill import check_can_infill, infill_plan, kept_of_plan, recorded
from demiurge.plans.settings import PlanSettings
from demiurge.reopen import as_database
from demiurge.results import plan_path, variation_paths
from files.progress import Progress, no_progress
from files.roots import Folder
from playback.options import CrossfadeOptions, RenderOptions
from playback.plan import Plan
from playback.render import RenderSummary, render
from sequencer.infill import InfillOptions
from sequencer.masked import MaskedModel
from sequencer.prompts import Prompt
from training.threads import torch_threads

PLAN_SUFFIX = ".plan.json"


@dataclass(frozen=True)
class InfillResult:
    """A plan of which some units were chosen again.

    Attributes
    ----------
    plan_file : Path
    plan : Plan
    n_kept : int
        Steps that stay as they are.
    n_changed : int
        Steps that play another unit.
    wav : Path, optional
    summary : RenderSummary, optional
        Of the audio, if it was rendered.
    """

    plan_file: Path
    plan: Plan
    n_kept: int
    n_changed: int
    wav: Path | None = None
    summary: RenderSummary | None = None


def infill_file(
    plan_file: str | Path,
    database: str | Path | Database,
    model: str | Path,
    outputs: Sequence[Path],
    *,
    prompts: Sequence[Prompt],
    options: InfillOptions,
    root: Folder | None = None,
    progress: Progress = no_progress,
) -> list[InfillResult]:
    """Fill in a plan file, once for each output: OUT.plan.json, or audio with its plan beside it.

    Raises
    ------
    PlanError, ParameterError, DatabaseError
        As `demiurge.plans.infill.infill_plan` and `playback.render.render`.
    CheckpointError
        If the model cannot be loaded.
    """
    plan = Plan.load(plan_file)
    opened = as_database(database, root)
    masked = MaskedModel.load(model)
    check_can_infill(plan, opened, masked)
    random_seed = options.sampling.random_seed
    kept = kept_of_plan(plan, opened, prompts, masked.levels, random_seed=random_seed)
    lengths = np.array([step.n_samples for step in plan.steps])
    index = PlanSettings.of(plan).search.index(opened, lengths, progress)
    generator = torch.Generator().manual_seed(random_seed)
    results = []
    for out in outputs:
        with torch_threads(1):
            made = infill_plan(plan, index, masked, kept, options, generator=generator)
        made = recorded(made, str(model), prompts, options)
        n_changed = _count_changed(plan, made)
        results.append(_write(made, out, opened, int(kept.steps.sum()), n_changed, progress))
    return results


def _count_changed(before: Plan, after: Plan) -> int:
    """Return how many steps play something else than was played at their time."""
    played = {(step.at_sample, step.source, step.start_sample) for step in before.steps}
    return sum((s.at_sample, s.source, s.start_sample) not in played for s in after.steps)


def _write(
    plan: Plan, out: Path, database: Database, n_kept: int, n_changed: int, progress: Progress
) -> InfillResult:
    """Write a plan, and its audio unless `out` is a plan."""
    if is_plan(out):
        plan.save(out)
        return InfillResult(out, plan, n_kept, n_changed)
    options = RenderOptions(CrossfadeOptions.of(plan.settings))
    summary = render(plan, out, root=database.roots, render_options=options, progress=progress)
    plan.save(plan_path(out))
    return InfillResult(plan_path(out), plan, n_kept, n_changed, out, summary)


def output_paths(out: Path, variations: int) -> list[Path]:
    """Return OUT, or OUT-1, OUT-2, … with its suffix, of a plan or of audio."""
    if not is_plan(out) or variations == 1:
        return variation_paths(out, variations)
    name = out.name[: -len(PLAN_SUFFIX)]
    return [out.with_name(f"{name}-{n}{PLAN_SUFFIX}") for n in range(1, variations + 1)]


def is_plan(path: Path) -> bool:
    """Return whether a path is named like a plan."""
    return path.name.lower().endswith(PLAN_SUFFIX)
