"""The units of voices, chosen again around locked steps."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from demiurge.plans.edit import lock_steps, remove_steps, repeat_step
from demiurge.plans.reselect import why_never_again
from demiurge.plans.reselect_voices import reselect_voices
from demiurge.plans.settings import PlanSettings
from files.errors import PlanError
from playback.plan import Plan
from playback.spectra import Spectra
from tests.demiurge.plans.voice_plans import Corpus, units_of

pytest.importorskip("python_stretch", reason="units are transposed")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.make(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def plans(corpus, tmp_path_factory) -> list[Plan]:
    """Two variations of three voices, transposed."""
    return corpus.mosaic(tmp_path_factory.mktemp("out"), variations=2, number=3, transpose=1)


def again(plan: Plan, corpus: Corpus, **options) -> Plan:
    path = replace(PlanSettings.of(plan).search.path, **options)
    return reselect_voices(plan, units_of(plan, corpus.database), path)


def without_choice(step):
    return replace(step, distance=0.0, join=0.0, alternatives=(), ramp=False)


def test_two_variations_differ(plans):
    first, second = plans
    assert first.n_voices > 1
    pairs = [{(s.voice, s.target, s.unit) for s in plan.steps} for plan in plans]
    assert len(pairs[0] & pairs[1]) < 0.5 * len(pairs[0])
    assert PlanSettings.of(second).search.variations == 2


@pytest.mark.parametrize("number", [0, 1])
def test_the_same_plan_is_found_again(plans, number, corpus, tmp_path):
    plans[number].save(tmp_path / "plan.json")
    loaded = Plan.load(tmp_path / "plan.json")
    chosen = again(loaded, corpus)
    assert chosen == loaded
    chosen.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "plan.json").read_bytes()


@pytest.mark.parametrize(
    "voices",
    [
        {"number": 2},
        {"number": 1, "transpose": "auto"},
        {"number": 2, "follow": "timbre"},
        {"number": 2, "transpose": 1, "follow": "pitch"},
    ],
)
def test_the_same_plan_is_found_again_with_other_options(corpus, tmp_path, voices):
    (plan,) = corpus.mosaic(tmp_path, **voices)
    assert again(plan, corpus) == plan
    assert plan.version == 2


def test_locked_steps_keep_unit_gain_and_place(plans, corpus):
    plan = plans[0]
    shifted = [n for n, step in enumerate(plan.steps) if abs(step.transpose) > 0.5]
    assert shifted
    locked = [*shifted[:3], *range(0, len(plan.steps), 7)]
    changed = list(plan.steps)
    changed[locked[0]] = replace(changed[locked[0]], gain_db=-3.0)
    plan = lock_steps(replace(plan, steps=tuple(changed)), locked, True)
    other = again(plan, corpus, random_seed=5, temperature=3.0)
    assert other.n_samples == plan.n_samples
    kept = {(step.voice, step.at_sample): step for step in other.steps}
    for number in locked:
        step = plan.steps[number]
        assert without_choice(kept[step.voice, step.at_sample]) == without_choice(step)
    before = {(s.voice, s.target, s.unit) for s in plan.steps if not s.locked}
    after = {(s.voice, s.target, s.unit) for s in other.steps if not s.locked}
    assert len(before & after) < 0.5 * len(before)


def test_others_are_softer_beside_a_locked_step_that_is_louder(plans, corpus):
    plan = lock_steps(plans[0], plans[0].voices[0], True)
    before = again(plan, corpus)
    steps = [replace(s, gain_db=s.gain_db + 12) if s.locked else s for s in plan.steps]
    after = again(replace(plan, steps=tuple(steps)), corpus)
    rows = {step.target for step in plan.steps if step.locked}
    quieter = [
        step.gain_db < earlier.gain_db
        for earlier, step in zip(before.steps, after.steps, strict=True)
        if not step.locked and step.target in rows
    ]
    assert len(quieter) > 20
    assert np.mean(quieter) > 0.8


def test_locked_steps_that_cannot_be_searched_at_stay_alone(plans, corpus, tmp_path):
    steps = list(plans[0].steps)
    steps[1] = replace(steps[1], transpose=7.0, locked=True)  # further than the search goes
    steps[3] = replace(steps[3], unit=-1)  # written by hand
    steps[5] = replace(steps[5], at_sample=steps[5].at_sample + 1, n_samples=100)
    # ramps lead to none of these any more
    plan = replace(plans[0], steps=tuple(replace(step, ramp=False) for step in steps))
    other = again(plan, corpus)
    for number in (1, 3, 5):
        assert without_choice(plan.steps[number]) in map(without_choice, other.steps)
    other.save(tmp_path / "plan.json")  # steps that overlapped would be refused


def test_steps_of_voices_that_were_not_chosen_stay(plans, corpus):
    by_hand = [replace(step, voice=3, ramp=False) for step in plans[0].steps[:4]]
    plan = replace(plans[0], steps=(*plans[0].steps, *by_hand))
    other = again(plan, corpus)
    assert other.steps[-4:] == plan.steps[-4:]
    assert other.steps[:-4] == plans[0].steps


def test_what_was_removed_comes_back_and_what_was_repeated_stays(plans, corpus):
    plan = plans[0]
    number = plan.voices[1].stop - 1
    assert plan.steps[number].until_sample <= plan.n_samples
    assert again(remove_steps(plan, [2]), corpus) == plan
    moved = repeat_step(remove_steps(plan, [2]), 1, 1)
    other = again(moved, corpus)
    assert without_choice(moved.steps[2]) in map(without_choice, other.steps)


def test_everything_locked_is_the_same_plan(plans, corpus):
    plan = lock_steps(plans[1], range(len(plans[1].steps)), True)
    other = again(plan, corpus)
    kept = [without_choice(step) for step in other.steps if step.locked]
    assert kept == [without_choice(step) for step in plan.steps]


def test_plans_that_cannot_be_chosen_again_say_so(plans, corpus):
    plan = plans[0]
    assert why_never_again(plan) is None
    assert "does not hold what its voices" in why_never_again(replace(plan, spectra=None))
    settings = {name: v for name, v in plan.settings.items() if name != "voices"}
    assert "chosen together" in why_never_again(replace(plan, settings=settings))
    broken = replace(plan, settings={**plan.settings, "voices": 7})
    assert "chosen together" in why_never_again(broken)
    continued = replace(plan, spectra=None, settings={**plan.settings, "seed": "seed.wav"})
    assert "chosen together" in why_never_again(continued)
    with pytest.raises(PlanError, match="does not hold what its voices were fitted to"):
        reselect_voices(
            replace(plan, spectra=None),
            units_of(plan, corpus.database),
            PlanSettings.of(plan).search.path,
        )


def test_spectra_of_other_bands_are_refused(plans, corpus):
    plan = plans[0]
    rows = np.ones((plan.spectra.n_rows, 3), np.float32)
    other = Spectra.of(rows, plan.spectra.f0, plan.spectra.n_samples)
    units = units_of(plan, corpus.database)
    with pytest.raises(PlanError, match="spectra have 3 bands, but those of the database have"):
        reselect_voices(
            dataclasses.replace(plan, spectra=other), units, PlanSettings.of(plan).search.path
        )
