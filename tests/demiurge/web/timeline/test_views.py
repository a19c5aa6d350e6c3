"""Plans in the page, as a client asks for them: shown, played, edited, saved, downloaded."""

import io
import os
import shutil
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from starlette.responses import Response

from demiurge.cli import main
from demiurge.plans.costs import refresh_costs
from demiurge.plans.edit import remove_steps, replace_unit
from demiurge.web.timeline import views as timeline
from demiurge.web.timeline.downloads import KINDS
from demiurge.web.workspace import Workspace
from files.errors import PlanError
from playback.plan import Plan, Step
from query.settings import SearchSettings
from tests.demiurge.web.conftest import SOUNDS, visit, wait_until

RATE = 44100


@pytest.fixture
def workspace(built, rebuilt, tmp_path, monkeypatch) -> Workspace:
    """A workspace that was opened with the plan."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(rebuilt, tmp_path / "tabla.plan.json")
    return Workspace(
        built / "small.db", plans=[tmp_path / "tabla.plan.json"], folder=tmp_path / "plans"
    )


@pytest.fixture
def plan(client) -> str:
    """The address of the plan."""
    return "/plans/" + client.get("/").headers["location"].removeprefix("/timeline/")


def facts(client, plan) -> dict:
    return client.get(f"{plan}.json").json()


def edit(client, plan, revision=None, **wanted):
    revision = facts(client, plan)["revision"] if revision is None else revision
    return client.post(f"{plan}/edits", json={"revision": revision, "edit": wanted})


def edited(client, plan, **wanted) -> dict:
    """Edit a plan; return its document, made of the old one and the answer, which must be right."""
    before = facts(client, plan)
    answer = edit(client, plan, before["revision"], **wanted)
    assert answer.status_code == 200, answer.text
    after = applied(before, answer.json())
    expected = facts(client, plan)
    assert after.keys() - {"change"} == expected.keys()
    for name in expected.keys() - {"settings", "sources", "steps"}:
        assert after[name] == expected[name], name
    assert with_paths(after) == with_paths(expected)
    return after


def applied(document: dict, answer: dict) -> dict:
    """Apply the answer to an edit to the document before it, as the page does."""
    answer = dict(answer)
    first, stop, shift = (answer.pop(name) for name in ("start", "stop", "shift"))
    assert answer.pop("missing") == {}
    columns = answer.pop("steps")
    named = answer.pop("sources")
    sources = document["sources"] + [one for one in named if one not in document["sources"]]
    columns["source"] = [sources.index(named[number]) for number in columns["source"]]
    steps = {}
    for name, old in document["steps"].items():
        after = [at + shift for at in old[stop:]] if name == "at_sample" else old[stop:]
        steps[name] = old[:first] + columns[name] + after
    return document | answer | {"steps": steps, "sources": sources}


def with_paths(document: dict) -> dict:
    """The steps, with the path of each one's source."""
    paths = [document["sources"][number]["path"] for number in document["steps"]["source"]]
    return document["steps"] | {"source": paths}


def floats(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, "<f4")


def sound(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return sf.read(io.BytesIO(answer.content), dtype="float32", always_2d=True)[0]


def run(*arguments) -> None:
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.output


def test_plan_is_shown_as_it_is(client, plan, rebuilt):
    loaded = Plan.load(rebuilt)
    shown = facts(client, plan)
    assert (shown["name"], shown["dirty"], shown["can_undo"], shown["can_redo"]) == (
        "tabla",
        False,
        False,
        False,
    )
    assert shown["audio"] == {"state": "ready", "done": 1.0, "error": None, "gain_db": 0.0}
    assert (shown["n_samples"], shown["sample_rate"], shown["has_targets"]) == (
        loaded.n_samples,
        RATE,
        True,
    )
    assert shown["options"]["continuity"] == 0.25
    assert shown["options"]["max_run"] is None
    assert shown["notes"] == []
    assert len(shown["descriptors"]) == 39
    steps = shown["steps"]
    for name in (
        "unit",
        "start_sample",
        "n_samples",
        "at_sample",
        "distance",
        "join",
        "target",
        "locked",
    ):
        assert steps[name] == [getattr(step, name) for step in loaded.steps]
    assert [shown["sources"][number]["path"] for number in steps["source"]] == [
        step.source for step in loaded.steps
    ]
    goes_on = [
        a.source == b.source and a.end_sample == b.start_sample for a, b in pairwise(loaded.steps)
    ]
    assert steps["contiguous"] == [False, *goes_on]


def test_sound_of_a_revision_is_had_under_the_old_name_after_saving(client, plan):
    assert edit(client, plan, kind="remove", steps=[0]).status_code == 200
    revision = facts(client, plan)["revision"]
    before = client.get(f"{plan}/audio.wav?revision={revision}")
    saved = client.post(f"{plan}/save", json={}).json()["id"]
    assert f"/plans/{saved}" != plan
    after = client.get(
        f"{plan}/audio.wav?revision={revision}"
    )  # the page still plays what it asked for before
    assert (after.status_code, after.content) == (200, before.content)
    assert client.get(f"/plans/{saved}/audio.wav?revision={revision}").content == before.content


def test_sound_is_that_of_the_plan_whole_and_in_parts(client, plan, rebuilt):
    whole = client.get(f"{plan}/audio.wav")
    rendered, _ = sf.read(rebuilt.with_name("tabla.wav"), dtype="float32", always_2d=True)
    assert np.abs(sound(whole) - rendered).max() < 2**-23  # that has 24 bits
    assert sf.info(io.BytesIO(whole.content)).subtype == "FLOAT"
    parts = []
    for start in range(0, len(whole.content), 60_001):
        span = f"bytes={start}-{start + 60_000}"
        parts.append(client.get(f"{plan}/audio.wav", headers={"Range": span}))
    assert {part.status_code for part in parts} == {206}
    assert b"".join(part.content for part in parts) == whole.content
    beyond = client.get(f"{plan}/audio.wav", headers={"Range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == 416
    assert client.head(f"{plan}/audio.wav").headers["content-length"] == str(len(whole.content))
    assert client.get(f"{plan}/audio.wav?revision=12").status_code == 409
    assert client.get(f"{plan}/audio.wav?revision=x").status_code == 422


def test_peaks_hold_the_sound(client, plan):
    heard = sound(client.get(f"{plan}/audio.wav"))
    peaks = floats(client.get(f"{plan}/peaks?samples=1000"))
    high, low = peaks.reshape(2, -1)
    assert len(high) == -(-len(heard) // 1000)
    assert high[3] == heard[3000:4000].max()
    assert low[-1] == heard[1000 * (len(low) - 1) :].min()
    assert client.get(f"{plan}/peaks?samples=0").status_code == 422


def test_curves_are_what_was_wanted_and_what_was_found(client, plan, rebuilt, workspace):
    loaded = Plan.load(rebuilt)
    names = workspace.database.settings.names
    wanted, matched = floats(client.get(f"{plan}/curves/mfcc1")).reshape(2, -1)
    assert np.array_equal(
        wanted, loaded.targets.rows[[step.target for step in loaded.steps], names.index("mfcc1")]
    )
    played = workspace.database.units.find([step.unit for step in loaded.steps])
    own = workspace.database.rows_at(played)
    assert np.array_equal(matched, own[:, names.index("mfcc1")])
    assert client.get(f"{plan}/curves/nothing").status_code == 404


def cost(rebuilt, other) -> float:
    continuity = Plan.load(rebuilt).settings["path"]["continuity"]
    return other["distance"] + continuity * (other["join"] + other["join_next"])


def test_alternatives_are_the_cheapest_of_the_nearest_others_of_each_passage_first(
    client, plan, rebuilt, workspace
):
    step = Plan.load(rebuilt).steps[12]
    answer = client.get(f"{plan}/steps/12/alternatives.json?k=5").json()
    index = workspace.index(SearchSettings())
    target = Plan.load(rebuilt).targets.rows[step.target]
    found = index.search(target[None], k=21).positions[0]
    nearest = workspace.database.units.ids[found].tolist()
    units = [other["unit"] for other in answer["alternatives"]]
    assert set(units) < set(nearest) - {step.unit}
    assert len(units) == 5
    all_others = client.get(f"{plan}/steps/12/alternatives.json?k=64").json()["alternatives"]
    places = [(step.source, step.start_sample / RATE)]
    n_new = 0
    for other in all_others:
        if any(
            other["source"] == source and abs(other["start_seconds"] - start) <= 0.2
            for source, start in places
        ):
            break
        places.append((other["source"], other["start_seconds"]))
        n_new += 1
    assert n_new > 1
    costs = [cost(rebuilt, other) for other in all_others]
    assert costs == sorted(costs[:n_new]) + sorted(costs[n_new:])
    chosen = answer["chosen"]
    assert (chosen["unit"], chosen["distance"], chosen["join"]) == (
        step.unit,
        step.distance,
        step.join,
    )
    assert answer["revision"] == facts(client, plan)["revision"]
    for other in answer["alternatives"]:  # costs are those that choosing it gives
        chosen = replace_unit(Plan.load(rebuilt), 12, other["unit"], workspace.database)
        assert chosen.steps[12].distance == pytest.approx(other["distance"], abs=1e-4)
        assert chosen.steps[12].join == pytest.approx(other["join"], abs=1e-4)
        assert chosen.steps[13].join == pytest.approx(other["join_next"], abs=1e-4)
        assert other["missing"] is None
    assert client.get(f"{plan}/steps/9999/alternatives.json").status_code == 404
    assert client.get(f"{plan}/steps/1/alternatives.json?k=0").status_code == 422


def test_units_of_somebodys_own_are_measured_too(client, plan, rebuilt, workspace):
    known = [
        other["unit"]
        for other in client.get(f"{plan}/steps/12/alternatives.json?k=3").json()["alternatives"]
    ]
    wanted = ",".join(
        str(unit)
        for unit in [known[2], 10**12, known[0], known[2], int(workspace.database.units.ids[-1])]
    )
    answer = client.get(f"{plan}/steps/12/alternatives.json?k=3&units={wanted}").json()
    assert [one["unit"] for one in answer["pinned"]] == [
        known[2],
        known[0],
        int(workspace.database.units.ids[-1]),
    ]
    for pinned, found in zip(
        answer["pinned"], (answer["alternatives"][2], answer["alternatives"][0]), strict=False
    ):
        assert pinned.keys() == found.keys()
        for name, value in found.items():
            assert pinned[name] == (
                pytest.approx(value, abs=1e-4) if isinstance(value, float) else value
            )
    last = answer["pinned"][-1]
    assert replace_unit(Plan.load(rebuilt), 12, last["unit"], workspace.database).steps[
        12
    ].distance == pytest.approx(last["distance"], abs=1e-4)
    assert client.get(f"{plan}/steps/12/alternatives.json").json()["pinned"] == []
    for wrong in ("x", "1,", "-1", "1.5", ",".join(["1"] * 17), "9" * 18):
        answer = client.get(f"{plan}/steps/12/alternatives.json?units={wrong}")
        assert answer.status_code == 422
        assert "units separated by commas" in answer.json()["error"]


@pytest.mark.parametrize("what", ["alternatives.json", "audio.wav"])
def test_steps_are_those_of_one_moment(client, plan, monkeypatch, what):
    last = len(facts(client, plan)["steps"]["unit"]) - 1
    find = timeline._step_number

    def find_and_edit(request, *arguments):
        number = find(request, *arguments)
        assert edit(client, plan, kind="remove", steps=[0, 1]).status_code == 200
        return number

    monkeypatch.setattr(timeline, "_step_number", find_and_edit)
    assert client.get(f"{plan}/steps/{last}/{what}").status_code == 200


def test_unit_of_another_source_than_the_step_is_not_known(client, rebuilt, workspace):
    loaded = Plan.load(rebuilt)
    number = 9
    steps = list(loaded.steps)
    steps[number] = replace(
        steps[number],
        source=next(name for name in SOUNDS if name != steps[number].source),
        target=-1,
    )
    workspace.folder.mkdir()
    replace(loaded, steps=tuple(steps)).save(workspace.folder / "moved.plan.json")
    plan = next(
        f"/plans/{one['id']}"
        for one in client.get("/plans.json").json()["plans"]
        if one["name"] == "moved"
    )
    _, matched = floats(client.get(f"{plan}/curves/mfcc0")).reshape(2, -1)
    assert np.flatnonzero(np.isnan(matched)).tolist() == [number]
    assert "by hand" in client.get(f"{plan}/steps/{number}/alternatives.json").json()["error"]
    before = client.get(f"{plan}/steps/{number - 1}/alternatives.json").json()
    assert {one["join_next"] for one in before["alternatives"]} == {0}


def test_plan_of_another_rate_can_be_heard_but_not_chosen_for(client, rebuilt, workspace):
    workspace.folder.mkdir()
    replace(Plan.load(rebuilt), sample_rate=48000).save(workspace.folder / "fast.plan.json")
    plan = next(
        f"/plans/{one['id']}"
        for one in client.get("/plans.json").json()["plans"]
        if one["name"] == "fast"
    )
    message = "the plan has a sample rate of 48000 Hz"
    assert message in facts(client, plan)["notes"][0]
    for answer in (
        client.get(f"{plan}/steps/3/alternatives.json"),
        edit(client, plan, kind="choose", step=3, unit=0),
        edit(client, plan, kind="reselect"),
    ):
        assert answer.status_code == 422
        assert message in answer.json()["error"]
    assert edit(client, plan, kind="repeat", step=3, times=1).status_code == 200


def test_step_is_heard_in_place(client, plan, rebuilt):
    step = Plan.load(rebuilt).steps[20]
    before = sound(client.get(f"{plan}/audio.wav"))
    span = slice(step.at_sample - RATE // 10, step.until_sample + RATE // 10)
    fade = slice(300, -300)
    heard = sound(client.get(f"{plan}/steps/20/audio.wav?context=0.1"))
    assert np.abs(heard[fade] - before[span][fade]).max() < 1e-4
    assert np.abs(heard[[0, -1]]).max() == 0
    other = client.get(f"{plan}/steps/20/alternatives.json").json()["alternatives"][3]["unit"]
    heard = sound(client.get(f"{plan}/steps/20/audio.wav?context=0.1&unit={other}"))
    assert np.abs(heard[fade] - before[span][fade]).max() > 1e-3
    assert edit(client, plan, kind="choose", step=20, unit=other).status_code == 200
    assert np.abs(heard[fade] - sound(client.get(f"{plan}/audio.wav"))[span][fade]).max() < 1e-4
    assert client.get(f"{plan}/steps/0/audio.wav?context=10").status_code == 200
    for wrong in ("context=11", "context=nan", "unit=-1", "unit=999999"):
        assert client.get(f"{plan}/steps/20/audio.wav?{wrong}").status_code == 422, wrong
    assert (
        client.get(f"{plan}/steps/20/audio.wav?revision=1").status_code == 200
    )  # an edit came between


def test_every_edit_can_be_made_and_undone(client, plan, rebuilt):
    before = facts(client, plan)
    other = client.get(f"{plan}/steps/3/alternatives.json").json()["alternatives"][0]["unit"]
    chosen = edited(client, plan, kind="choose", step=3, unit=other)
    assert chosen["steps"]["unit"][3] == other
    assert 0 < chosen["change"]["seconds_rendered"] < 0.5
    assert (chosen["dirty"], chosen["can_undo"], chosen["undo"]) == (True, True, "another unit")
    longer = edited(client, plan, kind="repeat", step=3, times=2)
    assert longer["steps"]["unit"][2:7] == [
        chosen["steps"]["unit"][2],
        other,
        other,
        other,
        chosen["steps"]["unit"][4],
    ]
    assert longer["n_samples"] == before["n_samples"] + 2 * before["steps"]["n_samples"][3]
    assert (
        longer["change"]["new_stop"] - longer["change"]["old_stop"]
        == longer["n_samples"] - before["n_samples"]
    )
    shorter = edited(client, plan, kind="remove", steps=[4, 5])
    assert shorter["steps"]["unit"] == chosen["steps"]["unit"]
    assert shorter["steps"]["join"][4] == chosen["steps"]["join"][4]
    locked = edited(client, plan, kind="lock", steps=[3, 4], locked=True)
    assert locked["steps"]["locked"][2:6] == [False, True, True, False]
    assert locked["change"]["seconds_rendered"] == 0
    again = edited(client, plan, kind="reselect", continuity=0.9, temperature=0.3, random_seed=5)
    assert again["steps"]["unit"][3:5] == locked["steps"]["unit"][3:5]
    assert again["steps"]["unit"] != locked["steps"]["unit"]
    assert again["options"]["continuity"] == 0.9
    for _ in range(5):
        undone = edited(client, plan, kind="undo")
    assert with_paths(undone) == with_paths(before)
    assert (undone["dirty"], undone["can_undo"], undone["redo"]) == (False, False, "another unit")
    assert with_paths(edited(client, plan, kind="redo")) == with_paths(chosen)
    assert edit(client, plan, kind="undo").status_code == 200
    assert edit(client, plan, kind="undo").status_code == 422


def test_what_follows_each_of_the_removed_steps_has_the_cost_of_its_new_join(
    client, plan, rebuilt, workspace
):
    before = Plan.load(rebuilt)
    removed = [2, 7, 8]
    joins = edited(client, plan, kind="remove", steps=removed)["steps"]["join"]
    anew = refresh_costs(remove_steps(before, removed), [2, 6], workspace.database)
    assert joins == [step.join for step in anew.steps]
    assert joins[6] != before.steps[9].join


def test_wrong_edits_are_refused_in_words(client, plan):
    before = facts(client, plan)
    wrong = [
        ({"kind": "choose", "step": 0, "unit": 99999999}, "unit 99999999 is not in"),
        ({"kind": "choose", "step": 9999, "unit": 0}, "no step 9999"),
        ({"kind": "choose", "step": True, "unit": 0}, "step=True must be an integer"),
        ({"kind": "choose", "unit": 0}, "step=None must be an integer"),
        ({"kind": "choose", "step": 0, "unit": 10**30}, "unit=1000"),
        ({"kind": "repeat", "step": 0, "times": 0}, "times=0 must be"),
        ({"kind": "repeat", "step": 0, "times": 10**6}, "times=1000000 must be"),
        (
            {"kind": "remove", "steps": list(range(len(before["steps"]["unit"])))},
            "cannot be removed",
        ),
        ({"kind": "remove", "steps": []}, "at least one integer"),
        ({"kind": "lock", "steps": [0], "locked": 1}, "locked=1 must be true or false"),
        ({"kind": "reselect", "continuity": -1}, "continuity=-1 must be"),
        ({"kind": "reselect", "colour": 1}, "'colour' is unknown"),
        ({"kind": "delete"}, "whose kind is one of"),
        ("undo", "an edit must be an object"),
        (None, "an edit must be an object"),
    ]
    for wanted, message in wrong:
        answer = client.post(f"{plan}/edits", json={"revision": before["revision"], "edit": wanted})
        assert answer.status_code == 422, wanted
        assert message in answer.json()["error"]
    late = edit(client, plan, revision=before["revision"] - 1, kind="remove", steps=[0])
    assert late.status_code == 409
    assert "reload" in late.json()["error"]
    assert (
        client.post(
            f"{plan}/edits", content=b"{" * 9, headers={"Content-Type": "application/json"}
        ).status_code
        == 400
    )
    assert facts(client, plan) == before


def test_downloaded_sound_is_that_of_the_downloaded_plan_byte_for_byte(client, plan, tmp_path):
    edit(client, plan, kind="repeat", step=5, times=3)
    edit(client, plan, kind="reselect", continuity=0.6, random_seed=2)
    files = {
        kind: client.get(f"{plan}/download/{kind}")
        for kind in ("plan", "wav", "reaper", "labels", "csv", "edl")
    }
    assert files["wav"].headers["content-disposition"] == "attachment; filename*=utf-8''tabla.wav"
    (tmp_path / "o.plan.json").write_bytes(files["plan"].content)
    run("playback", tmp_path / "o.plan.json", "-o", tmp_path / "o.wav")
    assert files["wav"].content == (tmp_path / "o.wav").read_bytes()
    exports = {"reaper": "o.rpp", "labels": "o.txt", "csv": "o.csv", "edl": "o.edl"}
    run(
        "playback",
        tmp_path / "o.plan.json",
        *(word for kind in exports for word in ("--export", kind)),
    )
    for kind, name in exports.items():
        assert files[kind].content == (tmp_path / name).read_bytes(), kind
    assert client.get(f"{plan}/download/mp3").status_code == 404


def test_names_of_files_may_hold_any_bytes(client, rebuilt, workspace):
    workspace.folder.mkdir()
    shutil.copyfile(rebuilt, os.fsdecode(os.fsencode(workspace.folder) + b"/a\xff.plan.json"))
    plans = client.get("/plans.json").json()["plans"]
    (plan,) = (one["id"] for one in plans if one["name"] == r"a\udcff")
    assert r"a\udcff" in client.get(f"/timeline/{plan}").text
    for kind in KINDS:
        answer = client.get(f"/plans/{plan}/download/{kind}")
        assert answer.status_code == 200
        assert "filename*=utf-8''a%5Cudcff." in answer.headers["content-disposition"]


def test_download_that_is_only_asked_about_is_not_made(client, plan, monkeypatch):
    monkeypatch.setattr(timeline, "download", None)
    answer = client.head(f"{plan}/download/wav")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"",
        "audio/wav",
    )


def test_download_without_room_is_refused_in_words(client, plan, tmp_path, monkeypatch):
    facts(client, plan)
    (tmp_path / "full").touch()
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "full"))
    answer = client.get(f"{plan}/download/csv")
    assert answer.status_code == 422
    assert answer.json()["error"].endswith("environment variable DEMIURGE_CACHE")


def test_many_downloads_keep_nobody_from_other_views(client, plan, monkeypatch):
    facts(client, plan)
    begun = []
    go_on = threading.Event()

    def slow(*_):
        begun.append(True)
        go_on.wait(30)
        return Response()

    monkeypatch.setattr(timeline, "download", slow)
    threads = [
        threading.Thread(target=client.get, args=(f"{plan}/download/wav",)) for _ in range(44)
    ]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(begun) == timeline.RENDERED_AT_A_TIME)
        assert client.get("/make.json").status_code == 200
        assert len(begun) == timeline.RENDERED_AT_A_TIME
    finally:
        go_on.set()
        for thread in threads:
            thread.join(30)
    assert len(begun) == 44


def test_download_is_given_up_when_the_server_ends(client, plan, workspace):
    facts(client, plan)
    workspace.cancel_work()
    assert "is ending" in client.get(f"{plan}/download/wav").json()["error"]


def test_saving_writes_a_new_file_and_goes_on_there(client, plan, workspace, tmp_path):
    before = (tmp_path / "tabla.plan.json").read_bytes()
    shorter = edited(client, plan, kind="remove", steps=[0])
    saved = client.post(f"{plan}/save", json={})
    assert saved.status_code == 201
    assert saved.json()["file"] == "tabla-2.plan.json"
    new = f"/plans/{saved.json()['id']}"
    shown = facts(client, new)
    assert (shown["name"], shown["dirty"], shown["undo"]) == ("tabla-2", False, "a step removed")
    assert with_paths(shown) == with_paths(shorter)
    assert (tmp_path / "tabla.plan.json").read_bytes() == before
    assert facts(client, plan)["n_samples"] == shown["n_samples"] + shown["steps"]["n_samples"][0]
    assert edit(client, new, kind="undo").json()["dirty"]
    assert client.post(f"{new}/save", json={}).json()["file"] == "tabla-3.plan.json"
    names = {
        "../../evil": "evil.plan.json",
        "my take: 7/8": "my take- 7-8.plan.json",
        "tabla": "tabla.plan.json",
    }
    for name, file in names.items():
        assert client.post(f"{plan}/save", json={"name": name}).json()["file"] == file
    assert client.post(f"{plan}/save", json={"name": "tabla"}).json()["file"] == "tabla-4.plan.json"
    assert client.post(f"{plan}/save", json={"name": "..."}).status_code == 422
    assert client.post(f"{plan}/save", json={"name": 7}).status_code == 422
    assert sorted(path.name for path in workspace.folder.glob("*.json")) == sorted(
        [*names.values(), "tabla-2.plan.json", "tabla-3.plan.json", "tabla-4.plan.json"]
    )


def test_list_tells_of_plans_and_of_what_is_wrong_with_them(client, plan, workspace):
    workspace.folder.mkdir()
    (workspace.folder / "broken.plan.json").write_text('{"format": "demiurge-plan"')
    client.post(f"{plan}/save", json={"name": "fine"})
    plans = {one["name"]: one for one in client.get("/plans.json").json()["plans"]}
    assert set(plans) == {"tabla", "fine", "broken"}
    assert (plans["fine"]["kind"], plans["tabla"]["kind"]) == ("saved", "opened")
    assert plans["fine"]["steps"] == plans["tabla"]["steps"] > 0
    assert plans["tabla"]["seconds"] == pytest.approx(1, abs=0.05)
    assert "line 1, column 27: it ends too early" in plans["broken"]["error"]
    assert client.get(f"/plans/{plans['broken']['id']}.json").status_code == 422


def test_plan_of_another_database_can_be_heard_but_not_chosen_for(
    client, workspace, rebuilt, built
):
    other = replace(Plan.load(rebuilt), database={"id": "another", "root": str(built / "sounds")})
    workspace.folder.mkdir()
    other.save(workspace.folder / "other.plan.json")
    plan = next(
        f"/plans/{one['id']}"
        for one in client.get("/plans.json").json()["plans"]
        if one["name"] == "other"
    )
    shown = facts(client, plan)
    assert f"another database, of {built / 'sounds'}:" in shown["notes"][0]
    assert sound(client.get(f"{plan}/audio.wav")).any()
    for answer in (
        client.get(f"{plan}/steps/3/alternatives.json"),
        edit(client, plan, kind="choose", step=3, unit=0),
        edit(client, plan, kind="reselect"),
        client.get(f"{plan}/steps/3/audio.wav?unit=0"),
    ):
        assert answer.status_code == 422
        assert "another" in answer.json()["error"]
    assert edit(client, plan, kind="repeat", step=3, times=1).status_code == 200
    assert client.get(f"{plan}/steps/3/audio.wav").status_code == 200


def test_vanished_sources_are_shown_and_the_rest_works(own, rebuilt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = Plan.load(rebuilt)
    gone = max(SOUNDS, key=[step.source for step in loaded.steps].count)
    (own / "sounds" / gone).unlink()
    workspace = Workspace(
        own / "small.db", plans=[rebuilt], folder=tmp_path / "plans", root=own / "sounds"
    )
    with visit(workspace) as client:
        plan = "/plans/" + client.get("/").headers["location"].removeprefix("/timeline/")
        shown = facts(client, plan)
        assert next(source for source in shown["sources"] if source["path"] == gone)[
            "missing"
        ].startswith("missing")
        assert "silent" in shown["notes"][0]
        silent = next(number for number, step in enumerate(loaded.steps) if step.source == gone)
        assert client.get(f"{plan}/steps/{silent}/audio.wav").status_code == 410
        others = client.get(f"{plan}/steps/{silent}/alternatives.json?k=64").json()["alternatives"]
        assert {bool(other["missing"]) for other in others if other["source"] == gone} == {True}
        other = next(other["unit"] for other in others if not other["missing"])
        assert edit(client, plan, kind="choose", step=silent, unit=other).status_code == 200
        download = client.get(f"{plan}/download/wav")
        assert download.headers["x-demiurge-skipped"] == "1"
        heard = sound(client.get(f"{plan}/audio.wav"))
        assert np.abs(sound(download) - heard).max() < 2**-23
        missing = next(
            source.first_unit for source in workspace.database.sources if source.path == gone
        )
        assert (
            "is not in" in edit(client, plan, kind="choose", step=0, unit=missing).json()["error"]
        )


def test_source_that_is_put_back_is_heard_after_a_reload(own, rebuilt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = Plan.load(rebuilt).steps[0].source
    (own / "sounds" / gone).rename(own / "away")
    with visit(
        Workspace(own / "small.db", plans=[rebuilt], folder=tmp_path / "plans", root=own / "sounds")
    ) as client:
        page = client.get("/").headers["location"]
        plan = "/plans/" + page.removeprefix("/timeline/")
        assert len(facts(client, plan)["notes"]) == 1
        (own / "away").rename(own / "sounds" / gone)
        assert client.get(page).status_code == 200
        shown = facts(client, plan)
        assert (shown["notes"], {source["missing"] for source in shown["sources"]}) == ([], {None})
        rendered, _ = sf.read(rebuilt.with_name("tabla.wav"), dtype="float32", always_2d=True)
        assert np.abs(sound(client.get(f"{plan}/audio.wav")) - rendered).max() < 2**-23


def test_loud_plan_is_served_below_full_scale(client, rebuilt, workspace):
    loaded = Plan.load(rebuilt)
    workspace.folder.mkdir()
    loud = replace(loaded, steps=tuple(replace(step, gain_db=20.0) for step in loaded.steps))
    loud.save(workspace.folder / "loud.plan.json")
    plan = next(
        f"/plans/{one['id']}"
        for one in client.get("/plans.json").json()["plans"]
        if one["name"] == "loud"
    )
    heard = sound(client.get(f"{plan}/audio.wav"))
    assert np.abs(heard).max() == pytest.approx(10 ** (-0.1 / 20), abs=1e-5)
    assert np.abs(heard - sound(client.get(f"{plan}/download/wav"))).max() < 1e-6
    assert facts(client, plan)["audio"]["gain_db"] < -5


def test_plan_written_by_hand_is_shown_heard_and_changed(client, workspace, built):
    steps = tuple(Step(-1, SOUNDS[0], 5000 * n, 5000, 6000 * n) for n in range(4))
    workspace.folder.mkdir()
    Plan(RATE, 1, {"id": workspace.database.id, "root": str(built / "sounds")}, steps).save(
        workspace.folder / "hand.plan.json"
    )
    plan = next(
        f"/plans/{one['id']}"
        for one in client.get("/plans.json").json()["plans"]
        if one["name"] == "hand"
    )
    shown = facts(client, plan)
    assert (shown["has_targets"], shown["steps"]["target"]) == (False, [-1] * 4)
    assert np.isnan(floats(client.get(f"{plan}/curves/mfcc0"))).all()
    assert "by hand" in client.get(f"{plan}/steps/0/alternatives.json").json()["error"]
    assert "no targets" in edit(client, plan, kind="reselect").json()["error"]
    assert edited(client, plan, kind="choose", step=1, unit=7)["steps"]["unit"] == [-1, 7, -1, -1]
    assert edit(client, plan, kind="remove", steps=[0]).status_code == 200


def test_what_is_not_known_is_not_found(client, plan):
    for path in (
        "/plans/nothing.json",
        "/plans/..%2F..%2Fetc%2Fpasswd.json",
        "/plans/0/audio.wav",
        "/timeline/nothing",
    ):
        assert client.get(path).status_code == 404, path
    for step in ("-1", "x", "9" * 5000, "1.0"):
        assert client.get(f"{plan}/steps/{step}/alternatives.json").status_code == 404
        assert client.get(f"{plan}/steps/{step}/audio.wav").status_code == 404


def test_broken_plan_is_refused_before_anything_is_served(built, tmp_path):
    (tmp_path / "p.plan.json").write_text("[]")
    with pytest.raises(PlanError, match=r"p\.plan\.json"):
        Workspace(built / "small.db", plans=[tmp_path / "p.plan.json"], folder=tmp_path / "plans")


def test_plan_that_was_edited_by_hand_is_read_again_unless_it_was_edited_here(
    client, plan, rebuilt, tmp_path
):
    loaded = Plan.load(rebuilt)
    before = facts(client, plan)
    replace(loaded, steps=loaded.steps[:-1]).save(tmp_path / "tabla.plan.json")
    after = facts(client, plan)
    assert len(after["steps"]["unit"]) == len(before["steps"]["unit"]) - 1
    assert edit(client, plan, kind="remove", steps=[0]).status_code == 200
    loaded.save(tmp_path / "tabla.plan.json")
    assert len(facts(client, plan)["steps"]["unit"]) == len(before["steps"]["unit"]) - 2
    (tmp_path / "tabla.plan.json").unlink()
    assert edit(client, plan, kind="undo").status_code == 200
    assert facts(client, plan)["dirty"] is False
