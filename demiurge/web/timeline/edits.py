"""Edits requested by a page, a dataclass for each kind; reading them from JSON checks them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol, Self

from demiurge.plans.costs import refresh_costs
from demiurge.plans.edit import (
    MOST_TIMES,
    lock_steps,
    remove_steps,
    repeat_step,
    replace_unit,
)
from demiurge.plans.locate import belongs, check_database
from demiurge.plans.reselect import reselect
from demiurge.plans.reselect_voices import reselect_voices
from demiurge.plans.settings import PlanSettings
from demiurge.web.timeline.vary import VaryRest
from demiurge.web.values import (
    MOST_NUMBER,
    check_keys,
    take_integer,
    take_integers,
    take_number,
    take_switch,
    take_unit,
)
from demiurge.web.workspace import Workspace
from files.errors import DemiurgeError, ParameterError
from playback.plan import Plan
from playback.transform import MAX_TRANSPOSE

MOST_OPTION = 1e6


class Edit(Protocol):
    """A requested change of a plan; its fields are the keys of the JSON object."""

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Check an edit; raise a ParameterError if a value is wrong."""
        ...

    @property
    def label(self) -> str:
        """A description of the edit for the user."""
        ...

    def apply(self, plan: Plan, workspace: Workspace) -> Plan:
        """Return the edited plan; raise a `DemiurgeError` if this edit is not possible."""
        ...


@dataclass(frozen=True)
class ChooseUnit:
    """Play another unit at a step, transposed by so many semitones."""

    step: int
    unit: int | str
    transpose: float = 0.0
    label = "another unit"

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        step = take_integer(document, "step", 0, MOST_NUMBER)
        unit = take_unit(document, "unit")
        transpose = take_number(document, "transpose", -MAX_TRANSPOSE, MAX_TRANSPOSE, 0)
        return cls(step, unit, transpose)

    def apply(self, plan: Plan, workspace: Workspace) -> Plan:
        return replace_unit(
            plan,
            self.step,
            self.unit,
            workspace.database,
            transpose=self.transpose,
            units=workspace.voice_units(plan),
        )


@dataclass(frozen=True)
class RepeatStep:
    """Repeat a step a number of times, right after it."""

    step: int
    times: int
    label = "a step repeated"

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        step = take_integer(document, "step", 0, MOST_NUMBER)
        return cls(step, take_integer(document, "times", 1, MOST_TIMES))

    def apply(self, plan: Plan, workspace: Workspace) -> Plan:
        longer = repeat_step(plan, self.step, self.times)
        copies = range(self.step + 1, self.step + self.times + 1)
        return _refresh(longer, copies, workspace)


@dataclass(frozen=True)
class RemoveSteps:
    """Remove steps; the steps that follow move earlier, unless there are several voices."""

    steps: tuple[int, ...]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(tuple(sorted(set(take_integers(document, "steps", 0, MOST_NUMBER)))))

    @property
    def label(self) -> str:
        return f"{_counted(self.steps)} removed"

    def apply(self, plan: Plan, workspace: Workspace) -> Plan:
        shorter = remove_steps(plan, self.steps)
        after = []  # the step after each removed one in its voice, by its new number
        for n_before, number in enumerate(self.steps):
            following = shorter.steps[number - n_before : number - n_before + 1]
            if following and following[0].voice == plan.steps[number].voice:
                after.append(number - n_before)
        return _refresh(shorter, after, workspace)


@dataclass(frozen=True)
class LockSteps:
    """Lock or unlock steps."""

    steps: tuple[int, ...]
    locked: bool

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        steps = tuple(take_integers(document, "steps", 0, MOST_NUMBER))
        return cls(steps, take_switch(document, "locked"))

    @property
    def label(self) -> str:
        return f"{_counted(self.steps)} {'locked' if self.locked else 'unlocked'}"

    def apply(self, plan: Plan, workspace: Workspace) -> Plan:
        return lock_steps(plan, self.steps, self.locked)


@dataclass(frozen=True)
class ChooseAgain:
    """Search the path again around the locked steps, with the plan's options or those given."""

    continuity: float | None = None
    novelty: float | None = None
    min_reuse: float | None = None
    temperature: float | None = None
    random_seed: int | None = None
    label = "the rest chosen again"

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        options: dict[str, Any] = {
            name: take_number(document, name, 0, MOST_OPTION)
            for name in ("continuity", "novelty", "min_reuse", "temperature")
            if name in document
        }
        if "random_seed" in document:
            options["random_seed"] = take_integer(document, "random_seed", 0, MOST_NUMBER)
        return cls(**options)

    def apply(self, plan: Plan, workspace: Workspace) -> Plan:
        check_database(plan, workspace.database)
        search = PlanSettings.of(plan).search
        given = {name: value for name, value in asdict(self).items() if value is not None}
        options = replace(search.path, **given)
        if units := workspace.voice_units(plan):
            return reselect_voices(plan, units, options)
        return reselect(plan, workspace.index(search), options)


@dataclass(frozen=True)
class Undo:
    """Undo the last edit."""


@dataclass(frozen=True)
class Redo:
    """Redo the edit that was undone last."""


KINDS: dict[str, type[Edit]] = {
    "choose": ChooseUnit,
    "repeat": RepeatStep,
    "remove": RemoveSteps,
    "lock": LockSteps,
    "reselect": ChooseAgain,
    "vary": VaryRest,
}
MOVES: dict[str, type[Undo] | type[Redo]] = {"undo": Undo, "redo": Redo}


@dataclass(frozen=True)
class EditRequest:
    """An edit, and the revision of the plan that it is meant for."""

    revision: int
    edit: Edit | Undo | Redo

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Check a request.

        Raises
        ------
        ParameterError
            If it is malformed. Whether the plan has these steps is only checked by `apply`.
        """
        check_keys("the request", document, ("revision", "edit"))
        revision = take_integer(document, "revision", 0, MOST_NUMBER)
        return cls(revision, _parse_edit(document.get("edit")))


def _parse_edit(document: Any) -> Edit | Undo | Redo:
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in KINDS | MOVES:
        raise ParameterError(
            f"an edit must be an object whose kind is one of {', '.join(KINDS | MOVES)}"
        )
    if kind in MOVES:
        check_keys(f"edit {kind}", document, ("kind",))
        return MOVES[kind]()
    names = [field.name for field in fields(KINDS[kind])]  # type: ignore[arg-type]
    check_keys(f"edit {kind}", document, ("kind", *names))
    return KINDS[kind].from_json(document)


def _refresh(plan: Plan, numbers: Iterable[int], workspace: Workspace) -> Plan:
    """Refresh the costs of steps that got new neighbours, if the plan is of the database.

    They stay as they were if the spectra of its units are not known and cannot be measured.
    """
    if not belongs(plan, workspace.database):
        return plan
    existing = sorted({number for number in numbers if number < len(plan.steps)})
    try:
        units = workspace.voice_units(plan)
    except DemiurgeError:
        return plan
    return refresh_costs(plan, existing, workspace.database, units)


def _counted(steps: tuple[int, ...]) -> str:
    return "a step" if len(steps) == 1 else f"{len(steps)} steps"
