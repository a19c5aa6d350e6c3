"""Several databases as one on the command line: render, mosaic, query, live, infill, playback."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from db.database import Database
from demiurge.cli import main
from demiurge.plans.costs import refresh_costs
from demiurge.plans.edit import replace_unit
from demiurge.plans.locate import find_unit, positions_of, unit_name
from demiurge.plans.reselect import reselect
from demiurge.plans.settings import PlanSettings
from files.errors import ParameterError, PlanError
from playback.plan import Plan
from query.rules import REST
from sequencer.forecaster import Forecaster, ForecasterConfig
from tests.demiurge.three_databases import build_three, open_three, specs_of


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """What `build_three` builds."""
    folder = tmp_path_factory.mktemp("several")
    build_three(folder)
    return folder


@pytest.fixture(scope="module")
def plan(made) -> Plan:
    """The plan of target.wav made of all three."""
    run("mosaic", made / "target.wav", *all_of(made), "-o", made / "out.wav", "--novelty", "1")
    return Plan.load(made / "out.plan.json")


def all_of(made: Path) -> list[str]:
    return [word for one in specs_of(made) for word in ("--db", one)]


def run(*words, expect=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def save_model(database: Database, folder: Path) -> None:
    """Save an untrained forecaster."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 8}
    model = Forecaster(ForecasterConfig("lstm", database.settings, architecture_sizes=sizes))
    bounds = torch.full_like(model.low, -2.0), torch.full_like(model.high, 2.0)
    model.set_statistics(database.normaliser, low=bounds[0], high=bounds[1])
    model.save(folder)


def databases_of(plan: Plan) -> set[str]:
    return {plan.roots.split(step.source)[0] for step in plan.steps}


def test_plan_names_the_database_of_each_step_and_renders_the_same_again(made, plan, tmp_path):
    assert databases_of(plan) == {"drums", "low", "strings"}
    assert plan.version == 3
    assert plan.settings["normaliser"] == "all databases"
    run("playback", made / "out.plan.json", "-o", tmp_path / "again.wav")
    assert (tmp_path / "again.wav").read_bytes() == (made / "out.wav").read_bytes()


def test_results_say_how_much_is_of_each_database(made, plan, tmp_path):
    words = made / "target.wav", made / "drums.db", "--db", made / "strings.db"
    told = run("mosaic", *words, "-o", tmp_path / "a.wav", "--normaliser", "drums").output
    assert "  drums: " in told
    assert "  distances are normalised by the units of drums\n" in told
    facts = json.loads(run("mosaic", *words, "-o", tmp_path / "b.wav", "--json").output)
    assert [share["database"] for share in facts["databases"]] == ["drums", "strings"]
    assert sum(share["share"] for share in facts["databases"]) == pytest.approx(1, abs=1e-5)
    assert facts["normaliser"] == "all databases"
    shown = json.loads(run("playback", made / "out.plan.json", "--show", "--json").output)
    assert [share["database"] for share in shown["databases"]] == ["drums", "low", "strings"]
    assert sum(share["steps"] for share in shown["databases"]) == len(plan.steps)
    listed = run("playback", made / "out.plan.json", "--show").output
    assert f"corpus {made}/strings" in listed
    assert "strings:in/guit_em9.ogg" in listed


def test_seed_is_continued_with_a_model_and_without_db(made, tmp_path):
    save_model(open_three(made), tmp_path / "my.model")
    words = made / "target.wav", tmp_path / "my.model", *all_of(made)
    told = run("render", *words, "-o", tmp_path / "out.wav", "--seconds", "1").output
    assert "  low: " in told
    assert Plan.load(tmp_path / "out.plan.json").settings["model"] == str(tmp_path / "my.model")


def test_units_of_two_databases_with_one_id_are_told_apart(made, plan):
    database = open_three(made)
    ids = [find_unit(f"{name}:0", database) for name in database.names]
    assert len(set(ids)) == 3
    assert [unit_name(position, database) for position in ids] == ["drums:0", "low:0", "strings:0"]
    assert find_unit(0, database) == find_unit("0", database) == REST
    assert find_unit("low:-1", database) == find_unit("horns:0", database) == REST
    assert (positions_of(plan.steps, database) != REST).all()
    edited = replace_unit(plan, 0, "strings:0", database)
    assert edited.steps[0].source.startswith("strings:")
    again = replace_unit(edited, 0, "drums:0", database)
    assert again.steps[0].source.startswith("drums:")
    others = {
        (other["source"].partition(":")[0], other["unit"]) for other in again.steps[0].alternatives
    }
    assert ("strings", 0) in others
    with pytest.raises(ParameterError, match="unit 0 is not in"):
        replace_unit(plan, 0, 0, database)


def test_plan_is_chosen_again_as_it_was(made, plan):
    database = open_three(made)
    search = PlanSettings.of(plan).search
    index = search.index(database, np.array([step.n_samples for step in plan.steps]))
    assert reselect(plan, index, search.path).steps == plan.steps
    assert refresh_costs(plan, range(len(plan.steps)), database).steps == plan.steps


def test_plan_of_another_normaliser_is_not_edited(made, plan):
    database = open_three(made, "low")
    with pytest.raises(PlanError, match="normalised by the units of 'all databases', but here by"):
        replace_unit(plan, 0, "strings:0", database)


def test_plan_of_other_databases_is_told_by_their_names(made, plan):
    database = Database(made / "drums.db")
    message = (
        f"from database drums={database.id} .* strings=.*, but {database.path} is {database.id};"
    )
    with pytest.raises(PlanError, match=message):
        replace_unit(plan, 0, 0, database)


def test_query_names_the_database_of_each_unit(made):
    words = made / "target.wav", *all_of(made), "-k", "2", "--steps", "1"
    facts = json.loads(run("query", *words, "--json").output)
    assert facts["normaliser"] == "all databases"
    (step,) = facts["steps"]
    assert {match["source"].partition(":")[0] for match in step["candidates"]} == {"drums"}
    assert "normalised by the units of all databases" in run("query", *words).output


def test_live_plays_several_databases(made, tmp_path):
    words = "--in", made / "target.wav", "--out", tmp_path / "o.wav", "--json"
    facts = json.loads(run("live", *all_of(made), *words).output)
    assert sum(share["steps"] for share in facts["databases"]) == facts["steps"]
    plan = Plan.load(tmp_path / "o.plan.json")
    assert plan.version == 3
    assert len(databases_of(plan)) > 1
    assert plan.settings["normaliser"] == "all databases"
    run("playback", tmp_path / "o.plan.json", "-o", tmp_path / "again.wav")


def test_corpus_of_one_of_several_may_have_moved(made, plan, tmp_path):
    shutil.copytree(made / "bass", tmp_path / "elsewhere")
    moved = f"low={tmp_path / 'elsewhere'}"
    out = tmp_path / "again.wav"
    run("playback", made / "out.plan.json", "-o", out, "--root", moved)
    assert out.read_bytes() == (made / "out.wav").read_bytes()
    words = made / "out.plan.json", "-o", tmp_path / "new.wav", "--root", tmp_path
    refused = run("playback", *words, expect=2)
    assert "the databases are drums, low, strings; say which has moved: NAME=" in refused.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("mosaic SEED -o OUT", "Missing argument 'DB'"),
        ("render SEED drums.db -o OUT", "Missing argument 'MODEL'"),
        ("render SEED drums.db --db bass.db -o OUT", "Missing argument 'MODEL'"),
        ("mosaic SEED drums.db --db x=drums.db -o OUT --normaliser y", "normaliser='y' must be"),
        ("mosaic SEED drums.db --db drums.db -o OUT", "two databases are called 'drums'"),
        ("mosaic SEED drums.db --db none.db -o OUT", "none.db"),
        ("mosaic SEED drums.db --db mfcc=bass.db -o OUT", "that of a descriptor"),
    ],
)
def test_wrong_databases_are_refused(made, monkeypatch, tmp_path, words, message):
    monkeypatch.chdir(made)
    places = {"SEED": made / "target.wav", "OUT": tmp_path / "out.wav"}
    result = CliRunner().invoke(main, [str(places.get(word, word)) for word in words.split()])
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert not list(tmp_path.iterdir())
