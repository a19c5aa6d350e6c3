"""Keep some steps of a plan, and choose the units of the others again by a masked model.

units      a   b   c   d   e   f          the descriptors of what is played, as tokens
kept       a   ▢   ▢   ▢   e   f          tokens of free steps are masked
model      a   B   C   D   e   f          and filled in: they become the steps' targets
search     a   u   v   w   e   f          units near the targets, that also join well
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from audio.onsets import find_onsets
from db.database import Database
from db.descriptors.derived import complete, static_columns
from demiurge.plans.costs import refresh_costs, with_steps
from demiurge.plans.locate import check_database, positions_of
from demiurge.plans.reselect import check_targets, reselect, why_never_again
from demiurge.plans.settings import PlanSettings, fits_spectra
from files.errors import ParameterError, PlanError
from files.progress import Progress, no_progress
from playback.open_plan import open_plan
from playback.options import CrossfadeOptions
from playback.plan import Plan, Step
from playback.plan_audio import PlanAudio
from playback.steps import NO_TARGET, NO_UNIT
from playback.targets import Targets
from query.index import UnitIndex
from query.rules import REST
from sequencer.infill import InfillOptions, fill_tokens
from sequencer.masked import MaskedModel
from sequencer.prompts import Prompt, StepTimes, keep_mask


@dataclass(frozen=True)
class Kept:
    """What is kept of a plan.

    Attributes
    ----------
    tokens : ndarray, bool, shape (steps, levels)
    steps : ndarray, bool, shape (steps,)
        Steps that stay exactly as they are: those with all their tokens, and locked ones.
    """

    tokens: np.ndarray
    steps: np.ndarray


def kept_of_plan(
    plan: Plan, database: Database, prompts: Sequence[Prompt], levels: int, *, random_seed: int = 0
) -> Kept:
    """Return what prompts keep of a plan, and what stays in any case.

    Locked steps stay, and those that play no unit of the database.

    Raises
    ------
    ParameterError
        If nothing would be kept, or nothing filled in; and as `keep_mask`.
    PlanError
        If the plan is of another database; or cannot be played, and a prompt asks for its onsets.
    """
    check_database(plan, database)
    rate = plan.sample_rate
    times = StepTimes(
        np.array([step.at_sample for step in plan.steps]) / rate,
        np.array([step.until_sample for step in plan.steps]) / rate,
        lambda: _find_onsets(plan, database),
        np.array([step.locked for step in plan.steps]),
    )
    tokens = keep_mask(prompts, times, levels, np.random.default_rng(random_seed))
    names = ", ".join(prompt.text for prompt in prompts)
    if not tokens.any():
        raise ParameterError(f"{names}: none of the {len(times)} steps is kept; keep more of them")
    stays = np.array([step.locked or step.unit == NO_UNIT for step in plan.steps])
    stays |= positions_of(plan.steps, database) == REST
    steps = tokens.all(axis=1) | stays
    if steps.all():
        raise ParameterError(
            f"{names}: all {len(times)} steps stay as they are, so that none is chosen again; keep"
            " fewer, or unlock some"
        )
    return Kept(tokens | stays[:, None], steps)


def infill_plan(
    plan: Plan,
    index: UnitIndex,
    model: MaskedModel,
    kept: Kept,
    options: InfillOptions,
    *,
    generator: torch.Generator,
    progress: Progress = no_progress,
) -> Plan:
    """Return the plan with other units at the steps that are not kept.

    Steps keep their places and lengths. Of a kept step only the join cost changes, where another
    unit precedes it.

    Parameters
    ----------
    generator : torch.Generator
        On the CPU, for the tokens.

    Raises
    ------
    PlanError, ParameterError, DatabaseError
        As `check_can_infill` and `demiurge.plans.reselect.reselect`.
    """
    database = index.database
    check_can_infill(plan, database, model)
    wanted = _fill(plan, database, model, kept, options, generator, progress)
    asked = _with_targets(plan, wanted, ~kept.steps)
    locked = [
        replace(step, locked=step.locked or bool(kept.steps[number]))
        for number, step in enumerate(asked.steps)
    ]
    path = PlanSettings.of(plan).search.path
    chosen = reselect(replace(asked, steps=tuple(locked)), index, path)
    return _restore_kept(plan, chosen, kept.steps, database)


def check_can_infill(plan: Plan, database: Database, model: MaskedModel) -> None:
    """Check that a model can fill in a plan.

    Raises
    ------
    PlanError
        If the plan has several voices, or its targets are missing or of other descriptors, or it is
        of another database.
    DatabaseError
        If the model has other descriptor settings than the database.
    """
    check_database(plan, database)
    database.settings.check_matches(
        model.config.settings, mine=f"the database {database.path}", theirs="the masked model"
    )
    if fits_spectra(plan) or plan.n_voices > 1:
        raise PlanError(
            "the plan's voices were chosen together, and a masked model knows one voice only; make"
            " a plan of one voice, or choose again in demiurge browse"
        )
    if reason := why_never_again(plan):
        raise PlanError(reason)
    if plan.targets:
        check_targets(plan.targets, database)


def recorded(plan: Plan, model: str, prompts: Sequence[Prompt], options: InfillOptions) -> Plan:
    """Return the plan with the infill in its settings, for people to read."""
    settings = PlanSettings.of(plan)
    facts = {
        "model": model,
        "keep": [prompt.text for prompt in prompts],
        **asdict(options.sampling),
        "passes": options.passes,
        "mask_temperature": options.mask_temperature,
    }
    settings = replace(settings, other={**settings.other, "infill": facts})
    return replace(plan, settings=settings.to_dict())


def _fill(
    plan: Plan,
    database: Database,
    model: MaskedModel,
    kept: Kept,
    options: InfillOptions,
    generator: torch.Generator,
    progress: Progress,
) -> np.ndarray:
    """Return the descriptors that the model wants at each step, raw, (steps, n_descriptors)."""
    settings = database.settings
    static = _played(plan, database)[:, static_columns(settings)]
    scores = model.normalise(torch.from_numpy(np.ascontiguousarray(static)))
    codes = model.head.quantiser.quantise(scores)
    keep = torch.from_numpy(kept.tokens)
    filled = fill_tokens(model, codes, keep, options, generator=generator, progress=progress)
    restored = model.head.quantiser.restore(filled).clamp(model.low, model.high)
    is_free = torch.from_numpy(~kept.steps)[:, None]
    known = torch.where(is_free, model.denormalise(restored), torch.from_numpy(static))
    return complete(known.detach().numpy(), settings)


def _played(plan: Plan, database: Database) -> np.ndarray:
    """Return the descriptors of what each step plays, raw, (steps, n_descriptors).

    They are those of the unit, else of the target, else the mean of the database.
    """
    positions = positions_of(plan.steps, database)
    rows = np.tile(database.normaliser.mean.astype(np.float32), (len(plan.steps), 1))
    for number, step in enumerate(plan.steps):
        if plan.targets and step.target != NO_TARGET:
            rows[number] = plan.targets.rows[step.target]
    known = positions != REST
    rows[known] = database.rows_at(positions[known])
    return rows


def _with_targets(plan: Plan, wanted: np.ndarray, free: np.ndarray) -> Plan:
    """Return the plan with other targets at its free steps.

    A target that other steps have as well stays, and the step gets one of its own.
    """
    rows = list(plan.targets.rows) if plan.targets else []
    uses = Counter(step.target for step in plan.steps)
    steps = list(plan.steps)
    for number in np.flatnonzero(free).tolist():
        target = steps[number].target
        if target != NO_TARGET and uses[target] == 1:
            rows[target] = wanted[number]
        else:
            steps[number] = replace(steps[number], target=len(rows))
            rows.append(wanted[number])
    return replace(plan, steps=tuple(steps), targets=Targets.of(np.stack(rows)))


def _restore_kept(before: Plan, chosen: Plan, kept: np.ndarray, database: Database) -> Plan:
    """Return the chosen plan with the kept steps as they were, but for their join costs."""
    at = {step.at_sample: number for number, step in enumerate(before.steps)}
    steps: list[Step] = []
    behind_free: list[int] = []  # kept steps behind a step that was chosen again
    for number, step in enumerate(chosen.steps):
        old = at.get(step.at_sample)
        if old is None or not kept[old]:
            steps.append(step)
            continue
        steps.append(before.steps[old])
        if old and not kept[old - 1]:
            behind_free.append(number)
    restored = with_steps(chosen, tuple(steps))
    return refresh_costs(restored, behind_free, database)


def _find_onsets(plan: Plan, database: Database) -> np.ndarray:
    """Return the times of onsets in the sound of a plan, in seconds."""
    crossfade = CrossfadeOptions.of(plan.settings)
    with open_plan(plan, database.roots, outside=True) as opened:
        whole = np.concatenate(list(PlanAudio(opened, crossfade).blocks("onsets")))
    return find_onsets(whole.mean(axis=1), plan.sample_rate)
