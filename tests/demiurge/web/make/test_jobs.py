"""Jobs: carried out by a process, one at a time, kept on disk; one that fails stops no other."""

import json
import os
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile as sf
from click.testing import CliRunner

from db.database import Database
from demiurge.cli import main
from demiurge.reopen import DatabaseFiles
from demiurge.web import throttle
from demiurge.web.events import Events
from demiurge.web.make.jobs import Job, Jobs, new_id
from demiurge.web.make.messages import Progressed, RenderTask, VariationFinished
from demiurge.web.make.worker import Reporter, Worker, render_variations
from demiurge.web.plans import Plans
from files.errors import ParameterError
from playback.plan import Plan
from tests.demiurge.web.conftest import wait_until

RATE = 44100
PATIENCE = 60.0  # seconds; on an idle machine a job here takes one
ENDED = ("done", "failed", "cancelled", "interrupted")


@pytest.fixture(scope="module")
def model(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained forecaster."""
    import torch

    from sequencer.forecaster import Forecaster, ForecasterConfig

    database = Database(built / "small.db")
    torch.manual_seed(0)
    forecaster = Forecaster(
        ForecasterConfig("lstm", database.settings, architecture_sizes={"hidden_size": 16})
    )
    bounds = torch.full_like(forecaster.low, -2.0), torch.full_like(forecaster.high, 2.0)
    forecaster.set_statistics(database.normaliser, low=bounds[0], high=bounds[1])
    folder = tmp_path_factory.mktemp("models") / "untrained"
    forecaster.save(folder)
    return folder


@pytest.fixture
def told(monkeypatch) -> list:
    """All events, as (kind, data)."""
    events = []
    monkeypatch.setattr(Events, "publish", lambda self, kind, data: events.append((kind, data)))
    return events


@pytest.fixture
def seed(client, tabla, tmp_path) -> str:
    sf.write(tmp_path / "tabla.wav", tabla, RATE)
    return client.post(
        "/seeds?name=tabla.wav", content=(tmp_path / "tabla.wav").read_bytes()
    ).json()["id"]


def asked(client, seed, **options):
    return client.post("/jobs", json={"seed": seed, "model": None, "variations": 1, **options})


def wait(client, job, states=ENDED) -> dict:
    """Wait until the job is in one of these states; return it."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        now = client.get(f"/jobs/{job['id']}.json").json()
        if now["state"] in states:
            return now
        time.sleep(0.02)
    raise AssertionError(f"{now} is in none of the states {states}")


def test_mosaic_of_a_seed(told, client, workspace, seed):
    answer = asked(client, seed, variations=2, continuity=0.5, temperature=0, random_seed=3)
    assert answer.status_code == 202
    job = wait(client, answer.json())
    assert (job["state"], job["error"], job["seed"]["name"], job["model"]) == (
        "done",
        None,
        "tabla.wav",
        None,
    )
    assert job["created"] <= job["started"] <= job["finished"]
    assert (
        client.get("/jobs.json").json()["jobs"] == client.get("/make.json").json()["jobs"] == [job]
    )
    plans = {plan["id"]: plan for plan in client.get("/plans.json").json()["plans"]}
    assert list(plans) == list(reversed(job["plans"]))
    moment = time.strftime("%H:%M", time.localtime(job["created"]))
    assert [plans[one]["name"] for one in job["plans"]] == [
        f"tabla {number} ({moment})" for number in (1, 2)
    ]
    assert all(
        plan["kind"] == "made" and plan["job"] == job["id"] and plan["seconds"] == 1
        for plan in plans.values()
    )
    folder = workspace.folder / "jobs" / job["id"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "job.json",
        "variation-1.plan.json",
        "variation-1.wav",
        "variation-2.plan.json",
        "variation-2.wav",
    ]
    first, second = (Plan.load(folder / f"variation-{number}.plan.json") for number in (1, 2))
    assert first.settings["path"]["continuity"] == 0.5
    assert first.settings["target"] == second.settings["target"] == "tabla.wav"
    assert [step.unit for step in first.steps] != [step.unit for step in second.steps]
    states = [data["state"] for kind, data in told if kind == "job" and data["id"] == job["id"]]
    assert (states[0], states[1], states[-1]) == ("queued", "running", "done")


def test_temperature_of_a_mosaic_is_that_of_its_path_and_none_unless_asked(client, workspace, seed):
    defaults = client.get("/make.json").json()["defaults"]
    assert (defaults["continuation"]["temperature"], defaults["mosaic"]["temperature"]) == (1, 0)
    for options, temperature in (({}, 0), ({"temperature": 0.3}, 0.3)):
        job = wait(client, asked(client, seed, **options).json())
        assert job["options"]["temperature"] == temperature
        plan = Plan.load(workspace.folder / "jobs" / job["id"] / "variation-1.plan.json")
        assert plan.settings["path"]["temperature"] == temperature


def test_job_that_says_it_has_made_too_much_is_left_out(tmp_path, caplog):
    for job_id, made in (("a", 8), ("b", 9), ("c", -1), ("d", 10**12)):
        (tmp_path / "jobs" / job_id).mkdir(parents=True)
        record = asdict(
            Job(job_id, {"id": "s", "name": "s.wav"}, None, {}, 0.0, state="done", made=made)
        )
        (tmp_path / "jobs" / job_id / "job.json").write_text(json.dumps(record))
    jobs = Jobs(tmp_path / "jobs", Plans(tmp_path), lambda kind, data: None)
    assert [job["id"] for job in jobs.documents()] == ["a"]
    assert caplog.text.count("cannot be used") == 3


def test_records_that_are_no_files_or_incomplete_are_left_out(tmp_path, caplog):
    for job_id in ("a", "b", "c"):
        (tmp_path / "jobs" / job_id).mkdir(parents=True)
    os.mkfifo(tmp_path / "jobs" / "a" / "job.json")
    (tmp_path / "jobs" / "b" / "job.json").symlink_to("/dev/zero")
    (tmp_path / "jobs" / "c" / "job.json").write_text('{"id": "c", "made": 0}')
    jobs = Jobs(tmp_path / "jobs", Plans(tmp_path), lambda kind, data: None)
    assert jobs.documents() == []
    for problem in ("a named pipe, not a file", "a device, not a file", "seed is missing"):
        assert f"job.json: {problem}; remove it" in caplog.text


def test_variations_of_a_continuation_are_those_of_the_next_seeds(
    client, built, seed, model, tmp_path
):
    target = tmp_path / model.name  # the current folder, where models are looked for
    target.symlink_to(model)
    known = client.get("/make.json").json()["models"]
    assert [one["name"] for one in known] == ["untrained"]
    made = asked(
        client,
        seed,
        model=known[0]["id"],
        variations=2,
        seconds=0.5,
        random_seed=7,
        temperature=0.9,
    )
    job = wait(client, made.json())
    assert (job["state"], job["error"]) == ("done", None)
    assert job["model"]["name"] == "untrained"
    assert client.get(f"/plans/{job['plans'][0]}.json").json()["settings"]["seed"] == "tabla.wav"
    arguments = [
        "render",
        str(tmp_path / "tabla.wav"),
        str(built / "small.db"),
        str(model),
        "-o",
        str(tmp_path / "out.wav"),
    ]
    result = CliRunner().invoke(
        main, [*arguments, "--seconds", "0.5", "--random-seed", "8", "--temperature", "0.9"]
    )
    assert result.exit_code == 0, result.output
    sound = client.get(f"/plans/{job['plans'][1]}/download/wav")
    assert sound.content == (tmp_path / "out.wav").read_bytes()


def test_mosaic_of_voices_is_what_the_command_makes(built, client, seed, tmp_path):
    pytest.importorskip("python_stretch", reason="units are transposed")
    made = asked(client, seed, voices=2, transpose=1, variations=1, temperature=0.3)
    job = wait(client, made.json())
    assert (job["state"], job["error"]) == ("done", None)
    plan = client.get(f"/plans/{job['plans'][0]}.json").json()
    assert plan["settings"]["voices"] == {"number": 2, "transpose": 1, "follow": "both"}
    assert plan["never_again"] is None
    arguments = ["mosaic", str(tmp_path / "tabla.wav"), str(built / "small.db")]
    options = ["--voices", "2", "--transpose", "1", "--path-temperature", "0.3"]
    out = tmp_path / "out.wav"
    result = CliRunner().invoke(main, [*arguments, "-o", str(out), *options])
    assert result.exit_code == 0, result.output
    sound = client.get(f"/plans/{job['plans'][0]}/download/wav")
    assert sound.content == out.read_bytes()


def test_mosaic_has_one_voice_by_default(client, seed):
    options = asked(client, seed).json()["options"]
    assert (options["voices"], options["transpose"]) == (1, 0)


def test_wrong_requests_are_refused_at_the_door(client, seed):
    wrong = {
        "seconds": [0.4, 601, "10", True, None],
        "variations": [0, 9, 2.5, True],
        "voices": [0, 17, 1.5, "two"],
        "transpose": [-1, 13, 0.5, "auto"],
        "continuity": [-1, 1e300, [1]],
        "temperature": [-0.1, 11],
        "random_seed": [-1, 1 << 32, 0.5],
        "novelty": ["much"],
        "tempo": [1],
    }
    for name, values in wrong.items():
        for value in values:
            answer = asked(client, seed, **{name: value})
            assert answer.status_code == 422, (name, value)
            assert name in answer.json()["error"]
    assert asked(client, "0" * 32).status_code == 404
    assert asked(client, "../../etc").status_code == 404
    assert asked(client, 7).status_code == 422
    assert "no such model" in asked(client, seed, model="nothing").json()["error"]
    assert (
        client.post(
            "/jobs", content=b'{"seconds": NaN}', headers={"Content-Type": "application/json"}
        ).status_code
        == 400
    )
    assert (
        client.get("/jobs/nothing.json").status_code
        == client.post("/jobs/nothing/cancel").status_code
        == 404
    )
    assert client.get("/jobs.json").json() == {"jobs": []}


def test_cancelled_jobs_end_and_the_next_is_done(client, seed, workspace):
    running, waiting, last = (asked(client, seed).json() for _ in range(3))
    wait(client, running, ("running",))
    assert client.post(f"/jobs/{waiting['id']}/cancel").json()["state"] == "cancelled"
    cancelled = client.post(f"/jobs/{running['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert cancelled["plans"] == []
    assert wait(client, last)["state"] == "done"
    assert client.post(f"/jobs/{last['id']}/cancel").json()["state"] == "done"
    assert [
        client.get(f"/jobs/{one['id']}.json").json()["state"] for one in (running, waiting)
    ] == ["cancelled"] * 2


def test_worker_that_dies_fails_its_job_only(client, seed, workspace, monkeypatch):
    workers = []
    start = Worker._start
    monkeypatch.setattr(
        Worker, "_start", lambda self: (start(self), workers.append(self._process.pid))
    )
    dying = asked(client, seed).json()
    next_one = asked(client, seed).json()
    wait(client, dying, ("running",))
    wait_until(lambda: workers)
    os.kill(workers[0], signal.SIGKILL)
    failed = wait(client, dying)
    assert failed["state"] == "failed"
    assert "died" in failed["error"]
    assert wait(client, next_one)["state"] == "done"
    assert len(workers) == 2


def test_failure_is_told_in_words_and_the_worker_goes_on(client, seed, workspace):
    (workspace.folder / "seeds" / f"{seed}.wav").write_bytes(b"nothing any more")
    failed = wait(client, asked(client, seed).json())
    assert failed["state"] == "failed"
    assert "not readable as audio" in failed["error"]


WRONG = [  # in the record of a job
    {"made": "3"},
    {"made": True},
    {"created": "today"},
    {"created": float("nan")},
    {"seed": {"id": "s"}},
    {"seed": "s"},
    {"seed": {"name": 1}},
    {"model": []},
    {"options": None},
    {"progress": [1]},
    {"error": 3},
    {"colour": 1},
    {"created": 1e300},
    {"created": -1},
    {"made": 1 << 40},
    {"options": {"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}},
]


def test_jobs_of_another_day(tmp_path, caplog):
    jobs = Jobs(tmp_path / "jobs", Plans(tmp_path), lambda kind, data: None)
    begun = Job(
        new_id(),
        {"id": "s", "name": "a.b.wav"},
        None,
        {"variations": 2},
        1000.0,
        state="running",
        made=2,
    )
    for job in (
        begun,
        replace(begun, id="waiting", state="queued", made=0),
        replace(begun, id="ended", state="done", made=0),
    ):
        (tmp_path / "jobs" / job.id).mkdir(parents=True)
        jobs._update(job)
    (tmp_path / "jobs" / begun.id / "variation-1.plan.json").write_text("{}")
    record = json.loads((tmp_path / "jobs" / "ended" / "job.json").read_text())
    broken = [
        '{"id": 1}',
        "[]",
        "[" * 10**6,
        "nothing",
        *(json.dumps(record | {"id": "no", **wrong}) for wrong in WRONG),
    ]
    for number, text in enumerate(broken):
        (tmp_path / "jobs" / f"broken-{number}").mkdir()
        (tmp_path / "jobs" / f"broken-{number}" / "job.json").write_text(
            text.replace('"no"', f'"broken-{number}"')
        )
    plans = Plans(tmp_path)
    again = Jobs(tmp_path / "jobs", plans, lambda kind, data: None)
    states = {job["id"]: job["state"] for job in again.documents()}
    assert [f"broken-{number}" in caplog.text for number in range(len(broken))] == [True] * len(
        broken
    )
    assert states == {begun.id: "interrupted", "waiting": "interrupted", "ended": "done"}
    assert (
        json.loads((tmp_path / "jobs" / begun.id / "job.json").read_text())["state"]
        == "interrupted"
    )
    (made,) = plans.files()  # the second was removed by somebody
    assert made.name.startswith("a.b 1 (")
    assert again.document(again.get(begun.id))["plans"] == [made.id]


def test_server_that_ends_leaves_its_jobs_interrupted(client, seed, workspace):
    job = asked(client, seed).json()
    wait(client, job, ("running",))
    workspace.close()
    again = Jobs(workspace.folder / "jobs", Plans(workspace.folder), lambda kind, data: None)
    assert [one["state"] for one in again.documents()] == ["interrupted"]


def test_only_so_many_wait(tmp_path):
    jobs = Jobs(tmp_path / "jobs", Plans(tmp_path), lambda kind, data: None, most_waiting=0)
    with pytest.raises(ParameterError, match="0 jobs are waiting; cancel some"):
        jobs.submit(Job("a", {}, None, {}, 0.0), task(tmp_path))


def task(folder: Path, **options) -> RenderTask:
    values = {
        "seconds": 1.0,
        "continuity": 0.25,
        "novelty": 0.0,
        "temperature": 1.0,
        "variations": 2,
        "voices": 1,
        "transpose": 0,
        "random_seed": 0,
    }
    files = DatabaseFiles({"": (folder / "d.db", folder)})
    return RenderTask(folder / "s.wav", "kick.wav", None, files, folder, **(values | options))


def files_of(built):
    return DatabaseFiles({"": (built / "small.db", built / "sounds")})


def test_progress_is_reported_ten_times_a_second_at_most(tmp_path, monkeypatch):
    sent = []
    now = 50.0
    monkeypatch.setattr(throttle, "time", SimpleNamespace(monotonic=lambda: now))
    reporter = Reporter(task(tmp_path), sent.append, seconds=0.1)
    reporter.begin()
    for _ in range(35):
        now += 0.01
        reporter.progress(1, 10, "choosing units")
    assert sent[0] == Progressed(1, "analysing the seed")
    assert sent[1:] == [Progressed(1, "choosing units", 1, 10)] * 3
    finished = SimpleNamespace(plan_file=tmp_path / "variation-1.plan.json")
    reporter.finish(finished)
    now += 0.1
    reporter.progress(2, 10, "variation-2.wav")
    assert sent[-2:] == [
        VariationFinished(1, finished.plan_file),
        Progressed(2, "writing", 2, 10),
    ]


def test_progress_of_the_search_is_reported_too(built, model, tabla, tmp_path):
    sf.write(tmp_path / "s.wav", tabla, RATE)
    sent = []
    asked_for = replace(task(tmp_path, variations=1), model=model, databases=files_of(built))
    render_variations(asked_for, sent.append, seconds=0)
    *progress, last = sent
    assert progress[0] == Progressed(1, "analysing the seed")
    choosing = [message for message in progress if message.label == "choosing units"]
    done = [message.done for message in choosing]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == choosing[-1].total > 0
    assert {message.variation for message in progress} == {1}
    assert last == VariationFinished(1, tmp_path / "variation-1.plan.json")
    assert Plan.load(last.plan).settings["seed"] == "kick.wav"


def test_messages_of_a_mosaic_of_several_variations_are_in_order(built, tabla, tmp_path):
    sf.write(tmp_path / "s.wav", tabla, RATE)
    sent = []
    asked_for = replace(task(tmp_path, temperature=0.0), databases=files_of(built))
    render_variations(asked_for, sent.append, seconds=0)
    finished = [message for message in sent if isinstance(message, VariationFinished)]
    plans = [tmp_path / f"variation-{number}.plan.json" for number in (1, 2)]
    assert finished == [VariationFinished(1, plans[0]), VariationFinished(2, plans[1])]
    writing = [message.variation for message in sent if getattr(message, "label", "") == "writing"]
    assert sorted(set(writing)) == [1, 2]
    between = sent[sent.index(finished[0]) : sent.index(finished[1])]
    assert {message.variation for message in between[1:]} == {2}
    assert [Plan.load(plan).settings["target"] for plan in plans] == ["kick.wav"] * 2
