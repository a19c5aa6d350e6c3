"""Costs and gains of units in plans of voices, and replacing them there."""

from dataclasses import replace

import numpy as np
import pytest

from demiurge.plans.costs import refresh_costs
from demiurge.plans.edit import lock_steps, remove_steps, replace_unit
from demiurge.plans.voice_costs import LEAST_GAIN_DB, VoiceCosts
from demiurge.plans.voice_units import VoiceUnits
from playback.plan import Plan
from query.voices.candidates import IN_UNISON
from tests.demiurge.plans.voice_plans import Corpus, units_of

pytest.importorskip("python_stretch", reason="units are transposed")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.make(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def plan(corpus, tmp_path_factory) -> Plan:
    return corpus.mosaic(tmp_path_factory.mktemp("out"), number=3, transpose=1)[0]


@pytest.fixture(scope="module")
def units(plan, corpus) -> VoiceUnits:
    return units_of(plan, corpus.database)


def costs_of(plan: Plan) -> list[float]:
    own = [cost for step in plan.steps for cost in (step.distance, step.join)]
    others = [
        other[name]
        for step in plan.steps
        for other in step.alternatives
        for name in ("distance", "join")
    ]
    return [*own, *others]


@pytest.mark.parametrize("follow", ["both", "pitch", "timbre"])
def test_costs_of_one_voice_are_those_of_the_search(corpus, tmp_path, follow):
    (plan,) = corpus.mosaic(tmp_path, number=1, transpose=1, follow=follow)
    units = units_of(plan, corpus.database)
    fresh = refresh_costs(plan, range(len(plan.steps)), corpus.database, units)
    assert np.allclose(costs_of(fresh), costs_of(plan), atol=2e-3)
    assert replace(fresh, steps=plan.steps) == plan


def test_alternatives_have_their_transpositions(plan, units):
    shifts = {other.get("transpose") for step in plan.steps for other in step.alternatives}
    assert shifts == {None, 1.0, -1.0}
    for step in plan.steps:
        played = [(other["unit"], other.get("transpose", 0)) for other in step.alternatives]
        assert len(set(played)) == len(played)
        assert (step.unit, round(step.transpose)) not in played


def test_gain_is_higher_without_the_other_voices(plan, units):
    numbers = [n for n in plan.voices[1] if plan.steps[n].gain_db > -20][:10]
    alone = remove_steps(plan, [*plan.voices[0], *plan.voices[2]])
    for number in numbers:
        position = units.position_of(plan.steps[number])
        there = [step.target for step in alone.steps].index(plan.steps[number].target)
        _, gain = VoiceCosts(plan, units).at(number, np.array([position]))
        _, gain_alone = VoiceCosts(alone, units).at(there, np.array([position]))
        assert gain_alone[0] >= gain[0]


def test_gain_is_near_the_one_that_was_fitted_with_all(plan, units):
    costs = VoiceCosts(plan, units)
    loud = [n for n, step in enumerate(plan.steps) if step.gain_db > -12]
    off = [costs.gain_db(n, units.position_of(plan.steps[n])) - plan.steps[n].gain_db for n in loud]
    assert len(loud) > 10
    assert np.median(np.abs(off)) < 1.5


def test_unit_that_another_voice_plays_costs_much(plan, units):
    number = plan.voices[0].start
    costs = VoiceCosts(plan, units)
    (other,) = costs.others(number).positions[:1]
    cost, _ = costs.at(number, other)
    assert cost[0] > IN_UNISON


def test_replaced_by_an_alternative_it_is_transposed_and_at_its_best_gain(plan, units, corpus):
    found = [
        (n, other)
        for n, step in enumerate(plan.steps)
        for other in step.alternatives
        if other.get("transpose") == 1
    ]
    number, other = found[len(found) // 2]
    before = plan.steps[number]
    edited = replace_unit(
        plan, number, other["unit"], corpus.database, transpose=other["transpose"], units=units
    )
    step = edited.steps[number]
    assert (step.unit, round(step.transpose), step.voice) == (other["unit"], 1, before.voice)
    position = units.position_of(step)
    best = VoiceCosts(plan, units)
    assert step.gain_db == pytest.approx(best.gain_db(number, position), abs=0.01)
    assert step.distance == pytest.approx(best.at(number, np.array([position]))[0][0], abs=1e-3)
    assert (before.unit, before.transpose) in [
        (one["unit"], one.get("transpose", 0)) for one in step.alternatives
    ]
    back = replace_unit(
        edited, number, before.unit, corpus.database, transpose=before.transpose, units=units
    ).steps[number]
    assert (back.unit, round(back.transpose)) == (before.unit, round(before.transpose))
    assert edited.spectra == plan.spectra


def test_unit_that_does_not_fit_at_all_is_still_heard(plan, units, corpus):
    quietest = min(plan.steps, key=lambda step: plan.spectra.rows[step.target].sum())
    number = plan.steps.index(quietest)
    noise = [s.path for s in corpus.database.sources].index("noise.wav")
    unit = int(corpus.database.units.ids[np.flatnonzero(corpus.database.units.source == noise)[0]])
    step = replace_unit(plan, number, unit, corpus.database, units=units).steps[number]
    assert LEAST_GAIN_DB <= step.gain_db < 0


def test_steps_written_by_hand_keep_their_costs(plan, units, corpus):
    by_hand = replace(plan.steps[4], target=-1, locked=True)
    steps = tuple(replace(s, ramp=False) for s in (*plan.steps[:4], by_hand, *plan.steps[5:]))
    changed = replace(plan, steps=steps)
    fresh = refresh_costs(changed, [4], corpus.database, units)
    assert fresh.steps[4].distance == plan.steps[4].distance
    replaced = replace_unit(
        changed, 4, by_hand.alternatives[0]["unit"], corpus.database, units=units
    )
    assert replaced.steps[4].gain_db == by_hand.gain_db
    assert lock_steps(replaced, [4], False).steps[4].locked is False
