"""Plans changed by hand and chosen anew, on real audio."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from audio.read import MAX_SAMPLES
from db.database import Database
from demiurge.bundled import SEED_FILE
from demiurge.domains import ALIKE, settle
from demiurge.plans.costs import refresh_costs, with_steps
from demiurge.plans.edit import (
    lock_steps,
    remove_steps,
    repeat_step,
    replace_unit,
)
from demiurge.plans.locate import position_of, positions_of
from demiurge.plans.make import make_step
from demiurge.plans.reselect import reselect
from demiurge.plans.settings import PlanSettings
from demiurge.renderer import Renderer
from demiurge.sequences import DescriptorSequence, describe
from files.errors import DatabaseError, ParameterError, PlanError
from playback.plan import Plan, Step
from playback.targets import Targets
from query.filters import Condition, Filters
from query.options import PathOptions
from query.settings import SearchSettings
from sequencer.sampling import SamplingOptions
from tests.demiurge.plans.databases import databases_of
from tests.query.test_path import runs

RATE = 44100
HOP = 1024
KINDS = {"frame": ("frame", False), "cut onsets": ("onset", False), "whole onsets": ("onset", True)}
RESTS = {
    "frame": 3.4,
    "cut onsets": 5.2,
    "whole onsets": 5.2,
}  # distances at which about a third of the seed rests
DEFAULT = PathOptions()
NO_FILTERS = Filters()
STAYING = (
    "source",
    "start_sample",
    "n_samples",
    "at_sample",
    "gain_db",
    "reverse",
    "transpose",
    "stretch",
    "target",
    "locked",
)


@pytest.fixture(scope="module")
def databases(tmp_path_factory) -> Callable[[str], Database]:
    return databases_of(tmp_path_factory.mktemp("editing"), every=6, seconds=3)


@pytest.fixture(scope="module")
def make(databases, tmp_path_factory) -> Callable[..., Plan]:
    """A plan of the seed, as the command writes it."""
    out = tmp_path_factory.mktemp("plans")

    @cache
    def made(
        kind: str,
        options: PathOptions = DEFAULT,
        filters: Filters = NO_FILTERS,
        variations: int = 1,
    ) -> Plan:
        units, whole_units = KINDS[kind]
        database = databases(units)
        described = describe(SEED_FILE, database.settings)
        target = DescriptorSequence(described.descriptors[:80], described.step_samples[:80])
        search = SearchSettings(options, variations, filters, {"mfcc0": 0.5})
        settings = PlanSettings(search=search, whole_units=whole_units)
        index = search.index(database, target.step_samples)
        settled = settle(ALIKE, index, target, search.path)
        rendering = Renderer(database, settings).render(index, settled, None, out / "o.wav")[-1]
        rendering.plan.save(out / "o.plan.json")
        return Plan.load(out / "o.plan.json")

    return made


def reselected(plan: Plan, database: Database, options: PathOptions | None = None) -> Plan:
    search = PlanSettings.of(plan).search
    index = search.index(database, np.array([step.n_samples for step in plan.steps]))
    return reselect(plan, index, options or search.path)


def places(plan: Plan) -> list[tuple[int, int]]:
    return [(step.at_sample, step.n_samples) for step in plan.steps]


def units(plan: Plan) -> np.ndarray:
    return np.array([step.unit for step in plan.steps])


def check_costs(plan: Plan, database: Database, continuity: float = 0.25) -> None:
    """All that is said of costs is what it is from the beginning."""
    fresh = refresh_costs(plan, range(len(plan.steps)), database)
    for step, again in zip(plan.steps, fresh.steps, strict=True):
        assert (step.distance, step.join) == pytest.approx((again.distance, again.join), abs=2e-6)
        for other, renewed in zip(step.alternatives, again.alternatives, strict=True):
            assert other["join"] == pytest.approx(renewed["join"], abs=2e-6)
    cost = sum(step.distance + continuity * step.join for step in plan.steps)
    assert plan.settings["cost"] == pytest.approx(cost, abs=1e-4)


def test_a_plan_says_what_was_wanted_and_where_the_alternatives_are(databases, make):
    plan = make("frame")
    database = databases("frame")
    np.testing.assert_array_equal(
        plan.targets.rows, describe(SEED_FILE, database.settings).descriptors[:80]
    )
    assert [step.target for step in plan.steps] == list(range(80))
    assert {len(step.alternatives) for step in plan.steps} == {8}
    for other in plan.steps[7].alternatives:
        at = database.units.find(np.array(other["unit"]))
        assert other["source"] == database.sources[database.units.source[at]].path
        assert other["start_sample"] == database.units.start_sample[at]
    check_costs(plan, database)


def test_a_selection_comes_back_from_the_settings_of_a_plan(make):
    filters = Filters(
        sources=("*a*",), milliseconds=(1.5, np.inf), where=(Condition("mfcc1", "<", 300.25),)
    )
    options = PathOptions(
        k=9, continuity=0.3, min_reuse=0.1, max_run=1.5, search="beam", random_seed=4
    )
    plan = make("frame", options, filters)
    settings = PlanSettings.of(plan)
    assert settings.search == SearchSettings(options, 1, filters, {"mfcc0": 0.5})
    assert settings.to_dict() == plan.settings
    assert PlanSettings.from_dict({"crossfade": {}}) == PlanSettings()


def test_settings_of_version_0_1_0_are_read_and_written_with_their_new_names():
    old = {"selection": {"seed": 4, "k": 9}, "seams": {"fade": "linear"}, "random_seed": 2, "x": 1}
    settings = PlanSettings.from_dict(old)
    assert settings.search.path == PathOptions(k=9, random_seed=4)
    assert settings.crossfade.fade == "linear"
    assert settings.sampling == SamplingOptions(random_seed=2)
    written = settings.to_dict()
    assert written["x"] == 1  # what somebody has written there stays
    assert not {"selection", "seams"} & set(written)
    assert PlanSettings.from_dict(written) == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": []}, r"path=\[\] must be an object with some of k, search, continuity"),
        ({"selection": []}, r"path=\[\] must be an object with some of k, search, continuity"),
        ({"path": {"speed": 1}}, "path={'speed': 1} must be an object with some of k, search"),
        ({"path": {"continuity": "much"}}, "path: continuity='much' must be a number"),
        ({"path": {"random_seed": 1.5}}, "path: random_seed=1.5 must be an integer"),
        ({"path": {"k": True}}, "path: k=True must be an integer"),
        ({"path": {"search": 1}}, "path: search=1 must be text"),
        ({"temperature": "hot"}, "temperature='hot' must be a number"),
        ({"path": {"novelty": -1}}, "novelty=-1 must be a finite number of at least 0"),
        ({"filters": {"colour": 1}}, "filters={'colour': 1} must be"),
        (
            {"weights": {"mfcc": -1}},
            "weights={'mfcc': -1} must be an object of numbers, 0 at least",
        ),
        ({"metric": 3}, "metric='3' must be one of l2, cosine"),
        ({"variation": 0}, "variation=0 must be an integer from 1 to 1000"),
    ],
)
def test_settings_that_ask_for_what_there_is_not_are_refused(settings, message):
    with pytest.raises(PlanError, match=f"the plan's settings: .*{message}"):
        PlanSettings.from_dict(settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "variations"),
    [
        (PathOptions(), 1),
        (PathOptions(continuity=1.0, novelty=0.5, min_reuse=0.3), 2),
        (PathOptions(max_run=0.7, search="beam"), 3),
    ],
)
def test_with_its_own_options_and_nothing_locked_a_plan_stays_as_it_is(
    databases, make, kind, options, variations
):
    plan = make(kind, options, variations=variations)
    assert reselected(plan, databases(KINDS[kind][0])) == plan


@pytest.mark.parametrize("kind", KINDS)
def test_so_it_does_with_rests_and_chance(databases, make, kind):
    plan = make(kind, PathOptions(temperature=1.0, rest_threshold=RESTS[kind], random_seed=3))
    gaps = sum(after.at_sample > before.until_sample for before, after in pairwise(plan.steps))
    assert gaps > 2
    assert reselected(plan, databases(KINDS[kind][0])) == plan


@pytest.mark.parametrize("kind", KINDS)
def test_the_rest_is_chosen_anew_around_what_is_locked(databases, make, kind):
    plan = make(kind, PathOptions(rest_threshold=RESTS[kind]))
    database = databases(KINDS[kind][0])
    locked = list(range(2, len(plan.steps), 5))
    plan = replace(lock_steps(plan, locked, True), tail_samples=77)
    changed = reselected(
        plan, database, PathOptions(continuity=2.0, novelty=2.0, temperature=1.0, random_seed=5)
    )
    assert places(changed) == places(plan)
    assert changed.n_samples == plan.n_samples
    assert (units(changed) != units(plan)).mean() > 0.3
    for number in locked:
        assert all(
            getattr(changed.steps[number], name) == getattr(plan.steps[number], name)
            for name in STAYING
        )
    assert changed.settings["path"]["novelty"] == 2.0
    assert {step.source for step in changed.steps} == set(changed.sources)
    for step in changed.steps:
        position = database.units.find(np.array(step.unit))
        assert database.units.samples_left[position] >= step.n_samples
        assert database.sources[database.units.source[position]].path == step.source
    check_costs(changed, database, continuity=2.0)


def test_more_continuity_makes_longer_runs_and_locked_everywhere_nothing_changes(databases, make):
    plan = make("frame")
    database = databases("frame")
    source = database.units.source
    lengths = []
    for continuity in (0.0, 0.25, 2.0):
        lengths.append(
            runs(
                database.units.find(
                    units(reselected(plan, database, PathOptions(continuity=continuity)))
                ),
                source,
            )
        )
    assert [len(of_one) for of_one in lengths] == sorted(
        (len(of_one) for of_one in lengths), reverse=True
    )
    locked = lock_steps(plan, range(80), True)
    assert (
        reselected(locked, database, PathOptions(continuity=3.0, random_seed=1)).steps
        == locked.steps
    )


def test_what_was_written_by_hand_stays_and_parts_what_is_around(databases, make):
    plan = make("frame")
    database = databases("frame")
    by_hand = Step(-1, plan.steps[9].source, 5, HOP, 9 * HOP, gain_db=-3.0)
    no_target = replace(plan.steps[20], target=-1, reverse=True)
    vanished = replace(plan.steps[30], unit=10**6, locked=True)
    steps = list(plan.steps)
    steps[9] = by_hand
    steps[20] = no_target
    steps[30] = vanished
    steps[50] = replace(by_hand, at_sample=50 * HOP, target=50)
    steps[40] = replace(steps[40], unit=10**6)  # not locked: another is found
    changed = reselected(replace(plan, steps=tuple(steps)), database, PathOptions(temperature=1.0))
    assert places(changed) == places(plan)
    assert changed.steps[9] == by_hand
    assert changed.steps[50] == steps[50]
    assert all(getattr(changed.steps[20], name) == getattr(no_target, name) for name in STAYING)
    assert changed.steps[30] == vanished
    assert changed.steps[10].join == changed.steps[31].join == 0
    assert changed.steps[40].unit < 10**6


def test_a_locked_step_that_outlasts_its_source_stays(databases, make):
    plan = make("frame")
    database = databases("frame")
    last = int(np.flatnonzero(database.units.samples_left < HOP)[0])
    source = database.sources[database.units.source[last]].path
    start = int(database.units.start_sample[last])
    place = {"unit": int(database.units.ids[last]), "source": source, "start_sample": start}
    stretched = replace(plan.steps[30], **place, stretch=HOP / 100, locked=True)
    changed = reselected(
        replace(plan, steps=(*plan.steps[:30], stretched, *plan.steps[31:])), database
    )
    assert all(getattr(changed.steps[30], name) == getattr(stretched, name) for name in STAYING)


def test_a_plan_whose_last_step_rests_now_is_as_long_as_before(databases, make):
    plan = make("frame")
    database = databases("frame")
    nearest = [
        min([step.distance, *(other["distance"] for other in step.alternatives)])
        for step in plan.steps
    ]
    last = int(np.argmax(nearest[40:])) + 40
    plan = replace(plan, steps=plan.steps[: last + 1])
    changed = reselected(plan, database, PathOptions(rest_threshold=0.999 * nearest[last]))
    assert changed.steps[-1].at_sample < last * HOP
    assert changed.n_samples == plan.n_samples


def test_gain_and_transformations_stay_with_their_unit_only(databases, make):
    plan = make("frame")
    database = databases("frame")
    louder = replace(
        plan, steps=tuple(replace(step, gain_db=-2.0, transpose=3.0) for step in plan.steps)
    )
    changed = reselected(louder, database, PathOptions(temperature=0.5))
    same = units(changed) == units(plan)
    assert 0 < same.sum() < 80
    assert [(step.gain_db, step.transpose) for step in changed.steps] == [
        (-2.0, 3.0) if one else (0.0, 0.0) for one in same
    ]


def test_stretched_units_that_go_on_in_their_source_join_at_no_cost(databases, make):
    plan = make("frame")
    database = databases("frame")
    position = int(np.flatnonzero(database.units.samples_left > 5 * HOP)[0])
    path = [
        make_step(database, position + i, n_samples=n, at_sample=at, stretch=1.1, join=9.0)
        for i, (n, at) in enumerate([(1126, 0), (1127, 1126), (1126, 2253)])
    ]
    assert [step.end_sample - step.start_sample for step in path] == [HOP, HOP + 1, HOP]
    changed = refresh_costs(with_steps(plan, tuple(path)), range(3), database)
    assert [step.join for step in changed.steps] == [0.0, 0.0, 0.0]


def test_what_is_reserved_for_a_locked_step_is_not_played_just_before_or_behind(databases, make):
    plan = make("frame")
    database = databases("frame")
    wanted = int(plan.steps[30].unit)
    plan = lock_steps(replace_unit(plan, 40, wanted, database), [40], True)
    changed = reselected(plan, database, PathOptions(min_reuse=0.5))
    near = np.flatnonzero(units(changed) == wanted)
    assert ((near == 40) | (np.abs(near - 40) * HOP >= 0.5 * RATE)).all()


def test_another_unit_is_played_from_its_start_with_its_own_costs(databases, make):
    plan = make("frame")
    database = databases("frame")
    other = plan.steps[12].alternatives[3]
    changed = replace_unit(lock_steps(plan, [12], True), 12, other["unit"], database)
    step = changed.steps[12]
    assert (step.unit, step.source, step.start_sample) == (
        other["unit"],
        other["source"],
        other["start_sample"],
    )
    assert (step.at_sample, step.n_samples, step.target, step.locked) == (12 * HOP, HOP, 12, True)
    assert (step.distance, step.join) == pytest.approx((other["distance"], other["join"]), abs=2e-6)
    kept = [before == after for before, after in zip(plan.steps, changed.steps, strict=True)]
    assert [number for number, same in enumerate(kept) if not same] == [12, 13]
    listed = [one["unit"] for one in step.alternatives]
    assert other["unit"] not in listed
    assert plan.steps[12].unit in listed
    assert [one["distance"] for one in step.alternatives] == sorted(
        one["distance"] for one in step.alternatives
    )
    check_costs(changed, database)
    assert {one.source for one in changed.steps} == set(changed.sources)
    back = replace_unit(changed, 12, plan.steps[12].unit, database)
    assert units(back).tolist() == units(plan).tolist()
    assert back.settings["cost"] == pytest.approx(plan.settings["cost"], abs=1e-5)


def test_a_unit_played_from_its_middle_to_its_end_is_joined_by_what_follows_it(databases, make):
    database = databases("frame")
    plan = make("frame")
    first = int(np.flatnonzero(database.units.samples_left > 2 * HOP)[0])
    source = database.sources[database.units.source[first]].path
    start = int(database.units.start_sample[first])
    units = database.units.ids[first : first + 2].tolist()
    half = Step(units[0], source, start + HOP // 2, HOP // 2, 0)
    for from_sample, joined in ((start + HOP, True), (start + HOP // 2, False)):
        plan = replace(
            plan,
            steps=(
                replace(half, start_sample=from_sample - HOP // 2),
                Step(units[1], source, start + HOP, HOP, HOP // 2),
            ),
        )
        assert (refresh_costs(plan, [1], database).steps[1].join == 0) == joined


def test_a_source_that_is_over_sooner_makes_the_step_shorter(databases, make):
    plan = make("whole onsets")
    database = databases("onset")
    number = int(np.argmax([step.n_samples for step in plan.steps[:-1]]))
    shortest = int(database.units.ids[np.argmin(database.units.samples_left)])
    changed = replace_unit(plan, number, shortest, database)
    assert (
        changed.steps[number].n_samples
        == database.units.samples_left.min()
        < plan.steps[number].n_samples
    )
    assert [step.at_sample for step in changed.steps] == [step.at_sample for step in plan.steps]
    assert changed.steps[number + 1].join == 0  # behind a gap
    check_costs(changed, database)


def test_a_repeated_step_moves_what_follows_and_removing_it_again_moves_it_back(databases, make):
    plan = make("frame", PathOptions(rest_threshold=RESTS["frame"]))
    database = databases("frame")
    number = next(
        n
        for n in range(len(plan.steps) - 1)
        if plan.steps[n].until_sample < plan.steps[n + 1].at_sample
    )
    longer = refresh_costs(repeat_step(plan, number, 3), range(number + 1, number + 5), database)
    assert longer.n_samples == plan.n_samples + 3 * HOP
    again = longer.steps[number : number + 4]
    assert {step.unit for step in again} == {plan.steps[number].unit}
    assert [step.at_sample for step in again] == [
        plan.steps[number].at_sample + i * HOP for i in range(4)
    ]
    assert [step.at_sample - 3 * HOP for step in longer.steps[number + 4 :]] == [
        s.at_sample for s in plan.steps[number + 1 :]
    ]
    check_costs(longer, database)
    shorter = remove_steps(longer, [number + 2, number + 1, number + 3, number + 1])
    assert refresh_costs(shorter, [number + 1], database) == plan


@pytest.mark.parametrize(
    "numbers", [[0], [3, 4, 9], list(range(1, 80)), list(range(79)), [79], [70, 78, 79]]
)
def test_a_plan_is_shorter_by_the_steps_that_are_removed(make, numbers):
    plan = replace(make("frame"), tail_samples=5)
    shorter = remove_steps(plan, numbers)
    assert shorter.n_samples == plan.n_samples - len(numbers) * HOP
    assert [step.unit for step in shorter.steps] == [
        step.unit for n, step in enumerate(plan.steps) if n not in numbers
    ]
    assert all(a.until_sample <= b.at_sample for a, b in pairwise(shorter.steps))


def test_silence_before_a_last_step_that_is_removed_stays(make):
    steps = make("frame").steps[:2]
    plan = replace(
        make("frame"), steps=(steps[0], replace(steps[1], at_sample=5000)), tail_samples=5
    )
    assert remove_steps(plan, [1]).n_samples == 5005


def test_steps_are_locked_and_unlocked(make):
    plan = make("frame")
    locked = lock_steps(plan, [1, 5, 5], True)
    assert [n for n, step in enumerate(locked.steps) if step.locked] == [1, 5]
    assert lock_steps(locked, range(80), False) == plan
    assert locked.identity == plan.identity


def test_a_plan_without_settings_is_edited_with_the_defaults(databases, make):
    plan = replace(make("frame"), settings={}, sources={})
    database = databases("frame")
    changed = replace_unit(plan, 3, 7, database)
    assert changed.settings == {}
    assert changed.steps[3].unit == 7
    assert asdict(reselected(plan, database, PathOptions(k=4)))["settings"]["path"]["k"] == 4


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (
            lambda plan, db: replace_unit(plan, 80, 1, db),
            ParameterError,
            "there is no step 80: the plan has steps 0 to 79",
        ),
        (lambda plan, db: replace_unit(plan, -1, 1, db), ParameterError, "there is no step -1"),
        (lambda plan, db: replace_unit(plan, True, 1, db), ParameterError, "there is no step True"),
        (
            lambda plan, db: replace_unit(plan, 1, 10**9, db),
            ParameterError,
            "unit 1000000000 is not in .*; give one of its",
        ),
        (
            lambda plan, db: replace_unit(plan, 1, 1 << 70, db),
            ParameterError,
            "unit 1180591620717411303424 is not in",
        ),
        (lambda plan, db: replace_unit(plan, 1, "7", db), ParameterError, "unit '7' is not in"),
        (lambda plan, db: repeat_step(plan, 99, 1), ParameterError, "there is no step 99"),
        (
            lambda plan, db: repeat_step(plan, 1, 0),
            ParameterError,
            "times=0 must be an integer from 1 to 100 to repeat",
        ),
        (lambda plan, db: repeat_step(plan, 1, 101), ParameterError, "times=101 must be"),
        (lambda plan, db: repeat_step(plan, 1, 1.5), ParameterError, "times=1.5 must be"),
        (
            lambda plan, db: repeat_step(replace(plan, tail_samples=MAX_SAMPLES - 81 * HOP), 1, 2),
            ParameterError,
            "times=2 must be an integer from 1 to 1 to repeat step 1",
        ),
        (lambda plan, db: remove_steps(plan, [3, 80]), ParameterError, "there is no step 80"),
        (
            lambda plan, db: remove_steps(plan, range(80)),
            ParameterError,
            "all 80 steps cannot be removed: .*; leave one",
        ),
        (lambda plan, db: lock_steps(plan, ["1"], True), ParameterError, "there is no step '1'"),
        (
            lambda plan, db: lock_steps(plan, [1], 1),
            ParameterError,
            "locked=1 must be true or false",
        ),
        (lambda plan, db: refresh_costs(plan, [80], db), ParameterError, "there is no step 80"),
        (
            lambda plan, db: reselected(replace(plan, targets=None), db),
            PlanError,
            "the plan holds no targets to choose units for; make it again",
        ),
        (
            lambda plan, db: reselected(replace(plan, targets=Targets.of(np.zeros((80, 5)))), db),
            PlanError,
            "the plan's targets have 5 descriptors, but the database has 39; make the plan again",
        ),
        (
            lambda plan, db: reselected(replace(plan, database={"id": "another", "root": "."}), db),
            PlanError,
            "the plan was made from database another, .* is .*; open it with its own",
        ),
        (
            lambda plan, db: reselected(plan, db, PathOptions(k=10**6)),
            ParameterError,
            "k=1000000 must be between 1 and",
        ),
    ],
)
def test_what_cannot_be_done_is_said(databases, make, edit, error, message):
    with pytest.raises(error, match=message):
        edit(make("frame"), databases("frame"))


def test_a_unit_of_a_missing_source_is_not_chosen_by_hand(databases, make, tmp_path):
    database = Database(databases("frame").path, root=tmp_path)
    with pytest.raises(DatabaseError, match=r"1 source is not in .*: .*\.wav; put it back"):
        replace_unit(make("frame"), 3, 7, database)


def test_units_of_missing_sources_are_not_chosen_anew(databases, make, tmp_path):
    plan = make("frame")
    database = Database(databases("frame").path, root=tmp_path)
    with pytest.raises(DatabaseError, match=r"sources are not in .*: .*\.wav.*; put them back"):
        reselected(plan, database, PathOptions(novelty=2.0, temperature=1.0))
    assert reselected(plan, database) == plan  # nothing is played that was not before


def test_a_plan_of_another_rate_is_refused(databases, make):
    plan = replace(make("frame"), sample_rate=48000)
    database = databases("frame")
    for edit in (lambda: replace_unit(plan, 3, 7, database), lambda: reselected(plan, database)):
        with pytest.raises(
            PlanError,
            match="the plan has a sample rate of 48000 Hz, .* one of 44100; make the plan again",
        ):
            edit()


def test_a_unit_is_known_only_in_its_own_source(databases, make):
    plan = make("frame")
    database = databases("frame")
    other = next(source.path for source in database.sources if source.path != plan.steps[1].source)
    steps = [
        plan.steps[0],
        replace(plan.steps[1], source=other),
        replace(plan.steps[2], unit=10**6),
        plan.steps[3],
    ]
    found = positions_of(steps, database)
    assert found.tolist() == [position_of(step, database) for step in steps]
    assert (found[1:3] == -1).all()
    assert database.units.ids[found[[0, 3]]].tolist() == [plan.steps[0].unit, plan.steps[3].unit]
