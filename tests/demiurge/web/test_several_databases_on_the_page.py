"""The page with several databases: units are named by their database, workers open all of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from demiurge.pipeline import render_mosaic
from demiurge.reopen import DatabaseFiles
from demiurge.web.make.messages import RenderTask
from demiurge.web.make.worker import render_variations
from demiurge.web.workspace import Workspace
from playback.plan import Plan
from query.settings import SearchSettings
from tests.demiurge.three_databases import NAMES, build_three, open_three
from tests.demiurge.web.conftest import visit


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Three databases, and out.plan.json made of them."""
    folder = tmp_path_factory.mktemp("page")
    build_three(folder)
    out = folder / "out.wav"
    render_mosaic(folder / "target.wav", open_three(folder), out, search=SearchSettings())
    return folder


@pytest.fixture
def client(made, tmp_path, monkeypatch) -> Iterator[TestClient]:
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    plans = [made / "out.plan.json"]
    with visit(Workspace(open_three(made), plans=plans, folder=tmp_path / "plans")) as client:
        yield client


def test_units_are_named_by_their_database(client):
    for name in NAMES:
        facts = client.get(f"/units/{name}:1.json").json()
        assert (facts["unit"], facts["previous"]) == (f"{name}:1", f"{name}:0")
        assert facts["source"]["path"].startswith(f"{name}:")
    found = client.get("/units/low:0/similar.json?k=3").json()["units"]
    assert all(unit["unit"].startswith(unit["source"].partition(":")[0]) for unit in found)
    assert client.get("/units/strings:0/audio.wav").status_code == 200
    for unknown in ("0", "horns:0", "low:99999", "low:", "low:x", "low:-1"):
        answer = client.get(f"/units/{unknown}.json")
        assert answer.status_code == 404
        assert "in drums, low, strings" in answer.json()["error"]


def test_map_has_the_ids_of_each_database_and_its_number(client):
    facts = client.get("/map.json").json()
    ids = np.frombuffer(client.get("/map/units").content, np.uint32)
    members = np.frombuffer(client.get("/map/values/database").content, np.float32)
    for number in range(3):
        own = ids[members == number]
        np.testing.assert_array_equal(own, np.arange(len(own)))
    assert facts["database"]["name"] == "drums, low, strings"
    assert [source["number"] for source in facts["sources"]] == [0, 1, 0, 0, 1]


def test_plan_names_units_and_databases_and_is_edited(client):
    (plan,) = client.get("/plans.json").json()["plans"]
    document = client.get(f"/plans/{plan['id']}.json").json()
    assert document["databases"] == list(NAMES)
    paths = [document["sources"][number]["path"] for number in document["steps"]["source"]]
    for unit, path in zip(document["steps"]["unit"], paths, strict=True):
        assert unit.partition(":")[0] == path.partition(":")[0]
    asked = f"/plans/{plan['id']}/steps/0/alternatives.json?units=low:0,strings:0"
    found = client.get(asked).json()
    assert [one["unit"] for one in found["pinned"]] == ["low:0", "strings:0"]
    edit = {"kind": "choose", "step": 0, "unit": "strings:0"}
    request = {"revision": document["revision"], "edit": edit}
    edited = client.post(f"/plans/{plan['id']}/edits", json=request).json()
    assert edited["steps"]["unit"][0] == "strings:0"
    edit["unit"] = 0
    request["revision"] = edited["revision"]
    refused = client.post(f"/plans/{plan['id']}/edits", json=request)
    assert "unit 0 is not in" in refused.json()["error"]


def test_worker_renders_from_all_of_them(made, tmp_path):
    files = DatabaseFiles.of(open_three(made, "low"))
    task = RenderTask(
        seed=made / "target.wav",
        seed_name="target.wav",
        model=None,
        databases=files,
        folder=tmp_path,
        seconds=1.0,
        continuity=0.25,
        novelty=1.0,
        temperature=0.0,
        variations=1,
        voices=1,
        transpose=0,
        random_seed=0,
    )
    render_variations(task, lambda message: None)
    plan = Plan.load(tmp_path / "variation-1.plan.json")
    assert {plan.roots.split(step.source)[0] for step in plan.steps} == set(NAMES)
    assert plan.settings["normaliser"] == "low"
    assert plan.database == open_three(made).describe()
