"""demiurge live, from file to file: what it writes, says and refuses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from db.build import build_database
from db.settings import DescriptorSettings
from demiurge.cli import main
from demiurge.live.take import journal_of
from playback.plan import Plan

RATE = 44100


@pytest.fixture
def database(corpus, tmp_path):
    build_database(
        corpus, tmp_path / "my.db", settings=DescriptorSettings(descriptors=("mfcc", "loudness"))
    )
    return tmp_path / "my.db"


@pytest.fixture
def seed(tmp_path, tabla):
    sf.write(tmp_path / "seed.wav", np.tile(tabla, 2), RATE)
    return tmp_path / "seed.wav"


def run(*words):
    return CliRunner().invoke(main, ["live", *map(str, words)])


def test_a_mosaic_from_file_to_file_and_its_plan(database, seed, tmp_path):
    out = tmp_path / "out.wav"
    result = run(database, "--in", seed, "--out", out, "--knob", "level=-12")
    assert result.exit_code == 0, result.output
    assert "out.plan.json" in result.output
    played, rate = sf.read(out, always_2d=True)
    assert rate == RATE
    assert len(played) == 2 * RATE
    again = tmp_path / "again.wav"
    words = ["playback", str(tmp_path / "out.plan.json"), "-o", str(again)]
    assert CliRunner().invoke(main, words).exit_code == 0
    np.testing.assert_array_equal(sf.read(again, always_2d=True)[0][: len(played)], played)


def test_json_and_the_same_bytes_again(database, seed, tmp_path):
    outs = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for out in outs:
        words = (database, "--mode", "continue", "--in", seed, "--out", out, "--seconds", 3)
        result = run(*words, "--knob", "temperature=0.4", "--json")
        assert result.exit_code == 0, result.output
    facts = json.loads(result.output)
    assert facts["seconds"] == pytest.approx(3)
    assert facts["steps"] == len(Plan.load(facts["plan"]).steps) > 5
    assert facts["late"] == facts["underruns"] == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_filters_and_scenes(database, seed, tmp_path):
    scenes = tmp_path / "set.json"
    scenes.write_text(json.dumps({"version": 1, "scenes": {"3": {"level": -6.0}}}))
    words = ("--in", seed, "--out", tmp_path / "out.wav", "--source", "b/*", "--scenes", scenes)
    result = run(database, *words)
    assert result.exit_code == 0, result.output
    steps = Plan.load(tmp_path / "out.plan.json").steps
    assert {step.source for step in steps} == {"b/x.wav"}
    assert json.loads(scenes.read_text())["scenes"]["3"]["level"] == -6.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mode", "free", "--out", "o.wav"], "--seconds must say how long"),
        (["--in", "SEED"], "--out must be one"),
        (["--out", "o.wav"], "so that --in must be one"),
        (["--in", "none", "--out", "o.wav"], "goes with an input"),
        (["--in", "SEED", "--out", "o.wav", "--osc", "9000"], "--osc controls a session"),
        (["--in", "SEED", "--out", "o.wav", "--knob", "level"], "must be NAME=NUMBER"),
        (["--in", "SEED", "--out", "o.wav", "--knob", "level=99"], "level=99.0 must be"),
        (["--in", "SEED", "--out", "o.wav", "--knob", "loud=1"], "'loud' is unknown"),
        (["--in", "SEED", "--out", "o.wav", "--source", "zzz"], "zzz"),
        (["--in", "SEED", "--out", "o.wav", "--scenes", "no/s.json"], "make it first"),
        (["--in", "SEED", "--out", "SEED", "--force"], "would be written over"),
    ],
)
def test_wrong_usage(database, seed, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    result = run(database, *[str(seed) if word == "SEED" else word for word in words])
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert not list(tmp_path.glob("o.*"))


def start(database, out):
    words = ["live", database, "--mode", "free", "--out", out, "--seconds", "5000"]
    program = [sys.executable, "-m", "demiurge", *map(str, words)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    journal = journal_of(out.with_suffix(".plan.json"))
    limit = time.monotonic() + 60
    while not journal.exists() or journal.stat().st_size < 50_000:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < limit
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_all_that_was_played(database, tmp_path, number):
    out = tmp_path / "out.wav"
    process = start(database, out)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    plan = Plan.load(tmp_path / "out.plan.json")
    assert sf.info(out).frames <= plan.n_samples
    assert sf.info(out).frames > RATE
    assert not journal_of(tmp_path / "out.plan.json").exists()


def test_what_a_killed_program_played_is_recovered(database, seed, tmp_path):
    out = tmp_path / "out.wav"
    process = start(database, out)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    plan = tmp_path / "out.plan.json"
    assert journal_of(plan).exists()
    words = ("--in", seed, "--out", tmp_path / "other.wav", "--plan", plan)
    result = run(database, *words)
    assert result.exit_code == 0, result.output
    recovered = tmp_path / "recovered-out.plan.json"
    assert str(recovered) in result.output
    assert len(Plan.load(recovered).steps) > 50
    assert Plan.load(plan) != Plan.load(recovered)
