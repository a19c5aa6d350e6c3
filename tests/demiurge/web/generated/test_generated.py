"""More sounds like some units: made by a process, kept on disk, cancelled, refused."""

import json
import threading

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from demiurge.web.generated.clips import GeneratedClips
from demiurge.web.generated.generating import CLIPS, SECONDS, GenerateTask, generate_clips
from demiurge.web.make.messages import Finished, Progressed
from demiurge.web.make.worker import Worker
from demiurge.web.workspace import Workspace
from files.errors import AudioError, DemiurgeError
from tests.demiurge.web.conftest import visit, wait_until

PATIENCE = 120.0  # seconds; on an idle machine the clips here take five
RATE = 22050


@pytest.fixture
def shipped(toy_weights, monkeypatch):
    monkeypatch.setattr("demiurge.shipped.WEIGHTS", toy_weights)
    return toy_weights


def state(client):
    return client.get("/generated.json").json()


def ids(workspace, n=2):
    return workspace.database.units.ids[:n].tolist()


def task(weights, sounds, out):
    return GenerateTask(sounds, weights / "flow-piano", weights / "vocoder", out, 5)


def test_clips_are_made_in_the_style_of_units_and_served(workspace, shipped):
    with visit(workspace) as client:
        assert state(client)["state"] == "idle"
        answer = client.post("/generated", json={"units": ids(workspace)})
        assert (answer.status_code, answer.json()["state"]) == (202, "running")
        again = client.post("/generated", json={"units": ids(workspace)})
        assert again.status_code == 422
        assert "wait for them, or cancel them" in again.json()["error"]
        wait_until(lambda: state(client)["state"] != "running", PATIENCE)
        found = state(client)
        assert (found["state"], found["done"], found["error"]) == ("done", CLIPS, None)
        assert len(found["clips"]) == CLIPS
        first = found["clips"][0]
        clip = client.get(f"/generated/{first['run']}/{first['name']}")
        assert clip.headers["content-type"] == "audio/flac"
        assert f"{first['run']}-generated-000001.flac" in clip.headers["content-disposition"]
    folder = workspace.folder / "generated" / first["run"]
    info = sf.info(folder / first["name"])
    assert (info.frames, info.samplerate) == (round(SECONDS * RATE), RATE)
    header = json.loads((folder / "manifest.jsonl").read_text().splitlines()[0])
    like = [file["file"] for file in header["request"]["like"]]
    assert like == [f"unit-{unit}.wav" for unit in ids(workspace)]


def test_clips_of_an_earlier_session_are_shown_newest_run_first(workspace):
    for run in ("20300101-000000-aaaaaa", "20300101-000001-aaaaaa"):
        (workspace.folder / "generated" / run).mkdir(parents=True)
        for number in (1, 2):
            (workspace.folder / "generated" / run / f"generated-00000{number}.flac").touch()
    with visit(workspace) as client:
        names = [(clip["run"][14], clip["name"][15]) for clip in state(client)["clips"]]
    assert names == [("1", "1"), ("1", "2"), ("0", "1"), ("0", "2")]


def test_cancelled_clips_leave_what_is_finished_and_others_can_be_made(
    workspace, shipped, monkeypatch
):
    begun = threading.Event()
    killed = threading.Event()

    def work(worker, given):
        begun.set()
        yield Progressed(0, "generating", 1, CLIPS)
        if not killed.is_set():
            killed.wait(PATIENCE)
            raise DemiurgeError("it died")
        yield Finished()

    monkeypatch.setattr(Worker, "work", work)
    monkeypatch.setattr(Worker, "kill", lambda worker: killed.set())
    with visit(workspace) as client:
        client.post("/generated", json={"units": ids(workspace)})
        assert begun.wait(PATIENCE)
        assert client.post("/generated/cancel").json()["state"] == "cancelled"
        client.post("/generated", json={"units": ids(workspace)})
        wait_until(lambda: state(client)["state"] == "done")
        assert state(client)["error"] is None


def test_clips_that_are_cancelled_before_the_process_begins_are_not_made(tmp_path, monkeypatch):
    cancelled = threading.Event()
    ended = threading.Event()
    made = []

    def work(worker, given):
        cancelled.wait(PATIENCE)
        for number in range(CLIPS):
            yield Progressed(0, "generating", number, CLIPS)
            made.append(number)

    monkeypatch.setattr(Worker, "work", work)
    monkeypatch.setattr(Worker, "kill", lambda worker: cancelled.is_set() and ended.set())
    clips = GeneratedClips(tmp_path, lambda kind, data: None)
    clips.start(task(tmp_path, (), tmp_path))
    clips.cancel()
    cancelled.set()
    assert ended.wait(PATIENCE)
    assert made == []
    assert clips.document()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"units": []}, 422, "must be a list of at least one unit"),
        ({"units": [-1]}, 422, "units=-1 must be a unit"),
        ({"units": [10**9]}, 404, "there is no unit 1000000000 in small.db"),
        ({"units": list(range(65))}, 422, "65 units are more than 64; unpin some of them"),
        ({"units": [1], "colour": 1}, 422, "'colour' is unknown"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(body, status, message, workspace, shipped):
    with visit(workspace) as client:
        answer = client.post("/generated", json=body)
        assert answer.status_code == status
        assert message in answer.json()["error"]
        assert state(client)["state"] == "idle"


def test_unit_whose_source_is_missing_is_told(own, tmp_path, shipped):
    for sound in (own / "sounds").iterdir():
        sound.unlink()
    workspace = Workspace(own / "small.db", folder=tmp_path / "plans", root=own / "sounds")
    with visit(workspace) as client:
        answer = client.post("/generated", json={"units": ids(workspace)})
    assert answer.status_code == 410
    assert "is not in the corpus folder any more" in answer.json()["error"]


@pytest.mark.parametrize(
    "name", ["x", "manifest.jsonl", "..%2f..%2fsmall.db", "generated-000001.flac"]
)
def test_no_other_file_is_served(name, workspace):
    with visit(workspace) as client:
        assert client.get(f"/generated/run/{name}").status_code == 404


def test_button_is_there_only_if_a_flow_is_shipped(workspace, toy_weights, tmp_path, monkeypatch):
    with visit(workspace) as client:
        for weights, offered in [(toy_weights, True), (tmp_path / "none", False)]:
            monkeypatch.setattr("demiurge.shipped.WEIGHTS", weights)
            page = client.get("/map", headers={"Accept": "text/html"}).text
            assert ("Generate more like these" in page) is offered
        answer = client.post("/generated", json={"units": ids(workspace)})
        assert answer.status_code == 404
        assert "no flow comes with this version" in answer.json()["error"]


def test_silent_sounds_are_told(toy_weights, tmp_path):
    sf.write(tmp_path / "unit-3.wav", np.zeros(RATE), RATE)
    with pytest.raises(AudioError, match=r"unit-3.wav: silent; give a sound"):
        generate_clips(task(toy_weights, (tmp_path / "unit-3.wav",), tmp_path / "out"), print)


def test_progress_is_told_clip_by_clip(toy_weights, tmp_path, monkeypatch):
    monkeypatch.setattr("demiurge.web.generated.generating.SECONDS", 1.0)
    rng = np.random.default_rng(0)
    sf.write(tmp_path / "unit-3.wav", 0.1 * rng.normal(size=RATE), RATE)
    told = []
    generate_clips(task(toy_weights, (tmp_path / "unit-3.wav",), tmp_path / "out"), told.append)
    assert [(message.label, message.done, message.total) for message in told] == [
        ("loading the models", 0, 4),
        *[("generating", done, 4) for done in (1, 2, 3, 4)],
    ]
    report = build_database(tmp_path / "out", tmp_path / "generated.db")
    assert len(report.added) == 4


def test_process_that_dies_is_told(tmp_path, monkeypatch):
    published = []
    clips = GeneratedClips(tmp_path, lambda kind, data: published.append(data))
    monkeypatch.setattr(Worker, "work", lambda *_: (_ for _ in ()).throw(DemiurgeError("it died")))
    clips.start(task(tmp_path, (), tmp_path))
    wait_until(lambda: clips.document()["state"] == "failed")
    assert (published[-1]["state"], published[-1]["error"]) == ("failed", "it died")
