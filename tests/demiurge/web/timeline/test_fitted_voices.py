"""Plans whose voices were fitted to a target, in the page: alternatives, edits, choosing again."""

import json

import numpy as np
import pytest

from demiurge.web.workspace import Workspace
from playback.plan import Plan
from tests.demiurge.plans.voice_plans import Corpus
from tests.demiurge.web.timeline.test_views import edit, edited, facts, sound

pytest.importorskip("python_stretch", reason="units are transposed")

SAVED = "fitted.plan.json"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.make(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def fitted(corpus, tmp_path_factory) -> Plan:
    return corpus.mosaic(tmp_path_factory.mktemp("out"), number=3, transpose=1)[0]


@pytest.fixture
def workspace(corpus, fitted, tmp_path, monkeypatch) -> Workspace:
    """A workspace that was opened with the plan."""
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    fitted.save(tmp_path / SAVED)
    database = corpus.database.path
    return Workspace(database, plans=[tmp_path / SAVED], folder=tmp_path / "plans")


@pytest.fixture
def plan(client) -> str:
    """The address of the plan."""
    return "/plans/" + client.get("/").headers["location"].removeprefix("/timeline/")


def now(client, plan, tmp_path) -> Plan:
    """The plan as it is after edits."""
    path = tmp_path / "now.plan.json"
    path.write_bytes(client.get(f"{plan}/download/plan").content)
    return Plan.load(path)


def alternatives(client, plan, number: int, **asked) -> dict:
    return client.get(f"{plan}/steps/{number}/alternatives.json", params=asked).json()


def test_the_same_is_chosen_again(client, plan, fitted, tmp_path):
    assert facts(client, plan)["never_again"] is None
    assert edited(client, plan, kind="reselect")["change"]["new_stop"] == 0
    assert now(client, plan, tmp_path) == fitted


def test_others_are_chosen_around_locked_steps(client, plan, fitted, tmp_path):
    locked = [3, fitted.voices[1].start + 2]
    edited(client, plan, kind="lock", steps=locked, locked=True)
    edited(client, plan, kind="reselect", random_seed=9, temperature=2.0)
    other = now(client, plan, tmp_path)
    found = {(s.voice, s.at_sample): s for s in other.steps if s.locked}
    assert len(found) == 2
    for number in locked:
        step = fitted.steps[number]
        kept = found[step.voice, step.at_sample]
        assert (kept.unit, kept.gain_db, kept.transpose) == (
            step.unit,
            step.gain_db,
            step.transpose,
        )
    units = [[(s.voice, s.target, s.unit) for s in one.steps] for one in (fitted, other)]
    assert len(set(units[0]) & set(units[1])) < 0.5 * len(units[0])


def test_alternatives_are_transposed_and_the_cheapest_first(client, plan, fitted, corpus):
    shifts = set()
    for number in range(0, len(fitted.steps), 9):
        step = fitted.steps[number]
        answer = alternatives(client, plan, number, k=6, units=fitted.steps[0].unit)
        others = answer["alternatives"]
        assert len(others) == 6
        shifts |= {other["transpose"] for other in others}
        assert (step.unit, round(step.transpose)) not in [
            (other["unit"], other["transpose"]) for other in others
        ]
        assert answer["chosen"]["transpose"] == step.transpose
        (pinned,) = answer["pinned"]
        assert pinned.keys() == others[0].keys()
        assert pinned["transpose"] == 0
        known = corpus.database.units.find([other["unit"] for other in others])
        starts = corpus.database.units.start_sample[known] / corpus.database.sample_rate
        assert starts.tolist() == [other["start_seconds"] for other in others]
    assert shifts == {-1, 0, 1}


def test_unit_is_heard_and_used_transposed(client, plan, fitted, tmp_path):
    numbers = range(len(fitted.steps))
    number, other = next(
        (n, one)
        for n in numbers
        for one in alternatives(client, plan, n, k=9)["alternatives"]
        if one["transpose"] == -1 and not one["too_short"]
    )
    asked = {"unit": other["unit"], "context": 0}
    plain = sound(client.get(f"{plan}/steps/{number}/audio.wav", params=asked))
    asked["transpose"] = other["transpose"]
    shifted = sound(client.get(f"{plan}/steps/{number}/audio.wav", params=asked))
    assert shifted.shape == plain.shape
    assert not np.array_equal(shifted, plain)
    edited(
        client,
        plan,
        kind="choose",
        step=number,
        unit=other["unit"],
        transpose=other["transpose"],
    )
    step = now(client, plan, tmp_path).steps[number]
    assert (step.unit, round(step.transpose)) == (other["unit"], -1)
    assert step.distance == pytest.approx(other["distance"], abs=1e-4)
    assert step.join == pytest.approx(other["join"], abs=1e-4)
    chosen = alternatives(client, plan, number)["chosen"]
    assert chosen["transpose"] == step.transpose


def test_steps_are_removed_and_repeated(client, plan, fitted, tmp_path):
    edited(client, plan, kind="remove", steps=[2])
    edited(client, plan, kind="repeat", step=1, times=1)
    changed = now(client, plan, tmp_path)
    assert changed.steps[2].unit == changed.steps[1].unit
    assert changed.n_samples == fitted.n_samples
    assert changed.spectra == fitted.spectra


@pytest.mark.parametrize("transpose", [49, -48.5, "2", None, True])
def test_wrong_transpositions_are_refused(client, plan, fitted, transpose):
    unit = fitted.steps[0].unit
    answer = edit(client, plan, kind="choose", step=0, unit=unit, transpose=transpose)
    assert answer.status_code == 422
    assert "transpose=" in answer.json()["error"]
    for text in ("49", "nan", "two"):
        asked = {"unit": unit, "transpose": text}
        answer = client.get(f"{plan}/steps/0/audio.wav", params=asked)
        assert (answer.status_code, "transpose=" in answer.json()["error"]) == (422, True)


def test_plan_without_its_spectra_says_why_it_cannot_be_chosen_again(
    client, plan, fitted, tmp_path
):
    document = json.loads((tmp_path / SAVED).read_text())
    del document["spectra"]
    (tmp_path / "plans").mkdir(exist_ok=True)
    (tmp_path / "plans" / "bare.plan.json").write_text(json.dumps(document))
    listed = client.get("/plans.json").json()["plans"]
    (bare,) = [f"/plans/{one['id']}" for one in listed if "bare" in one["name"]]
    assert "does not hold what its voices were fitted to" in facts(client, bare)["never_again"]
    assert "does not hold" in edit(client, bare, kind="reselect").json()["error"]
    other = alternatives(client, bare, 0)["alternatives"][0]
    edited(client, bare, kind="choose", step=0, unit=other["unit"])
