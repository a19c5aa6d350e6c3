"""Choose the units of a plan again, around the locked steps; of voices, see `reselect_voices`."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from db.database import Database
from demiurge.plans.costs import refresh_costs, with_steps
from demiurge.plans.edit import collect_stamps
from demiurge.plans.follow import follow_again
from demiurge.plans.locate import check_database, position_of
from demiurge.plans.make import check_sources, describe_choice, make_step
from demiurge.plans.settings import PlanSettings, fits_spectra
from demiurge.plans.stretching import stretched
from files.errors import PlanError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET, NO_UNIT
from playback.targets import Targets
from query.explain import explain
from query.index import UnitIndex
from query.names import AUTO
from query.options import PathOptions
from query.path import UnitPath, find_paths
from query.rules import REST
from query.space import Space


def reselect(plan: Plan, index: UnitIndex, options: PathOptions) -> Plan:
    """Choose units again for the targets of the steps, around the locked steps.

    Steps keep their place and length. Steps without a target or without a unit are not changed.
    If the same unit is chosen again, the step keeps its gain and transformations; if others are,
    they follow the level of the target if the plan's steps do. With the index
    and the options that the plan was made with, and nothing locked, the result is the same plan.

    Raises
    ------
    PlanError
        If the units cannot be chosen again (`why_never_again`), or the plan holds no targets or
        targets of other descriptors, is of another database, or its settings are invalid.
    ParameterError
        As `query.path.find_paths`.
    DatabaseError
        If the source of a unit that is chosen is missing or has changed.
    """
    database = index.database
    check_database(plan, database)
    if reason := why_never_again(plan):
        raise PlanError(reason)
    if plan.targets is None:
        raise PlanError(
            "the plan holds no targets to choose units for; make it again with demiurge render or"
            " mosaic"
        )
    settings = PlanSettings.of(plan)
    settings = replace(settings, search=replace(settings.search, path=options))
    rows = _list_rows(plan)
    path = _find_path(rows, plan.targets, index, settings)
    steps = _choose_steps(rows, path, index.space)
    if settings.search.stretch == AUTO:
        steps = _stretch_new(plan, steps, database)
    check_sources(database, {step.source for step in _new_steps(plan, steps)})
    settings = replace(settings, units=index.counts, index=index.kind)
    chosen = replace(
        plan,
        settings=settings.to_dict(),
        tail_samples=plan.n_samples - steps[-1].until_sample,
        sources=collect_stamps(plan, steps, database),
    )
    chosen = with_steps(chosen, tuple(steps))
    if settings.search.stretch == AUTO:
        chosen = refresh_costs(chosen, range(len(chosen.steps)), database)
    if settings.levels is None:
        return chosen
    before = {_sound(step) for step in plan.steps}
    changed = [number for number, step in enumerate(steps) if _sound(step) not in before]
    return follow_again(chosen, changed, settings.levels, database.roots)


def _new_steps(plan: Plan, steps: tuple[Step, ...]) -> list[Step]:
    """Return the steps whose unit the plan does not play there."""
    played = {(step.at_sample, step.unit, step.source) for step in plan.steps}
    return [step for step in steps if (step.at_sample, step.unit, step.source) not in played]


def _stretch_new(plan: Plan, steps: tuple[Step, ...], database: Database) -> tuple[Step, ...]:
    """Return steps with those stretched whose unit has changed."""
    before = {_sound(step) for step in plan.steps}
    new = stretched(steps, database)
    return tuple(
        step if _sound(step) in before else changed
        for step, changed in zip(steps, new, strict=True)
    )


def _sound(step: Step) -> tuple[int, int, int, str, int]:
    """Return what must be the same for a step to keep its gain."""
    return step.voice, step.at_sample, step.unit, step.source, step.n_samples


def why_never_again(plan: Plan) -> str | None:
    """Return why units of a plan cannot be chosen again, whatever the database; else None."""
    if fits_spectra(plan):
        if plan.spectra is not None and plan.targets is not None:
            return None
        return (
            "the plan does not hold what its voices were fitted to, so that units cannot be chosen"
            " again; replace single units, or make the plan again"
        )
    if plan.n_voices > 1:
        return (
            f"the units of the plan's {plan.n_voices} voices were chosen together, and cannot be"
            " chosen again; replace single units, or make the plan again"
        )
    return None


@dataclass(frozen=True)
class _Row:
    """A row of the sequence that units are chosen for: a step, or a rest if `step` is None."""

    n_samples: int
    step: Step | None = None

    @property
    def stays(self) -> bool:
        """True if the row is not to be changed."""
        step = self.step
        return not step or step.locked or step.target == NO_TARGET or step.unit == NO_UNIT


def _list_rows(plan: Plan) -> list[_Row]:
    """Return rows for all steps, and rests for the targets that no step plays.

    With the rests, random numbers fall on the same rows as when the plan was made.
    """
    rows: list[_Row] = []
    free = 0
    last_target = -1
    for step in plan.steps:
        gap = step.at_sample - free
        if gap > 0:
            n_rests = min(max(step.target - last_target - 1, 1), gap)
            ends = np.arange(n_rests + 1) * gap // n_rests
            rows += [_Row(int(n_samples)) for n_samples in np.diff(ends)]
        rows.append(_Row(step.n_samples, step))
        free = step.until_sample
        last_target = max(step.target, last_target)
    return rows


def _find_path(
    rows: list[_Row], targets: Targets, index: UnitIndex, settings: PlanSettings
) -> UnitPath:
    """Return the path for the rows, of the same variation as the plan."""
    n_samples = np.array([row.n_samples for row in rows])
    stretch = settings.search.stretch == AUTO
    path = find_paths(
        index,
        _make_sequence(rows, targets, index.database),
        settings.search.path,
        step_samples=n_samples,
        whole_units=settings.whole_units or stretch,
        in_time=stretch,
        fill=True,
        variations=settings.search.variations,
        locked=_lock_rows(rows, index.database),
        progress=index.progress,
    )[-1]
    return _set_lengths(path, n_samples, index.space) if settings.whole_units else path


def _make_sequence(rows: list[_Row], targets: Targets, database: Database) -> np.ndarray:
    """Return the target of each row, (rows, n_descriptors).

    Rows without a target get an arbitrary finite one.
    """
    anything = database.normaliser.mean
    check_targets(targets, database)
    has_target = [row.step is not None and row.step.target != NO_TARGET for row in rows]
    return np.stack(
        [
            targets.rows[row.step.target] if known and row.step else anything
            for row, known in zip(rows, has_target, strict=True)
        ]
    )


def check_targets(targets: Targets, database: Database) -> None:
    """Raise a PlanError if targets have another number of descriptors than the database."""
    n_descriptors = len(database.normaliser.mean)
    if targets.n_descriptors != n_descriptors:
        raise PlanError(
            f"the plan's targets have {targets.n_descriptors} descriptors, but the database has"
            f" {n_descriptors}; make the plan again"
        )


def _lock_rows(rows: list[_Row], database: Database) -> dict[int, int]:
    """Return the fixed positions by row.

    It is a rest for a step whose unit is not in the database, or is too short there.
    """
    locked = {}
    for number, row in enumerate(rows):
        if not row.stays:
            continue
        position = position_of(row.step, database) if row.step else REST
        if position != REST and database.units.samples_left[position] < row.n_samples:
            position = REST
        locked[number] = position
    return locked


def _set_lengths(path: UnitPath, n_samples: np.ndarray, space: Space) -> UnitPath:
    """Return the path with steps of the given lengths, and its join costs at these lengths."""
    return replace(path, n_samples=n_samples, joins=space.joins.along(path.positions, n_samples))


def _choose_steps(rows: list[_Row], path: UnitPath, space: Space) -> tuple[Step, ...]:
    """Return the steps that play the path."""
    database = space.database
    explanation = explain(space, path)
    steps = []
    at_sample = 0
    for part, position in enumerate(path.positions.tolist()):
        row = rows[path.steps[part]]
        n_samples = int(path.n_samples[part])
        if row.step and position != REST:
            choice = describe_choice(path, explanation, part, database)
            where = {"at_sample": at_sample, "n_samples": n_samples}
            steps.append(_choose(row.step, position, database, where, choice))
        elif row.step and row.stays:
            steps.append(row.step)
        at_sample += n_samples
    return tuple(steps)


def _choose(
    before: Step,
    position: int,
    database: Database,
    where: dict[str, int],
    choice: dict[str, Any],
) -> Step:
    """Return a step with the unit that was chosen for it."""
    if before.target == NO_TARGET:
        return replace(before, join=choice["join"])
    same_unit = position == position_of(before, database)
    if same_unit and where["n_samples"] == before.n_samples:
        return replace(before, **choice)
    return make_step(database, position, target=before.target, **where, **choice)
