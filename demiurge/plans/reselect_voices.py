"""Choose the units of a plan's voices again, around the locked steps."""

from dataclasses import dataclass, replace

import numpy as np

from audio.decibels import to_amplitude
from demiurge.plans.costs import with_steps
from demiurge.plans.edit import collect_stamps, of_length
from demiurge.plans.locate import check_database
from demiurge.plans.make import check_sources
from demiurge.plans.ramps import glide
from demiurge.plans.reselect import check_targets, why_never_again
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voice_units import VoiceUnits, kept_target
from demiurge.plans.voices import steps_of_voice
from demiurge.sequences import DescriptorSequence
from files.errors import PlanError
from playback.plan import Plan, Step
from playback.steps import NO_TARGET, NO_UNIT
from query.names import AUTO
from query.options import PathOptions
from query.rules import REST
from query.voices.given_gains import fit_to_given
from query.voices.search import VoicePath
from query.voices.target import VoiceTarget


def reselect_voices(plan: Plan, units: VoiceUnits, options: PathOptions) -> Plan:
    """Choose again what the voices of a plan play, with the locked steps known.

    Locked steps keep unit, gain and place, and the others are as loud as fits best beside them. A
    step stays as it is, and its voice plays nothing else there, if it was written by hand, moved,
    or locked at a transposition that is not searched at. What was removed may come back. With the
    units and the options that the plan was made with, and nothing locked, the result is the same
    plan.

    Raises
    ------
    PlanError
        If the units cannot be chosen again (`why_never_again`), or the plan's spectra or targets
        are unlike the database's, is of another database, or its settings are invalid.
    ParameterError
        As `query.voices.search.VoiceSearch`.
    DatabaseError
        If the source of a unit that is chosen is missing or has changed.
    """
    check_database(plan, units.database)
    if reason := why_never_again(plan):
        raise PlanError(reason)
    assert plan.targets is not None
    assert plan.spectra is not None
    check_targets(plan.targets, units.database)
    settings = PlanSettings.of(plan)
    search = replace(settings.search, path=options)
    target = kept_target(plan.spectra, units.spectra.n_bands)
    sequence = DescriptorSequence(plan.targets.rows, plan.spectra.n_samples)
    sorted_steps = _sort(plan, units, search.voices.number, sequence.step_samples)
    *_, voices = units.search(
        target, sequence, search, locked=sorted_steps.positions, progress=units.index.progress
    )
    given = {place: to_amplitude(step.gain_db) for place, step in sorted_steps.locked.items()}
    voices = fit_to_given(voices, units.spectra, target, given)
    stretch = search.stretch == AUTO
    steps = _play(voices, units, target, sorted_steps, stretch=stretch)
    if not steps:
        raise PlanError("all voices would rest: the target is silent; make the plan of another")
    played = {step.source for step in plan.steps}
    check_sources(units.database, {step.source for step in steps} - played)
    settings = replace(settings, search=search, **units.recorded)
    chosen = replace(
        plan,
        settings=settings.to_dict(),
        sources=collect_stamps(plan, steps, units.database),
    )
    return of_length(with_steps(chosen, steps), plan.n_samples)


@dataclass(frozen=True)
class _Steps:
    """The steps of a plan that are not chosen again.

    Attributes
    ----------
    positions : list of dict
        For each voice, the unit or `REST` that a row of the targets must play.
    locked : dict
        The step of a voice and a row.
    staying : list of Step
        Those that play something else than a row's unit.
    """

    positions: list[dict[int, int]]
    locked: dict[tuple[int, int], Step]
    staying: list[Step]


def _sort(plan: Plan, units: VoiceUnits, n_voices: int, step_samples: np.ndarray) -> _Steps:
    ends = np.cumsum(step_samples)
    begins = ends - step_samples
    steps = _Steps([{} for _ in range(n_voices)], {}, [])
    for step in plan.steps:
        is_searched = step.voice < n_voices and step.unit != NO_UNIT
        if is_searched and step.target != NO_TARGET and begins[step.target] == step.at_sample:
            lasts = step_samples[step.target]
            if not step.locked and step.n_samples <= lasts:
                continue
            position = units.position_of(step)
            left = 0 if position == REST else units.space.database.units.samples_left[position]
            if step.n_samples == lasts <= left:
                steps.positions[step.voice][step.target] = position
                steps.locked[step.voice, step.target] = step
                continue
        steps.staying.append(step)
        if step.voice < n_voices:
            first = ends.searchsorted(step.at_sample, "right")
            last = begins.searchsorted(step.until_sample, "left")
            steps.positions[step.voice] |= dict.fromkeys(range(first, last), REST)
    return steps


def _play(
    voices: list[VoicePath],
    units: VoiceUnits,
    target: VoiceTarget,
    known: _Steps,
    *,
    stretch: bool,
) -> tuple[Step, ...]:
    """Return the steps that play what was chosen, and those that stay."""
    chosen = []
    for number, voice in enumerate(voices):
        for step in steps_of_voice(voice, number, units, target, stretch=stretch):
            if before := known.locked.get((number, step.target)):
                costs = {name: getattr(step, name) for name in ("distance", "join", "alternatives")}
                chosen.append(replace(before, **costs))
            else:
                chosen.append(step)
    steps = sorted([*chosen, *known.staying], key=lambda step: (step.voice, step.at_sample))
    n_searched = sum(step.voice < len(voices) for step in steps)
    return (*glide(steps[:n_searched]), *steps[n_searched:])
