"""Edit a plan by hand: replace units, and repeat, remove or lock steps.

Each edit returns a new plan. A step whose unit is replaced keeps its place and length. Edits that
move steps do not update the costs of their neighbours: `demiurge.plans.costs.refresh_costs` does.

In a plan of several voices no edit moves a step, so that the voices stay together: what is removed
leaves silence, and a step is repeated only where its voice is silent behind it. A unit that is
replaced there keeps the gain of its step, which makes up the sound with the other voices, unless it
is known what the voices were fitted to. A ramp whose step no longer goes on from the one before is
dropped.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from audio.read import MAX_SAMPLES
from db.database import Database
from demiurge.plans.costs import check_numbers, refresh_costs, with_steps
from demiurge.plans.follow import follow_again
from demiurge.plans.locate import check_database, find_unit
from demiurge.plans.make import GAIN_DECIMALS, TRANSPOSE_DECIMALS, check_sources, make_step
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voice_costs import VoiceCosts
from demiurge.plans.voice_units import VoiceUnits
from files.errors import ParameterError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET
from query.rules import REST

MOST_TIMES = 100  # repetitions of a step in one edit


def replace_unit(
    plan: Plan,
    number: int,
    unit: int | str,
    database: Database,
    *,
    transpose: float = 0.0,
    units: VoiceUnits | None = None,
) -> Plan:
    """Play another unit at a step, named by its id, or NAME:ID of one of several databases.

    It is played from its start, for as long as the step lasts or until the end of its source. The
    gain of the step stays if there are several voices; if the plan's steps follow the level of the
    target, so does the unit; and if the plan's units were chosen by their spectra, it has the gain
    at which it fits best, and is in tune.

    Parameters
    ----------
    transpose : float
        Semitones.
    units : VoiceUnits, optional
        If the plan's units were chosen by their spectra.

    Raises
    ------
    ParameterError
        If there is no such step or unit.
    PlanError
        If the plan is of another database, or its settings are invalid.
    DatabaseError
        If the unit's source is missing or has changed.
    """
    check_database(plan, database)
    (number,) = check_numbers(plan, [number])
    step = plan.steps[number]
    position = find_unit(unit, database)
    if position == REST:
        raise ParameterError(
            f"unit {unit!r} is not in {database.path}; give one of its {database.n_units} units"
        )
    made = make_step(
        database,
        position,
        n_samples=step.n_samples,
        at_sample=step.at_sample,
        target=step.target,
        voice=step.voice,
        gain_db=step.gain_db if plan.n_voices > 1 else 0.0,
        locked=step.locked,
    )
    chosen = replace(
        made,
        transpose=float(transpose),
        alternatives=_swap_alternative(plan, step, made, transpose),
    )
    if units and step.target != NO_TARGET:
        chosen = _fit(chosen, plan, number, units)
    check_sources(database, {chosen.source})
    steps = (*plan.steps[:number], chosen, *plan.steps[number + 1 :])
    edited = replace(plan, steps=steps, sources=collect_stamps(plan, steps, database))
    if (levels := PlanSettings.of(plan).levels) is not None:
        edited = follow_again(edited, [number], levels, database.roots)
    until = min(number + 2, plan.voices[step.voice].stop)
    return refresh_costs(edited, range(number, until), database, units)


def _fit(chosen: Step, plan: Plan, number: int, units: VoiceUnits) -> Step:
    """Return a step that was chosen for one of a plan, at its best gain and in tune."""
    position = units.position_of(chosen)
    if position == REST:
        return chosen
    costs = VoiceCosts(plan, units)
    shift = round(chosen.transpose) + costs.in_tune(number, position)
    gain_db = round(costs.gain_db(number, position), GAIN_DECIMALS)
    return replace(chosen, gain_db=gain_db, transpose=round(shift, TRANSPOSE_DECIMALS))


def _swap_alternative(
    plan: Plan, step: Step, made: Step, transpose: float
) -> tuple[dict[str, Any], ...]:
    """Return the alternatives of a step, with its own unit in the place of that of `made`."""
    roots = plan.roots
    database = roots.split(made.source)[0]
    names = ("unit", "distance", "join", "source", "start_sample")
    played = {name: getattr(step, name) for name in names}
    if step.transpose:
        played["transpose"] = step.transpose
    others = [
        other
        for other in (played, *step.alternatives)
        if other["unit"] != REST
        and (
            other["unit"] != made.unit
            or round(other.get("transpose", 0)) != round(transpose)
            or roots.split(other.get("source", ""))[0] != database
        )
    ]
    return tuple(sorted(others, key=lambda other: other["distance"]))


def repeat_step(plan: Plan, number: int, times: int) -> Plan:
    """Repeat a step `times` times, right after it; the steps that follow move later.

    With several voices none moves: there must be silence behind it in its voice.

    Raises
    ------
    ParameterError
        If there is no such step, or it cannot be repeated so often.
    """
    (number,) = check_numbers(plan, [number])
    step = plan.steps[number]
    if plan.n_voices > 1:
        return _repeat_in_voice(plan, number, times)
    most = min((MAX_SAMPLES - plan.n_samples) // step.n_samples, MOST_TIMES)
    if type(times) is not int or not 1 <= times <= most:
        raise ParameterError(
            f"times={times!r} must be an integer from 1 to {most} to repeat step {number}"
        )
    again = [_move(step, i * step.n_samples) for i in range(times + 1)]
    later = [_move(other, times * step.n_samples) for other in plan.steps[number + 1 :]]
    return with_steps(plan, (*plan.steps[:number], *again, *later))


def _repeat_in_voice(plan: Plan, number: int, times: int) -> Plan:
    """Repeat a step within the silence behind it in its voice."""
    step = plan.steps[number]
    is_last = number + 1 == plan.voices[step.voice].stop
    until = MAX_SAMPLES if is_last else plan.steps[number + 1].at_sample
    most = min((until - step.until_sample) // step.n_samples, MOST_TIMES)
    if most == 0:
        raise ParameterError(
            f"step {number} cannot be repeated: there is no room behind it in voice {step.voice},"
            " and in a plan of several voices no step is moved; remove what follows it first"
        )
    if type(times) is not int or not 1 <= times <= most:
        raise ParameterError(
            f"times={times!r} must be an integer from 1 to {most} to repeat step {number} in the"
            f" silence behind it in voice {step.voice}"
        )
    again = [_move(step, i * step.n_samples) for i in range(times + 1)]
    steps = (*plan.steps[:number], *again, *plan.steps[number + 1 :])
    return of_length(with_steps(plan, steps), plan.n_samples)


def _move(step: Step, n_samples: int) -> Step:
    return replace(step, at_sample=step.at_sample + n_samples)


def remove_steps(plan: Plan, numbers: Iterable[int]) -> Plan:
    """Remove steps; the steps that follow move earlier, so the plan gets shorter.

    With several voices none moves: silence is left, and the plan is as long as before.

    Raises
    ------
    ParameterError
        If there is no such step, or none would be left.
    """
    removed = set(check_numbers(plan, numbers))
    if len(removed) == len(plan.steps):
        raise ParameterError(
            f"all {len(removed)} steps cannot be removed: a plan has at least one; leave one"
        )
    several = plan.n_voices > 1
    steps = []
    gone = 0
    for number, step in enumerate(plan.steps):
        if number not in removed:
            steps.append(_move(step, -gone))
        elif not several:
            gone += step.n_samples
    shorter = with_steps(plan, tuple(steps))
    return of_length(shorter, plan.n_samples - gone)


def of_length(plan: Plan, n_samples: int) -> Plan:
    """Return the plan with as much silence at its end as makes it this long, if any does."""
    bare = replace(plan, tail_samples=0)
    return replace(bare, tail_samples=max(n_samples - bare.n_samples, 0))


def lock_steps(plan: Plan, numbers: Iterable[int], locked: bool) -> Plan:
    """Lock or unlock steps; `reselect` does not change locked ones.

    Raises
    ------
    ParameterError
        If there is no such step.
    """
    if not isinstance(locked, bool):
        raise ParameterError(f"locked={locked!r} must be true or false")
    steps = list(plan.steps)
    for number in check_numbers(plan, numbers):
        steps[number] = replace(steps[number], locked=locked)
    return replace(plan, steps=tuple(steps))


def collect_stamps(
    plan: Plan, steps: Iterable[Step], database: Database
) -> dict[str, dict[str, Any]]:
    """Return stamps of the files that the steps play, from the database or else the plan."""
    used = {step.source for step in steps}
    kept = {source: stamp for source, stamp in plan.sources.items() if source in used}
    return kept | database.stamps(sorted(used))
