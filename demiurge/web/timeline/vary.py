"""The edit that keeps some steps and varies the rest, by a masked model if there is one."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from demiurge.plans.costs import check_numbers
from demiurge.plans.edit import lock_steps
from demiurge.plans.locate import check_database
from demiurge.plans.reselect import reselect
from demiurge.plans.reselect_voices import reselect_voices
from demiurge.plans.settings import PlanSettings, fits_spectra
from demiurge.web.make.models import find_masked
from demiurge.web.values import MOST_NUMBER, take_integer, take_integers
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from playback.plan import Plan
from playback.steps import NO_UNIT, Step

VARIED_TEMPERATURE = 0.3  # without a model; changes four steps of five, and fits nearly as well


@dataclass(frozen=True)
class VaryRest:
    """Keep some steps, and what is locked, and choose the rest again."""

    steps: tuple[int, ...]
    random_seed: int
    label = "the rest varied"

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        steps = document.get("steps")
        kept = take_integers(document, "steps", 0, MOST_NUMBER) if steps != [] else []
        return cls(tuple(kept), take_integer(document, "random_seed", 0, MOST_NUMBER))

    def apply(self, plan: Plan, workspace: Workspace) -> Plan:
        check_database(plan, workspace.database)
        kept = set(check_numbers(plan, self.steps))
        kept |= {number for number, step in enumerate(plan.steps) if step.locked}
        _check_kept(plan, kept)
        model = None if fits_spectra(plan) or plan.n_voices > 1 else masked_model(workspace)
        if model:
            return _fill(plan, workspace, kept, model, self.random_seed)
        return _choose_again(plan, workspace, kept, self.random_seed)


def masked_model(workspace: Workspace) -> Path | None:
    """Return the folder of the masked model that the page fills plans with; None if none fits."""
    found = find_masked(workspace.model_paths, workspace.database)
    return found[0].path if found else None


def _check_kept(plan: Plan, kept: Collection[int]) -> None:
    if not kept:
        raise ParameterError(
            "no step is selected or locked, so that all would change; select what is to stay, or"
            " choose again"
        )
    free = set(range(len(plan.steps))) - set(kept)
    if all(plan.steps[number].unit == NO_UNIT for number in free):
        raise ParameterError("all steps are selected or locked; leave some that may change")


def _fill(
    plan: Plan, workspace: Workspace, kept: Collection[int], folder: Path, random_seed: int
) -> Plan:
    """Let a masked model say what it wants at the steps that are not kept."""
    import torch

    from demiurge.plans.infill import infill_plan, kept_of_plan
    from sequencer.infill import InfillOptions
    from sequencer.masked import MaskedModel
    from sequencer.prompts import kept_steps
    from training.threads import torch_threads

    model = MaskedModel.load(folder)
    prompt = kept_steps("the selected and locked steps", kept)
    of_plan = kept_of_plan(plan, workspace.database, [prompt], model.levels)
    index = workspace.index(PlanSettings.of(plan).search)
    generator = torch.Generator().manual_seed(random_seed)
    with torch_threads(1):
        return infill_plan(plan, index, model, of_plan, InfillOptions(), generator=generator)


def _choose_again(
    plan: Plan, workspace: Workspace, kept: Collection[int], random_seed: int
) -> Plan:
    """Choose the steps that are not kept again, with other random numbers."""
    search = PlanSettings.of(plan).search
    temperature = search.path.temperature or VARIED_TEMPERATURE
    options = replace(search.path, temperature=temperature, random_seed=random_seed)
    locked = lock_steps(plan, kept, True)
    if units := workspace.voice_units(plan):
        chosen = reselect_voices(locked, units, options)
    else:
        chosen = reselect(locked, workspace.index(search), options)
    were_locked = {_place(step) for step in plan.steps if step.locked}
    steps = [replace(step, locked=_place(step) in were_locked) for step in chosen.steps]
    return replace(chosen, steps=tuple(steps))


def _place(step: Step) -> tuple[int, int]:
    return step.voice, step.at_sample
