import json
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.bench import make_wavs, medians, run_benchmarks
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main
from demiurge.demo import farewell
from files.errors import ParameterError


@pytest.mark.slow
def test_demo_leaves_what_it_says(tmp_path):
    result = CliRunner().invoke(
        main, ["demo", "--out", str(tmp_path / "demo")], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    out = tmp_path / "demo"
    for name in (
        "continuation.wav",
        "seed_and_continuation.wav",
        "continuation.plan.json",
        "overview.png",
        "corpus.db",
        "forecaster",
        "sounds",
    ):
        assert name in result.output
        assert (out / name).exists()
    samples, rate = sf.read(out / "continuation.wav", always_2d=True)
    assert (len(samples), rate) == (430 * 1024, 44100)
    assert 0.02 < np.abs(samples).max() < 1
    plan = json.loads((out / "continuation.plan.json").read_text())
    assert SEED_FILE.name not in {Path(step["source"]).name for step in plan["steps"]}
    generated = sorted((out / "sounds" / "generated").glob("*.flac"))
    assert [sf.info(path).duration for path in generated] == [10.0] * 6
    assert len(list((out / "sounds" / "recorded").iterdir())) == len(list(CORPUS_DIR.iterdir()))
    assert (
        sf.info(out / "seed_and_continuation.wav").frames
        == len(samples) + sf.info(SEED_FILE).frames
    )
    picture = matplotlib.image.imread(out / "overview.png")
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 200


@pytest.mark.parametrize(
    ("path", "called", "start"),
    [
        ("there", ".venv/bin/demiurge", "demiurge"),
        ("nowhere", ".venv/bin/demiurge", ".venv/bin/demiurge"),
        ("nowhere", "site-packages/demiurge/__main__.py", f"{sys.executable} -m demiurge"),
    ],
)
def test_the_demo_ends_with_commands_that_start_here(tmp_path, monkeypatch, path, called, start):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "demiurge").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / path))
    monkeypatch.setattr(sys, "argv", [called, "demo"])
    assert f"\n  {start} browse out/corpus.db --plan out/continuation.plan.json\n" in farewell(
        Path("out"), 1.0
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    for i in range(2):
        samples, rate = sf.read(SEED_FILE, always_2d=True)
        sf.write(folder / f"{i}.wav", samples[i * 9999 :], rate)
    return folder


@pytest.mark.slow
def test_benchmarks_measure_both_paths_and_agree(small, monkeypatch):
    monkeypatch.setattr("demiurge.bench.db.SMALL_FILES", 50)
    monkeypatch.setattr("demiurge.bench.db.UNITS", 5000)
    monkeypatch.setattr("demiurge.bench.query.UNITS", 3000)
    monkeypatch.setattr("demiurge.bench.query.PATH_STEPS", 100)
    monkeypatch.setattr("demiurge.bench.playback.N_STEPS", 150)
    monkeypatch.setattr("demiurge.bench.sequencer.ROLLOUT_STEPS", 20)
    monkeypatch.setattr("demiurge.bench.sequencer.BATCHES", 3)
    monkeypatch.setattr("demiurge.bench.web.UNITS", 3000)
    monkeypatch.setattr("demiurge.bench.web.PLAN_SECONDS", 5)
    monkeypatch.setattr("demiurge.bench.web.HEARD", 3)
    few = {
        "SECONDS": 0.5,
        "SHIPPED_SECONDS": 4.0,
        "CLIP_SECONDS": 0.5,
        "N_CLIPS": 2,
        "STEPS": 1,
        "ARCHITECTURES": ["hifigan-v3"],
    }
    for name, value in few.items():
        monkeypatch.setattr(f"demiurge.bench.synth.{name}", value)
    results = {result.name: result for result in run_benchmarks((), audio=small, repeats=1)}
    assert set(results) == {
        "db",
        "db update",
        "db open",
        "db read",
        "playback WAV plain",
        "playback WAV",
        "playback FLAC plain",
        "playback FLAC",
        "playback OGG plain",
        "playback OGG",
        "query search",
        "query path",
        "sequencer rollout",
        "sequencer training",
        "sequencer epoch",
        "synth hifigan-v3",
        "synth unagan hierarchical",
        "synth unagan nonhierarchical",
        "synth shipped vocoder",
        "synth generate",
        "synth training vocos-small",
        "synth training unagan-small",
        "browse map",
        "browse unit",
        "browse edit",
    }
    assert all(
        value > 0.9 for name, value in results["query search"].facts.items() if "recall" in name
    )
    assert (
        results["query path"].facts["joins, % of steps"]
        < results["query path"].facts["joins of the nearest units, %"]
    )
    assert results["db"].facts["largest_difference"] < 1e-3
    assert results["db"].audio_seconds == pytest.approx(2 * 6.86, abs=0.5)
    assert results["sequencer rollout"].facts["largest_difference"] < 1e-4
    assert results["synth hifigan-v3"].facts["largest difference, of full scale"] < 1e-4
    assert 0 < results["browse edit"].facts["sound made anew, s"] < 0.5
    for result in results.values():
        assert result.ratio == pytest.approx(result.baseline_seconds / result.seconds)
        assert min(result.seconds, result.baseline_seconds) > 0


def test_benchmarks_are_measured_on_different_parts_of_the_bundled_sounds(tmp_path, monkeypatch):
    monkeypatch.setattr("demiurge.bench.FILE_SECONDS", 1)
    make_wavs(tmp_path, 3)
    read = [sf.read(path, dtype="int16") for path in sorted(tmp_path.iterdir())]
    assert [(samples.shape, rate) for samples, rate in read] == [((44100, 2), 44100)] * 3
    assert len({samples.tobytes() for samples, _ in read}) == 3
    assert all(np.abs(samples).max() > 1000 for samples, _ in read)


def test_medians_are_of_each_path_in_turn(monkeypatch):
    called = []
    clock = iter([0, 3, 10, 30, 40, 41, 50, 70, 80, 82, 90, 100])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert medians(lambda: called.append("ours"), lambda: called.append("theirs"), 3) == (2, 20)
    assert called == ["ours", "theirs"] * 3


def test_benchmark_of_a_folder_without_audio_is_refused(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(
            ParameterError,
            match="no such folder, or no audio in it; give a folder with audio files",
        ):
            run_benchmarks(("db",), audio=folder, repeats=1)
