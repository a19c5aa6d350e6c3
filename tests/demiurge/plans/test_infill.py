"""Some steps of a plan are kept, the others chosen again by a masked model; on real audio."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import soundfile as sf
import torch

from db.database import Database
from demiurge.bundled import SEED_FILE
from demiurge.domains import ALIKE, settle
from demiurge.plans.edit import lock_steps, repeat_step
from demiurge.plans.infill import infill_plan, kept_of_plan, recorded
from demiurge.plans.settings import PlanSettings
from demiurge.renderer import Renderer
from demiurge.sequences import DescriptorSequence, describe
from files.errors import DatabaseError, ParameterError, PlanError
from playback.plan import Plan
from playback.render import render
from playback.steps import NO_UNIT
from query.options import PathOptions
from query.settings import SearchSettings
from sequencer.infill import InfillOptions
from sequencer.prompts import parse_prompts
from tests.demiurge.plans.databases import databases_of
from tests.demiurge.plans.masked_model import masked_model

RATE = 44100
N_STEPS = 40


@pytest.fixture(scope="module")
def databases(tmp_path_factory) -> Callable[[str], Database]:
    return databases_of(tmp_path_factory.mktemp("infilling"), every=12, seconds=2)


@pytest.fixture(scope="module")
def make(databases, tmp_path_factory) -> Callable[..., Plan]:
    """A plan of the first steps of the seed, as the command writes it."""
    out = tmp_path_factory.mktemp("plans")

    @cache
    def made(units: str, rest_threshold: float = np.inf) -> Plan:
        database = databases(units)
        described = describe(SEED_FILE, database.settings)
        target = DescriptorSequence(
            described.descriptors[:N_STEPS], described.step_samples[:N_STEPS]
        )
        search = SearchSettings(PathOptions(rest_threshold=rest_threshold))
        settings = PlanSettings(search=search)
        index = search.index(database, target.step_samples)
        settled = settle(ALIKE, index, target, search.path)
        return Renderer(database, settings).render(index, settled, None, out / "o.wav")[0].plan

    return made


def filled(plan: Plan, database: Database, *texts: str, seed: int = 0, model=None) -> Plan:
    model = model or masked_model(database)
    prompts = parse_prompts(texts)
    kept = kept_of_plan(plan, database, prompts, model.levels)
    lengths = np.array([step.n_samples for step in plan.steps])
    index = PlanSettings.of(plan).search.index(database, lengths)
    generator = torch.Generator().manual_seed(seed)
    return infill_plan(plan, index, model, kept, InfillOptions(passes=3), generator=generator)


def without_join(step):
    """A step without what depends on the step before it."""
    alternatives = tuple({**other, "join": 0.0} for other in step.alternatives)
    return replace(step, join=0.0, alternatives=alternatives)


@pytest.mark.parametrize("units", ["frame", "onset"])
def test_kept_steps_stay_as_they_are_and_the_others_keep_their_places(databases, make, units):
    plan = make(units)
    database = databases(units)
    made = filled(plan, database, "periodic:4/2")
    places = [(step.at_sample, step.n_samples) for step in plan.steps]
    assert [(step.at_sample, step.n_samples) for step in made.steps] == places
    kept = [number for number in range(len(plan.steps)) if number % 4 < 2]
    for number in kept:
        assert without_join(made.steps[number]) == without_join(plan.steps[number])
        if number % 4 == 1:  # behind another kept step
            assert made.steps[number] == plan.steps[number]
    free = sorted(set(range(len(plan.steps))) - set(kept))
    changed = [number for number in free if made.steps[number].unit != plan.steps[number].unit]
    assert len(changed) > len(free) / 3
    assert made.n_samples == plan.n_samples


def test_what_is_kept_sounds_the_same(databases, make, tmp_path):
    plan = make("frame")
    made = filled(plan, databases("frame"), "prefix:0.5")
    for name, one in (("before", plan), ("after", made)):
        render(one, tmp_path / f"{name}.wav")
    before, after = (sf.read(tmp_path / f"{name}.wav")[0] for name in ("before", "after"))
    assert len(before) == len(after) == plan.n_samples
    same = (before == after).all(axis=-1) if before.ndim > 1 else before == after
    assert same[: RATE // 2 - 4 * 1024].all()
    assert not same.all()


def test_free_steps_are_chosen_for_what_the_model_wants(databases, make):
    """Their targets are restored from tokens; those of kept steps have not changed."""
    plan = make("onset")
    database = databases("onset")
    model = masked_model(database)
    made = filled(plan, database, "periodic:2", model=model)
    assert plan.targets is not None
    assert made.targets is not None
    before = plan.targets.rows
    after = made.targets.rows
    for number, (old, new) in enumerate(zip(plan.steps, made.steps, strict=True)):
        wanted = after[new.target]
        if number % 2 == 0:
            assert (wanted == before[old.target]).all()
            continue
        scores = model.normalise(torch.from_numpy(wanted.copy()))
        first, second = model.head.quantiser.codebooks
        sums = (first[:, None] + second).clamp(model.low, model.high)
        assert (sums - scores).abs().amax(-1).min() < 1e-3


def test_the_same_seed_makes_the_same_plan_and_another_another(databases, make):
    plan = make("frame")
    database = databases("frame")
    first = filled(plan, database, "random:0.3", seed=3)
    assert filled(plan, database, "random:0.3", seed=3) == first
    assert filled(plan, database, "random:0.3", seed=4) != first


def test_locked_steps_stay_and_stay_locked(databases, make):
    plan = lock_steps(make("frame"), [7, 8], True)
    made = filled(plan, databases("frame"), "prefix:0.1")
    assert [n for n, step in enumerate(made.steps) if step.locked] == [7, 8]
    assert without_join(made.steps[7]) == without_join(plan.steps[7])
    assert made.steps[8] == plan.steps[8]
    only = filled(plan, databases("frame"), "locked")
    assert without_join(only.steps[7]) == without_join(plan.steps[7])


def test_the_lowest_codebook_alone_keeps_no_step_but_near_what_it_was(databases, make):
    plan = make("frame")
    database = databases("frame")
    prompts = parse_prompts(["codebooks:1"])
    kept = kept_of_plan(plan, database, prompts, 2)
    assert kept.tokens[:, 0].all()
    assert not kept.steps.any()
    model = masked_model(database, bits=5)
    near = filled(plan, database, "codebooks:1", model=model)
    far = filled(plan, database, "steps:0", model=model)
    space = PlanSettings.of(plan).search.space(database)

    def change(made):
        pairs = [
            [int(database.units.find(one.steps[n].unit)) for n in range(1, len(plan.steps))]
            for one in (plan, made)
        ]
        vectors = [space.unit_vectors(np.array(positions)) for positions in pairs]
        return float(space.distances(*vectors).mean())

    assert change(near) < 0.9 * change(far)


def test_a_repeated_step_gets_a_target_of_its_own(databases, make):
    plan = repeat_step(make("frame"), 5, 1)
    assert plan.steps[5].target == plan.steps[6].target
    made = filled(plan, databases("frame"), "steps:0-5")
    assert made.steps[5].target == plan.steps[5].target
    assert made.steps[6].target == len(plan.targets.rows)
    assert (made.targets.rows[:6] == plan.targets.rows[:6]).all()


def test_steps_by_hand_and_of_unknown_units_stay(databases, make):
    plan = make("frame")
    steps = list(plan.steps)
    steps[3] = replace(steps[3], unit=NO_UNIT)
    steps[4] = replace(steps[4], unit=10**6)
    plan = replace(plan, steps=tuple(steps))
    made = filled(plan, databases("frame"), "steps:0")
    for number in (3, 4):
        assert without_join(made.steps[number]) == without_join(plan.steps[number])


def test_rests_stay_where_they_are(databases, make):
    """A rest has no step; of the others one may become one, as when units are chosen again."""
    plan = make("frame", float(np.median([step.distance for step in make("frame").steps])))
    assert 5 < len(plan.steps) < N_STEPS
    made = filled(plan, databases("frame"), "periodic:3")
    ats = {step.at_sample for step in plan.steps}
    assert {step.at_sample for step in made.steps} <= ats
    assert {step.at_sample for step in plan.steps[::3]} <= {step.at_sample for step in made.steps}
    assert made.n_samples == plan.n_samples


def test_onsets_are_those_of_the_sound(databases, make, monkeypatch):
    plan = make("onset")
    heard = []

    def find(audio, rate):
        heard.append((audio.shape, rate))
        return np.array([plan.steps[2].at_sample / rate + 0.001])

    monkeypatch.setattr("demiurge.plans.infill.find_onsets", find)
    kept = kept_of_plan(plan, databases("onset"), parse_prompts(["onsets"]), 2)
    assert heard == [((plan.n_samples,), RATE)]
    assert kept.steps.nonzero()[0].tolist() == [2]


def test_the_plan_says_how_it_was_made(databases, make):
    plan = make("frame")
    prompts = parse_prompts(["periodic:2"])
    made = recorded(plan, "my.model", prompts, InfillOptions())
    assert made.settings["infill"] == {
        "model": "my.model",
        "keep": ["periodic:2"],
        "temperature": 1.0,
        "top_p": 1.0,
        "random_seed": 0,
        "passes": 12,
        "mask_temperature": 10.5,
    }
    assert PlanSettings.of(made).to_dict() == made.settings


def test_nothing_kept_and_nothing_free_are_refused(databases, make):
    plan = make("frame")
    with pytest.raises(ParameterError, match="prefix:0: none of the .* steps is kept; keep more"):
        filled(plan, databases("frame"), "prefix:0")
    with pytest.raises(ParameterError, match="prefix:99: all .* steps stay as they are.*fewer"):
        filled(plan, databases("frame"), "prefix:99")


def test_plans_and_models_that_do_not_fit_are_refused(databases, make):
    plan = make("frame")
    database = databases("frame")
    with pytest.raises(PlanError, match="the plan was made from database"):
        filled(plan, databases("onset"), "steps:0")
    other = masked_model(databases("onset"))
    with pytest.raises(DatabaseError, match="the masked model"):
        filled(plan, database, "steps:0", model=other)
    several = replace(plan, steps=(*plan.steps, replace(plan.steps[0], voice=1)))
    with pytest.raises(PlanError, match="a masked model knows one voice only; make a plan of one"):
        filled(several, database, "steps:0")
