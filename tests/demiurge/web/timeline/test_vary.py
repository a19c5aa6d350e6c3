"""Some steps of a plan in the page are kept, the rest varied: by a masked model, or by chance."""

import shutil

import pytest

from db.database import Database
from demiurge.web.make.models import find_masked, find_models
from demiurge.web.workspace import Workspace
from files.errors import CheckpointError
from tests.demiurge.plans.masked_model import masked_model
from tests.demiurge.web.conftest import visit
from tests.demiurge.web.timeline.test_views import edit, edited, facts, with_paths


@pytest.fixture(scope="module")
def model(built, tmp_path_factory):
    """The folder of an untrained masked model that goes with the database."""
    folder = tmp_path_factory.mktemp("models") / "small.masked"
    masked_model(Database(built / "small.db")).save(folder)
    return folder


@pytest.fixture(params=["by the model", "by chance"])
def workspace(request, built, rebuilt, model, tmp_path, monkeypatch) -> Workspace:
    """A workspace that was opened with a plan, with a masked model or without."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(rebuilt, tmp_path / "tabla.plan.json")
    models = [model] if request.param == "by the model" else []
    return Workspace(
        built / "small.db",
        plans=[tmp_path / "tabla.plan.json"],
        folder=tmp_path / "plans",
        models=models,
    )


@pytest.fixture
def plan(client) -> str:
    """The address of the plan."""
    return "/plans/" + client.get("/").headers["location"].removeprefix("/timeline/")


def test_selected_and_locked_steps_stay_and_undo_brings_the_rest_back(client, plan):
    before = edited(client, plan, kind="lock", steps=[30], locked=True)
    after = edited(client, plan, kind="vary", steps=[3, 4, 5], random_seed=7)
    for number in (3, 4, 5, 30):
        for column in ("unit", "start_sample", "at_sample", "locked", "gain_db"):
            assert after["steps"][column][number] == before["steps"][column][number]
    pairs = zip(before["steps"]["unit"], after["steps"]["unit"], strict=True)
    assert sum(old != new for old, new in pairs) > len(before["steps"]["unit"]) / 3
    assert after["steps"]["at_sample"] == before["steps"]["at_sample"]
    assert after["undo"] == "the rest varied"
    assert with_paths(edited(client, plan, kind="undo")) == with_paths(before)
    assert with_paths(edited(client, plan, kind="redo")) == with_paths(after)


def test_the_same_random_seed_gives_the_same_and_another_another(client, plan):
    units = []
    for seed in (7, 7, 8):
        units.append(
            edited(client, plan, kind="vary", steps=[3], random_seed=seed)["steps"]["unit"]
        )
        edited(client, plan, kind="undo")
    assert units[0] == units[1]
    assert units[1] != units[2]


def test_what_cannot_be_varied_is_refused_in_words(client, plan):
    n_steps = facts(client, plan)["n_steps"]
    everything = list(range(n_steps))
    for wanted, message in (
        ({"steps": [], "random_seed": 1}, "no step is selected or locked, so that all"),
        ({"steps": everything, "random_seed": 1}, "all steps are selected or locked; leave some"),
        ({"steps": [n_steps], "random_seed": 1}, f"there is no step {n_steps}"),
        ({"steps": "3", "random_seed": 1}, "steps='3' must be a list"),
        ({"steps": [3]}, "random_seed=None must be"),
        ({"steps": [3], "random_seed": 1, "colour": 2}, "'colour' is unknown"),
    ):
        answer = edit(client, plan, kind="vary", **wanted)
        assert answer.status_code == 422
        assert message in answer.json()["error"]
    assert not facts(client, plan)["can_undo"]


def test_locked_steps_alone_are_enough(client, plan):
    edited(client, plan, kind="lock", steps=[2], locked=True)
    after = edited(client, plan, kind="vary", steps=[], random_seed=3)
    assert [n for n, locked in enumerate(after["steps"]["locked"]) if locked] == [2]


def test_the_page_says_which_model_varies(built, rebuilt, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for models, named in (([model], "small.masked"), ([], None)):
        workspace = Workspace(
            built / "small.db", plans=[rebuilt], folder=tmp_path / "plans", models=models
        )
        with visit(workspace) as client:
            plan = "/plans/" + client.get("/").headers["location"].removeprefix("/timeline/")
            assert facts(client, plan)["masked_model"] == named


def test_masked_models_are_found_beside_forecasters_but_are_none(built, model, tmp_path):
    database = Database(built / "small.db")
    assert find_models([model], database) == []
    (found,) = find_masked([model], database)
    assert (found.name, found.architecture, found.path) == ("small.masked", "masked", model)
    with pytest.raises(CheckpointError, match="no model here"):
        find_models([tmp_path], database)
