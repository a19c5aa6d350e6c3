"""Plans of several voices in the page: which are heard, and edits in each of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demiurge.web.timeline import renderer
from demiurge.web.timeline.changed_steps import find_changed_steps
from demiurge.web.timeline.mixes import KEPT
from demiurge.web.timeline.recent_audio import KEPT as KEPT_AUDIO
from demiurge.web.workspace import Workspace
from playback.plan import Plan
from playback.steps import Step
from tests.demiurge.web.timeline.test_editor import anew
from tests.demiurge.web.timeline.test_views import edit, edited, facts, floats, sound
from tests.demiurge.web.voiced_plans import only, with_voices

SAVED = "voiced.plan.json"


@pytest.fixture
def voiced(rebuilt, tmp_path) -> Plan:
    """A plan of three voices, in a file."""
    plan = with_voices(Plan.load(rebuilt))
    plan.save(tmp_path / SAVED)
    return plan


@pytest.fixture
def workspace(built, voiced, tmp_path, monkeypatch) -> Workspace:
    """A workspace that was opened with the plan."""
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Workspace(built / "small.db", plans=[tmp_path / SAVED], folder=tmp_path / "plans")


@pytest.fixture
def plan(client) -> str:
    """The address of the plan."""
    return "/plans/" + client.get("/").headers["location"].removeprefix("/timeline/")


def heard(client, plan, voices=None, revision=None) -> np.ndarray:
    """The sound of a revision, by default the current one, of some voices or all."""
    asked = {"revision": revision or facts(client, plan)["revision"]}
    asked |= {} if voices is None else {"voices": voices}
    return sound(client.get(f"{plan}/audio.wav", params=asked))


def now(client, plan, tmp_path) -> Plan:
    """The plan as it is after edits."""
    path = tmp_path / "now.plan.json"
    path.write_bytes(client.get(f"{plan}/download/plan").content)
    return Plan.load(path)


def test_steps_have_their_voices(client, plan, voiced):
    steps = facts(client, plan)["steps"]
    for name in ("voice", "gain_db", "transpose", "stretch"):
        assert steps[name] == [getattr(step, name) for step in voiced.steps]
    assert [steps["contiguous"][numbers[0]] for numbers in voiced.voices] == [False] * 3


def test_voices_that_are_asked_for_are_heard(client, plan, voiced, workspace):
    gain = 10 ** (facts(client, plan)["audio"]["gain_db"] / 20)
    for voices in ((0,), (1,), (0, 2), (0, 1, 2)):
        asked = ",".join(map(str, voices))
        wanted = gain * anew(only(voiced, *voices), workspace.roots)
        assert np.allclose(heard(client, plan, asked), wanted, atol=1e-6), voices
    assert np.array_equal(heard(client, plan, "2,1,0"), heard(client, plan))
    high, low = floats(client.get(f"{plan}/peaks?samples=1000&voices=1")).reshape(2, -1)
    assert high[9] == heard(client, plan, "1")[9000:10_000].max()
    assert low[9] == heard(client, plan, "1")[9000:10_000].min()


def test_no_voice_is_silence_as_long_as_the_plan(client, plan, voiced):
    silence = np.zeros((voiced.n_samples, voiced.channels), np.float32)
    assert np.array_equal(heard(client, plan, ""), silence)
    assert np.array_equal(heard(client, plan, "7"), silence)


def test_voices_that_cannot_exist_are_refused(client, plan):
    for voices in ("16", "0,99", "-1", "a", "0,,1"):
        assert client.get(f"{plan}/audio.wav?voices={voices}").status_code == 422, voices
    assert "give 0 to 15" in client.get(f"{plan}/peaks?voices=16").json()["error"]


def test_a_voice_is_no_louder_than_in_the_whole(client, plan, voiced, workspace, tmp_path):
    loud = tuple(replace(step, gain_db=step.gain_db + 12) for step in voiced.steps)
    replace(voiced, steps=loud).save(tmp_path / "loud.plan.json")
    (file,) = [workspace.plans.add(tmp_path / "loud.plan.json", kind="saved")]
    address = f"/plans/{file.id}"
    gain_db = facts(client, address)["audio"]["gain_db"]
    assert gain_db < 0
    alone = anew(only(Plan.load(file.path), 1), workspace.roots)
    assert np.abs(alone).max() < 1
    assert np.allclose(heard(client, address, "1"), 10 ** (gain_db / 20) * alone, atol=1e-6)


def test_what_is_heard_follows_edits_in_any_voice(client, plan, voiced, workspace, tmp_path):
    first = {voice: heard(client, plan, str(voice)) for voice in range(3)}
    before = facts(client, plan)["revision"]
    step = voiced.voices[1][4]
    unit = voiced.steps[step].alternatives[0]["unit"]
    edited(client, plan, kind="choose", step=step, unit=unit)
    assert np.array_equal(heard(client, plan, "2", before), first[2])
    edited(client, plan, kind="repeat", step=voiced.voices[2][0], times=2)
    edited(client, plan, kind="remove", steps=[voiced.voices[0][3], step])
    edited(client, plan, kind="lock", steps=[step - 1], locked=True)
    edited_plan = now(client, plan, tmp_path)
    gain = 10 ** (facts(client, plan)["audio"]["gain_db"] / 20)
    for voice in range(3):
        wanted = gain * anew(only(edited_plan, voice), workspace.roots)
        assert np.allclose(heard(client, plan, str(voice)), wanted, atol=1e-6), voice
    for _ in range(4):
        edited(client, plan, kind="undo")
    assert all(np.array_equal(heard(client, plan, str(n)), first[n]) for n in range(3))
    assert not facts(client, plan)["dirty"]


def test_only_what_an_edit_changed_is_rendered_again(client, plan, voiced, monkeypatch):
    heard(client, plan, "0,1")
    stitched = []
    original = renderer.stitch

    def counted(*args, start, stop, **options):
        stitched.append(stop - start)
        return original(*args, start=start, stop=stop, **options)

    monkeypatch.setattr(renderer, "stitch", counted)
    step = voiced.voices[1][4]
    edit(client, plan, kind="choose", step=step, unit=voiced.steps[step].alternatives[0]["unit"])
    heard(client, plan, "0,1")
    assert len(stitched) == 2  # the whole, and the mix
    assert max(stitched) < 8 * voiced.steps[step].n_samples


def test_voices_of_an_old_revision_are_gone_in_the_end(client, plan, voiced):
    before = facts(client, plan)["revision"]
    for step in voiced.voices[0][: KEPT_AUDIO + 1]:
        edited(client, plan, kind="remove", steps=[step])
    answer = client.get(f"{plan}/audio.wav?revision={before}&voices=1")
    assert answer.status_code == 409


def test_many_mixes_are_rendered_again(client, plan):
    mixes = ["0", "1", "2", "0,1", "0,2", "1,2"]
    assert len(mixes) > KEPT
    first = [heard(client, plan, voices) for voices in mixes]
    again = [heard(client, plan, voices) for voices in mixes]
    assert all(map(np.array_equal, first, again))


def test_a_step_is_heard_in_place_with_the_voices_that_are_heard(client, plan, voiced):
    step = voiced.voices[1][4]
    address = f"{plan}/steps/{step}/audio.wav"
    among_all = sound(client.get(address))
    alone = sound(client.get(f"{address}?voices="))
    assert not np.array_equal(among_all, alone)
    assert np.array_equal(sound(client.get(f"{address}?voices=1")), alone)
    assert np.array_equal(sound(client.get(f"{address}?voices=0,1,2")), among_all)
    assert np.abs(alone).max() > 0


def test_neighbours_of_a_step_are_those_of_its_voice(client, plan, voiced):
    first, last = voiced.voices[1][0], voiced.voices[1][-1]
    assert voiced.steps[first - 1].until_sample != voiced.steps[first].at_sample
    assert voiced.steps[last].until_sample not in (0, voiced.steps[last + 1].at_sample)
    for step, side in ((first, "join"), (last, "join_next")):
        found = client.get(f"{plan}/steps/{step}/alternatives.json").json()
        assert {other[side] for other in found["alternatives"]} == {0.0}


def test_units_of_several_voices_cannot_be_chosen_again(client, plan):
    answer = edit(client, plan, kind="reselect")
    assert answer.status_code == 422
    assert "3 voices were chosen together" in answer.json()["error"]
    assert facts(client, plan)["never_again"] == answer.json()["error"]


@st.composite
def voiced_steps(draw):
    """Steps of up to three voices, each of which may be empty but one."""
    steps: list[Step] = []
    for voice in range(3):
        at = draw(st.integers(0, 1)) * 50
        for unit in draw(st.lists(st.integers(0, 2), max_size=4)):
            steps.append(Step(unit, "a.wav", 100 * unit, 100, at, voice=voice))
            at += 100
    return tuple(steps) or (Step(0, "a.wav", 0, 100, 0),)


@given(old=voiced_steps(), new=voiced_steps())
def test_the_new_steps_are_the_old_ones_with_what_changed(old, new):
    before, after = (Plan(44100, 1, {"id": "x", "root": "/"}, steps) for steps in (old, new))
    found = find_changed_steps(before, after)
    moved = [replace(step, at_sample=step.at_sample + found.shift) for step in old[found.stop :]]
    assert (*old[: found.start], *new[found.start : found.new_stop], *moved) == new
