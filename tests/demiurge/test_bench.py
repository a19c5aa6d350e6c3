"""The benchmarks: both sides do the same work, and are timed in turn."""

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from audio.scan import find_audio
from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bench import Result, benchmarks, make_wavs, medians, run_benchmarks
from demiurge.bench.db import describe_with_librosa, write_small_files
from demiurge.bench.db_costs import first_files, link_hours, measure_parts, measure_peak_memory
from demiurge.bench.playback import (
    bench_render,
    convert,
    own_cache,
    random_plan,
    render_by_segment,
    voices_plan,
)
from demiurge.bench.query import describe_varied, make_database, recall, without_first
from demiurge.bench.sequencer import WINDOW, RandomWindows
from demiurge.bench.web import map_as_text
from demiurge.bundled import SEED_FILE
from demiurge.cli import main
from demiurge.shipped import shipped_names
from files.errors import ParameterError
from playback.options import CrossfadeOptions
from playback.plan import Plan, Step
from playback.runs import is_contiguous, join_runs

RATE = 44100
SMALL = {
    "start.COMMANDS": ("--help", "query", "browse"),
    "db.SMALL_FILES": 50,
    "db.UNITS": 5000,
    "query.UNITS": 3000,
    "query.PATH_STEPS": 100,
    "query_voices.TARGET_STEPS": 100,
    "playback.N_STEPS": 150,
    "sequencer.ROLLOUT_STEPS": 20,
    "sequencer.BATCHES": 3,
    "web.UNITS": 3000,
    "web.PLAN_SECONDS": 5,
    "web.N_UNITS_PLAYED": 3,
    "synth.SECONDS": 0.5,
    "synth.SHIPPED_SECONDS": 4.0,
    "synth.CLIP_SECONDS": 0.5,
    "synth.N_CLIPS": 2,
    "synth_training.STEPS": 1,
    "synth.ARCHITECTURES": ["hifigan-v3"],
    "live.UNITS": (2000,),
    "live.SECONDS": 6.0,
    "live.LONG_SECONDS": 8.0,
    "live_answers.CHANGES": 8,
    "cluster.UNITS": 3000,
    "cluster.ACTORS": (2,),
}
NAMES = {
    "start": ["start help", "start query", "start browse"],
    "db": ["db", "db bands", "db update", "db open", "db read"],
    "query": ["query search", "query path", "query voices"],
    "playback": [
        f"playback {container}{plain}"
        for container in ("WAV", "FLAC", "OGG")
        for plain in (" plain", "")
    ]
    + ["playback 6 voices"],
    "sequencer": ["sequencer rollout", "sequencer training", "sequencer epoch"],
    "synth": [
        "synth hifigan-v3",
        "synth unagan",
        "synth unagan-nonhierarchical",
        "synth shipped vocoder",
        *(f"synth generate {name}" for name in shipped_names("generator")),
        "synth training vocos-small",
        "synth training unagan-small",
        "synth training flow",
    ],
    "web": ["browse map", "browse unit", "browse edit"],
    "live": [
        *(f"live {mode}" for mode in ("mosaic", "accompany", "continue", "free")),
        "live free with a model",
        "live long run",
    ],
    "cluster": ["cluster 2 actors"],
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two files of seven seconds, WAV."""
    folder = tmp_path_factory.mktemp("bench")
    for i in range(2):
        samples, rate = sf.read(SEED_FILE, always_2d=True)
        sf.write(folder / f"{i}.wav", samples[i * 9999 :], rate)
    return folder


@pytest.mark.slow
def test_benchmarks_measure_both_sides_and_they_agree(small, monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(f"demiurge.bench.{name}", value)
    found = run_benchmarks((), audio=small, repeats=1)
    assert [result.name for result in found] == [name for of in NAMES.values() for name in of]
    results = {result.name: result for result in found}
    search = results["query search"].facts
    assert all(value > 0.9 for name, value in search.items() if "recall" in name)
    path = results["query path"].facts
    assert path["joins, % of steps"] < path["joins of the nearest units, %"]
    voices = results["query voices"]
    share = voices.facts["share of the audio, for each voice, %"]
    assert share == pytest.approx(100 * voices.seconds / voices.audio_seconds)
    assert results["db"].facts["largest_difference"] < 1e-3
    assert results["db"].audio_seconds == pytest.approx(2 * 6.86, abs=0.5)
    assert results["sequencer rollout"].facts["largest_difference"] < 1e-4
    assert results["synth hifigan-v3"].facts["largest difference, of full scale"] < 1e-4
    assert 0 < results["browse edit"].facts["sound made anew, s"] < 0.5
    mosaic = results["live mosaic"].facts
    assert mosaic["target cost over the nearest units', %"] > 0
    assert mosaic["changes answered, continuity 0"] == "8 of 8"
    assert 1 < mosaic["from a change to its answer, continuity 0, units: median"] < 5
    assert 0 < results["live continue"].facts["units played"] < 6 * RATE // 1024
    assert results["live long run"].facts["samples that differ from the plan rendered anew"] == 0
    for result in results.values():
        assert min(result.seconds, result.baseline_seconds) > 0


def test_every_benchmark_is_expected_above():
    assert [*benchmarks()] == [*NAMES]


def test_result_says_how_many_times_faster():
    result = Result("name", "what", "baseline", 2.0, 5.0, 60.0, 3, {"more": 1})
    assert result.to_dict() == {
        "name": "name",
        "what": "what",
        "baseline": "baseline",
        "seconds": 2.0,
        "baseline_seconds": 5.0,
        "audio_seconds": 60.0,
        "repeats": 3,
        "facts": {"more": 1},
        "ratio": 2.5,
    }


def test_medians_are_of_each_side_in_turn(monkeypatch):
    called = []
    clock = iter([0, 3, 10, 30, 40, 41, 50, 70, 80, 82, 90, 100])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert medians(lambda: called.append("ours"), lambda: called.append("theirs"), 3) == (2, 20)
    assert called == ["ours", "theirs"] * 3


@pytest.fixture
def fake(monkeypatch):
    """Two benchmarks that say what they were given."""

    def make(name):
        def measure(audio, repeats, full):
            n_files = len(find_audio(audio))
            facts = {"files": n_files, "full": full, "share": 0.12345}
            return [Result(name, "work", "usual", 0.5, 2.0, 60.0, repeats, facts)]

        return measure

    monkeypatch.setattr("demiurge.bench.benchmarks", lambda: {n: make(n) for n in ("a", "b")})


@pytest.mark.parametrize(("names", "run"), [((), ["a", "b"]), (("b",), ["b"])])
def test_all_benchmarks_are_run_or_those_that_are_named(fake, small, names, run):
    found = run_benchmarks(names, audio=small, repeats=2)
    assert [result.name for result in found] == run
    assert all(result.facts["files"] == result.repeats == 2 for result in found)


def write_clicks(folder, n_files):
    for number in range(n_files):
        sf.write(folder / f"{number}.wav", np.ones(8), RATE)


@pytest.mark.parametrize(("full", "n_files"), [(False, 10), (True, 240)])
def test_bundled_sounds_are_measured_if_no_folder_is_given(fake, monkeypatch, full, n_files):
    monkeypatch.setattr("demiurge.bench.make_wavs", write_clicks)
    (found,) = run_benchmarks(("a",), audio=None, repeats=1, full=full)
    assert (found.facts["files"], found.facts["full"]) == (n_files, full)


def test_command_prints_both_sides_and_the_facts(fake, small):
    printed = CliRunner().invoke(main, ["bench", "a", "--audio", str(small)]).stdout
    for said in ("a: 4.0 × faster; work", "0.5 s", "120 × real time", "2 s", "30 × real time"):
        assert said in printed
    assert "files: 2\n" in printed
    assert "share: 0.1235\n" in printed
    document = CliRunner().invoke(main, ["bench", "b", "--audio", str(small), "--json"]).stdout
    assert [result["ratio"] for result in json.loads(document)] == [4.0]


def test_unknown_benchmark_is_refused_with_the_known_ones():
    with pytest.raises(ParameterError, match=r"'dbs'; known are start, db, query"):
        run_benchmarks(("db", "dbs"), audio=None, repeats=1)


def test_folder_without_audio_is_refused(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(
            ParameterError,
            match="no such folder, or no audio in it; give a folder with audio files",
        ):
            run_benchmarks(("db",), audio=folder, repeats=1)


def test_wavs_are_of_different_parts_of_the_bundled_sounds(tmp_path, monkeypatch):
    monkeypatch.setattr("demiurge.bench.FILE_SECONDS", 1)
    make_wavs(tmp_path, 3)
    read = [sf.read(path, dtype="int16") for path in sorted(tmp_path.iterdir())]
    assert [(samples.shape, rate) for samples, rate in read] == [((RATE, 2), RATE)] * 3
    assert len({samples.tobytes() for samples, _ in read}) == 3
    assert all(np.abs(samples).max() > 1000 for samples, _ in read)


def test_librosa_describes_as_a_database_does(small, tmp_path):
    settings = DescriptorSettings(window_centre="start")
    build_database(small, tmp_path / "db", settings=settings, executor=None)
    database = Database(tmp_path / "db")
    expected = describe_with_librosa(small / "0.wav", tmp_path, settings)
    rows = database.source_descriptors(0)
    np.testing.assert_allclose(rows, expected[: len(rows)], atol=1e-3)
    columns = json.loads((tmp_path / "descriptors.json").read_text())
    assert columns["mfcc38"] == expected[:, 38].tolist()


def test_small_files_are_different_parts_in_folders(small, tmp_path):
    write_small_files(small / "0.wav", tmp_path, 201)
    names = find_audio(tmp_path)
    assert (names[0], names[-1], len(names)) == ("000/00000.wav", "001/00200.wav", 201)
    contents = {(tmp_path / name).read_bytes() for name in names}
    assert len(contents) == 201
    assert {sf.info(tmp_path / name).frames for name in names} == {RATE // 2}


def test_first_files_last_as_long_as_asked(small, tmp_path):
    for seconds, expected in ((6, ["0.wav"]), (7, ["0.wav", "1.wav"]), (99, ["0.wav", "1.wav"])):
        folder = tmp_path / str(seconds)
        folder.mkdir()
        assert find_audio(first_files(small, folder, seconds=seconds)) == expected


def test_files_are_linked_again_until_the_hours_are_full(small, tmp_path):
    link_hours(small, tmp_path / "audio", 30 / 3600)
    names = find_audio(tmp_path / "audio")
    assert names == [f"{number:05d}.wav" for number in range(5)]  # of 6.9 and 6.6 s in turn
    assert (tmp_path / "audio" / "00003.wav").resolve() == (small / "1.wav").resolve()


def test_parts_of_a_build_take_longer_one_after_the_other(small):
    parts = measure_parts(small, DescriptorSettings())
    assert [name.split(": ")[1] for name in parts] == [
        "hash the files",
        "decode to mono",
        "decode, cut into frames, FFT",
    ]
    assert min(parts.values()) > 0


@pytest.mark.slow
def test_peak_memory_is_that_of_the_build_alone(small, monkeypatch):
    monkeypatch.setattr("demiurge.bench.db_costs.MEMORY_HOURS", (10 / 3600,))
    monkeypatch.setattr("demiurge.bench.db_costs.EXECUTORS", ("threads",))
    (megabytes,) = measure_peak_memory(small).values()
    assert 20 < megabytes < 500


def test_own_cache_leaves_the_variable_as_it_was(tmp_path, monkeypatch):
    for before in ("/elsewhere", None):
        if before is None:
            monkeypatch.delenv("DEMIURGE_CACHE")
        else:
            monkeypatch.setenv("DEMIURGE_CACHE", before)
        with own_cache(tmp_path):
            assert os.environ["DEMIURGE_CACHE"] == str(tmp_path)
        assert os.environ.get("DEMIURGE_CACHE") == before


def test_random_plan_is_as_long_as_asked_and_within_its_sources(small, monkeypatch):
    monkeypatch.setattr("demiurge.bench.playback.N_STEPS", 50)
    plan = random_plan(small)
    assert [step.at_sample for step in plan.steps] == [1024 * number for number in range(50)]
    assert {step.source for step in plan.steps} == {"0.wav", "1.wav"}
    assert all(step.end_sample <= sf.info(small / step.source).frames for step in plan.steps)
    follows = [
        (b.source, b.start_sample) == (a.source, a.end_sample) for a, b in pairwise(plan.steps)
    ]
    assert not any(follows)


def test_plan_of_voices_is_of_runs_whose_gains_glide(small, monkeypatch):
    monkeypatch.setattr("demiurge.bench.playback.N_STEPS", 200)
    plan = voices_plan(small)
    assert [len(voice) for voice in plan.voices] == [200] * 6
    assert all(step.end_sample <= sf.info(small / step.source).frames for step in plan.steps)
    assert 0.25 < len(join_runs(plan.steps)) / len(plan.steps) < 0.35
    assert all(is_contiguous(a, b) for a, b in pairwise(plan.steps) if b.ramp)


def test_what_is_not_measured_of_the_baseline_is_counted(small, tmp_path, monkeypatch):
    monkeypatch.setattr("demiurge.bench.playback.N_STEPS", 20)
    monkeypatch.setattr("demiurge.bench.playback.medians", lambda ours, theirs, repeats: (2.0, 3.0))
    plan = random_plan(small)
    found = bench_render(plan, "FLAC", CrossfadeOptions(), 1, tmp_path)
    assert (found.seconds, found.baseline_seconds) == (2.0, 3.0 * 16)
    assert found.audio_seconds == 20 * 1024 / RATE
    plain = bench_render(plan, "WAV", CrossfadeOptions.plain(22), 1, tmp_path)
    assert (plain.name, plain.baseline_seconds) == ("playback WAV plain", 3.0)


@pytest.mark.parametrize(("every", "segments"), [(1, 3), (2, 2)])
def test_rendering_by_segment_shortens_each_by_the_crossfade(tmp_path, every, segments):
    level = np.full((4000, 1), 0.5, np.float32)
    sf.write(tmp_path / "level.wav", level, RATE, subtype="FLOAT")
    steps = tuple(Step(i, "level.wav", 100, 3000, 3000 * i) for i in range(3))
    plan = Plan(RATE, 1, {"id": "x", "root": str(tmp_path)}, steps)
    render_by_segment(plan, tmp_path / "out.wav", every)
    samples, _ = sf.read(tmp_path / "out.wav")
    overlap = round(0.022 * RATE)
    assert len(samples) == overlap + segments * (3000 - overlap)
    np.testing.assert_allclose(samples[overlap:], 0.5, atol=1e-4)  # the first fades in


@pytest.mark.parametrize(("suffix", "tolerance"), [(".flac", 1e-4), (".ogg", 0.2)])
def test_converted_files_sound_the_same(small, tmp_path, suffix, tolerance):
    folder = convert(small, tmp_path / "converted", suffix)
    assert find_audio(folder) == [f"0000{suffix}", f"0001{suffix}"]
    samples, rate = sf.read(folder / f"0001{suffix}")
    expected, _ = sf.read(small / "1.wav")
    assert rate == RATE
    assert np.sqrt(np.mean((samples - expected) ** 2)) < tolerance * np.sqrt(np.mean(expected**2))


def test_first_samples_are_left_out_across_blocks():
    blocks = [np.arange(3), np.arange(3, 6), np.arange(6, 9)]
    for offset in (0, 2, 3, 4, 9):
        left = np.concatenate(list(without_first(iter(blocks), offset)))
        assert left.tolist() == list(range(offset, 9))


def test_varied_description_is_shorter_by_what_was_left_out_and_sped_up(small):
    plain = describe_varied(small / "0.wav", 1.0, 0).n_samples
    assert describe_varied(small / "0.wav", 1.0, 768).n_samples == plain - 768
    assert describe_varied(small / "0.wav", 1.09, 0).n_samples == pytest.approx(plain / 1.09, abs=2)


def test_made_database_repeats_the_files_until_it_is_full(small, tmp_path):
    make_database(tmp_path / "db", small, ["0.wav", "1.wav"], 1000)
    database = Database(tmp_path / "db")
    assert [source.path for source in database.sources] == [
        "1.0-0/0.wav",
        "1.0-0/1.wav",
        "1.0-512/0.wav",
        "1.0-512/1.wav",
    ]
    assert 1000 <= database.n_units < 1300


def test_recall_is_the_share_of_the_nearest_that_are_found():
    exact = np.array([[1, 2, 3], [4, 5, 6]])
    found = np.array([[3, 1, 9], [7, 8, 5]])
    assert recall(found, exact, 1) == 0.5
    assert recall(found, exact, 2) == 0.5
    assert recall(found, exact, 3) == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_random_windows_are_whole_excerpts():
    sequences = [np.arange(40, dtype=np.float32)[:, None] + 100 * i for i in range(2)]
    windows = RandomWindows(sequences, 30)
    assert len(windows) == 30
    for number in range(30):
        window = windows[number]
        assert window.shape == (WINDOW + 1, 1)
        assert (window.diff(dim=0) == 1).all()


def test_map_as_text_has_every_unit(small, tmp_path):
    build_database(small, tmp_path / "db", executor=None)
    database = Database(tmp_path / "db")
    rows = json.loads(map_as_text(Path(tmp_path / "db")))
    assert [row["unit"] for row in rows] == database.units.ids.tolist()
    assert [row["source"] for row in rows] == database.units.source.tolist()
    assert np.std([row["x"] for row in rows]) > np.std([row["y"] for row in rows]) > 1
