"""Plan files by id: their facts, and the names under which edited ones are saved."""

from dataclasses import replace

from demiurge.web.plans import Plans
from playback.plan import Plan


def test_a_changed_file_is_read_again_and_no_other(rebuilt, tmp_path, monkeypatch):
    plan = Plan.load(rebuilt)
    for name in ("a", "b"):
        plan.save(tmp_path / f"{name}.plan.json")
    plans = Plans(tmp_path)
    assert {one["name"]: one["steps"] for one in plans.documents()} == {
        "a": len(plan.steps),
        "b": len(plan.steps),
    }
    read = []
    load = Plan.load
    monkeypatch.setattr(
        Plan, "load", lambda path, **options: read.append(path.name) or load(path, **options)
    )
    replace(plan, steps=plan.steps[:-1]).save(tmp_path / "a.plan.json")
    assert {one["name"]: one["steps"] for one in plans.documents()} == {
        "a": len(plan.steps) - 1,
        "b": len(plan.steps),
    }
    assert read == ["a.plan.json"]


def test_numbers_count_on_in_the_folder_and_are_part_of_the_name_elsewhere(rebuilt, tmp_path):
    plan = Plan.load(rebuilt)
    plans = Plans(tmp_path / "plans")
    elsewhere = tmp_path / "take-7.plan.json"
    plan.save(elsewhere)
    saved = plans.save_edited(plan, plans.add(elsewhere, kind="opened"))
    assert saved.path == tmp_path / "plans" / "take-7-2.plan.json"
    assert plans.save_edited(plan, saved).name == "take-7-3"
