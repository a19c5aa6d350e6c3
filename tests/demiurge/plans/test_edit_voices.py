"""Edits of plans of several voices, which stay together, and of ramps."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from audio.read import MAX_SAMPLES
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from demiurge.plans.costs import refresh_costs
from demiurge.plans.edit import (
    lock_steps,
    remove_steps,
    repeat_step,
    replace_unit,
)
from files.errors import ParameterError
from playback.plan import Plan, Step

HOP = 1024


def made(*steps: Step, tail_samples: int = 0) -> Plan:
    return Plan(44100, 1, {"id": "x", "root": "."}, steps, tail_samples=tail_samples)


def run_of(n_steps: int, *, voice: int = 0, source: str = "a.wav") -> list[Step]:
    """Steps that go on in their source, the gain gliding from one to the next."""
    return [
        Step(i, source, i * HOP, HOP, i * HOP, gain_db=-float(i), voice=voice, ramp=i > 0)
        for i in range(n_steps)
    ]


TWO = made(*run_of(4), *run_of(3, voice=1), tail_samples=9)


def ramps(plan: Plan) -> list[bool]:
    return [step.ramp for step in plan.steps]


def test_what_is_removed_of_a_voice_leaves_silence():
    shorter = remove_steps(TWO, [1, 6])
    assert [step.at_sample // HOP for step in shorter.steps] == [0, 2, 3, 0, 1]
    assert ramps(shorter) == [False, False, True, False, True]
    assert shorter.n_samples == TWO.n_samples


@pytest.mark.parametrize("numbers", [[3], [2, 3], [0, 1, 2, 3], [4, 5, 6]])
def test_a_plan_of_voices_is_as_long_without_some_of_its_steps(numbers, tmp_path):
    shorter = remove_steps(TWO, numbers)
    assert shorter.n_samples == TWO.n_samples
    shorter.save(tmp_path / "p.json")
    assert Plan.load(tmp_path / "p.json") == shorter


def test_of_one_voice_a_ramp_goes_with_the_step_that_it_went_on_from(tmp_path):
    plan = made(*run_of(4))
    shorter = remove_steps(plan, [1])
    assert [step.at_sample // HOP for step in shorter.steps] == [0, 1, 2]
    assert ramps(shorter) == [False, False, True]
    longer = repeat_step(plan, 1, 2)
    assert ramps(longer) == [False, True, False, False, True, True]
    for edited in (shorter, longer):
        edited.save(tmp_path / "p.json")


def test_a_step_of_a_voice_is_repeated_in_the_silence_behind_it():
    gap = remove_steps(TWO, [1, 2])
    longer = repeat_step(gap, 0, 2)
    assert [step.at_sample // HOP for step in longer.steps] == [0, 1, 2, 3, 0, 1, 2]
    assert longer.n_samples == TWO.n_samples
    with pytest.raises(ParameterError, match="times=3 must be an integer from 1 to 2 to repeat"):
        repeat_step(gap, 0, 3)
    with pytest.raises(ParameterError, match="times=True must be an integer from 1 to 2"):
        repeat_step(gap, 0, True)


def test_the_last_step_of_a_voice_may_be_repeated_past_the_end():
    assert repeat_step(TWO, 6, 1).n_samples == TWO.n_samples
    assert repeat_step(TWO, 6, 3).n_samples == 6 * HOP
    late = replace(TWO.steps[-1], at_sample=MAX_SAMPLES - 3 * HOP // 2, ramp=False)
    with pytest.raises(ParameterError, match="step 6 cannot be repeated: there is no room"):
        repeat_step(replace(TWO, steps=(*TWO.steps[:-1], late)), 6, 1)


def test_a_step_of_a_voice_without_room_is_not_repeated():
    with pytest.raises(
        ParameterError,
        match="step 4 cannot be repeated: there is no room behind it in voice 1, and in a plan of"
        " several voices no step is moved; remove what follows it first",
    ):
        repeat_step(TWO, 4, 1)


def test_locking_keeps_voices_and_ramps():
    locked = lock_steps(TWO, [2, 5], True)
    assert [replace(step, locked=False) for step in locked.steps] == list(TWO.steps)


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Database:
    folder = tmp_path_factory.mktemp("voices")
    (folder / "sounds").mkdir()
    for path in sorted(CORPUS_DIR.glob("*.ogg"))[:2]:
        samples, rate = sf.read(path)
        sf.write(folder / "sounds" / f"{path.stem}.wav", samples[:rate], rate)
    build_database(folder / "sounds", folder / "my.db", settings=DescriptorSettings())
    return Database(folder / "my.db")


def of_database(database: Database, *voices: list[int], **how) -> Plan:
    """Voices of frames, by their positions; those that go on in their source have ramps."""
    units = database.units
    steps = []
    for voice, positions in enumerate(voices):
        for number, position in enumerate(positions):
            goes_on = number > 0 and position == positions[number - 1] + 1
            place = database.sources[units.source[position]].path, int(units.start_sample[position])
            unit = int(units.ids[position])
            where = {"n_samples": HOP, "at_sample": number * HOP, "voice": voice, "ramp": goes_on}
            steps.append(Step(unit, *place, **where, **how))
    root = str(database.root)
    return Plan(database.sample_rate, 1, {"id": database.id, "root": root}, tuple(steps))


def test_another_unit_stays_in_its_voice_with_its_gain(database):
    plan = of_database(database, [3, 4, 5], [10, 11, 12], gain_db=-7.0)
    changed = replace_unit(plan, 4, int(database.units.ids[20]), database)
    step = changed.steps[4]
    assert (step.voice, step.gain_db, step.at_sample, step.ramp) == (1, -7.0, HOP, False)
    assert ramps(changed) == [False, True, True, False, False, False]
    assert changed.steps[:4] == plan.steps[:4]
    alone = replace_unit(of_database(database, [3, 4, 5], gain_db=-7.0), 1, step.unit, database)
    assert alone.steps[1].gain_db == 0
    assert ramps(alone) == [False, False, False]


def test_a_step_joins_the_one_before_in_its_own_voice(database):
    positions = [[3, 30, 7], [30, 7, 3]]
    both = of_database(database, *positions)
    fresh = refresh_costs(both, range(6), database)
    for voice, alone in enumerate(positions):
        plan = of_database(database, alone)
        joins = [step.join for step in refresh_costs(plan, range(3), database).steps]
        assert [fresh.steps[n].join for n in fresh.voices[voice]] == joins
        assert np.count_nonzero(joins) == 2


def test_another_unit_at_the_end_of_a_voice_leaves_the_next_voice_alone(database):
    plan = of_database(database, [3, 30], [40, 50])
    changed = replace_unit(plan, 1, int(database.units.ids[20]), database)
    assert changed.steps[2:] == plan.steps[2:]
