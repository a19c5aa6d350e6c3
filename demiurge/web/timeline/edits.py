"""What a page asks to be changed of a plan, checked, as a function of the plan; and its words for
people.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from demiurge.plans.edit import (
    MOST_TIMES,
    lock_steps,
    refresh_costs,
    remove_steps,
    repeat_step,
    replace_unit,
    reselect,
)
from demiurge.plans.locate import belongs, check_database
from demiurge.web.values import check_keys, take_integer, take_integers, take_number, take_switch
from demiurge.web.workspace import Workspace
from files.errors import ParameterError
from playback.plan import Plan
from query.settings import SearchSettings

MOST_NUMBER = 1 << 53  # what JavaScript can count to
KNOBS = {
    "continuity": 1e6,
    "novelty": 1e6,
    "min_reuse": 1e6,
    "temperature": 1e6,
}  # and the most they can be

Edit = Callable[[Plan], Plan]


def parse_edit(edit: Any, workspace: Workspace) -> tuple[Edit, str]:
    """What an edit does to a plan, and how it is called.

    Raises
    ------
    ParameterError
        If it is none; what is wrong with it for a certain plan shows when it is done.
    """
    kind = edit.get("kind") if isinstance(edit, dict) else None
    if not isinstance(kind, str) or kind not in EDITS:
        raise ParameterError(
            f"an edit must be an object whose kind is one of {', '.join(EDITS)}, undo and redo"
        )
    parse, names = EDITS[kind]
    check_keys(f"edit {kind}", edit, ("kind", *names))
    return parse(edit, workspace)


def _choose(edit: dict[str, Any], workspace: Workspace) -> tuple[Edit, str]:
    step, unit = (take_integer(edit, name, 0, MOST_NUMBER) for name in ("step", "unit"))
    return lambda plan: replace_unit(plan, step, unit, workspace.database), "another unit"


def _repeat(edit: dict[str, Any], workspace: Workspace) -> tuple[Edit, str]:
    step = take_integer(edit, "step", 0, MOST_NUMBER)
    times = take_integer(edit, "times", 1, MOST_TIMES)

    def repeated(plan: Plan) -> Plan:
        return _refreshed(
            repeat_step(plan, step, times), range(step + 1, step + times + 1), workspace
        )

    return repeated, "a step repeated"


def _remove(edit: dict[str, Any], workspace: Workspace) -> tuple[Edit, str]:
    steps = sorted(set(take_integers(edit, "steps", 0, MOST_NUMBER)))

    def removed(plan: Plan) -> Plan:
        behind = [
            number - before for before, number in enumerate(steps)
        ]  # what follows each has its number less those gone
        return _refreshed(remove_steps(plan, steps), behind, workspace)

    return removed, f"{_steps(steps)} removed"


def _lock(edit: dict[str, Any], workspace: Workspace) -> tuple[Edit, str]:
    steps = take_integers(edit, "steps", 0, MOST_NUMBER)
    locked = take_switch(edit, "locked")
    return (
        lambda plan: lock_steps(plan, steps, locked),
        f"{_steps(steps)} {'locked' if locked else 'unlocked'}",
    )


def _reselect(edit: dict[str, Any], workspace: Workspace) -> tuple[Edit, str]:
    given: dict[str, Any] = {
        name: take_number(edit, name, 0, most) for name, most in KNOBS.items() if name in edit
    }
    if "seed" in edit:
        given["seed"] = take_integer(edit, "seed", 0, MOST_NUMBER)

    def reselected(plan: Plan) -> Plan:
        check_database(plan, workspace.database)
        search = SearchSettings.from_settings(plan.settings)
        return reselect(plan, workspace.index(search), replace(search.path, **given))

    return reselected, "the rest chosen again"


EDITS: dict[
    str, tuple[Callable[[dict[str, Any], Workspace], tuple[Edit, str]], tuple[str, ...]]
] = {
    "choose": (_choose, ("step", "unit")),
    "repeat": (_repeat, ("step", "times")),
    "remove": (_remove, ("steps",)),
    "lock": (_lock, ("steps", "locked")),
    "reselect": (_reselect, (*KNOBS, "seed")),
}


def _refreshed(plan: Plan, numbers: Iterable[int], workspace: Workspace) -> Plan:
    """The plan with the costs of steps that have another step before them now; of another database
    they stay unknown.
    """
    if not belongs(plan, workspace.database):
        return plan
    return refresh_costs(
        plan, sorted({number for number in numbers if number < len(plan.steps)}), workspace.database
    )


def _steps(steps: list[int]) -> str:
    return "a step" if len(steps) == 1 else f"{len(steps)} steps"
