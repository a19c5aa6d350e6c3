"""The program as people run it: every command on real audio, and every bad input with its message
and exit status.
"""

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import pairwise

import click
import matplotlib.image
import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from db.sequence_file import save_sequence
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main
from sequencer.compare import train_all
from sequencer.evaluate import evaluate
from sequencer.evaluation_data import EvaluationSettings
from sequencer.picture import save_evaluation_picture

RATE = 44100
HOP = 1024
FRAMES = ("--units", "frame", "--descriptors", "mfcc")


def run(line, *more, expect=0):
    """Run a command: a line of words, then words as they are."""
    result = CliRunner().invoke(main, [*shlex.split(line), *map(str, more)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A small corpus of bundled sounds with a database and a model made by the commands."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "sounds").mkdir()
    for path in sorted(CORPUS_DIR.glob("*.ogg"))[::4]:
        samples, rate = sf.read(path)
        sf.write(
            folder / "sounds" / f"{path.stem}.wav", 0.98 * np.clip(samples, -1, 1), rate
        )  # none at full scale itself
    run("db", "build", folder / "sounds", folder / "my.db", *FRAMES)
    run(
        "sequencer",
        "train",
        folder / "my.db",
        folder / "my.model",
        "--epochs",
        2,
        "--head",
        "mixture",
    )
    return folder


def leaves(group=main, path=()):
    """The command of every path, without the groups."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command
            for own in command.commands.values():
                yield " ".join((*path, name, own.name)), own


COMMANDS = dict(leaves())


def test_help_answers_at_once():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "demiurge", "--help"], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
    )  # of processor time, however busy it is
    listed = re.findall(r"^  (\w+) {2,}\w", done.stdout.split("Commands:")[1], re.M)
    assert listed == list(main.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_two_examples_of_itself_and_speaks_json(name):
    text = run(*name.split(), "--help")
    examples = re.findall(rf"^ +demiurge {name}\b", text.split("Examples:")[1], re.M)
    assert len(examples) >= 2
    assert COMMANDS[name].help
    if name != "browse":  # answers over HTTP, each page in JSON as well
        assert "--json" in text


WRITING = [
    name
    for name, command in COMMANDS.items()
    if {"-o", "--picture"} & {o for p in command.params for o in p.opts}
]


@pytest.mark.parametrize("name", WRITING)
def test_what_writes_a_file_has_to_be_forced_over_another(name):
    assert "--force" in run(*name.split(), "--help")


def test_render_is_exact_in_length_finite_and_below_full_scale(work, tmp_path):
    document = json.loads(
        run(
            f"render {SEED_FILE} {work / 'my.db'} {work / 'my.model'} -o {tmp_path / 'o.wav'}"
            " --seconds 1.2345 --json"
        )
    )
    samples, rate = sf.read(tmp_path / "o.wav", always_2d=True)
    length = round(1.2345 * RATE)
    assert (len(samples), rate, document["samples"]) == (length, RATE, length)
    assert np.isfinite(samples).all()
    assert 0 < np.abs(samples).max() < 1
    assert json.loads((tmp_path / "o.plan.json").read_text())["format"] == "demiurge-plan"


def test_same_seed_gives_the_same_bytes_and_another_does_not(work, tmp_path):
    contents = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run(
            f"render {SEED_FILE} {work / 'my.db'} {work / 'my.model'} -o"
            f" {tmp_path / f'{name}.wav'} --seconds {40 * HOP / RATE - 0.001} --random-seed"
            f" {seed}"
        )
        contents.append(
            ((tmp_path / f"{name}.wav").read_bytes(), (tmp_path / f"{name}.plan.json").read_bytes())
        )
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[2][0]


def test_plan_plays_again_bit_exactly(work, tmp_path):
    run(
        f"render {SEED_FILE} {work / 'my.db'} {work / 'my.model'} -o {tmp_path / 'o.wav'}"
        f" --seconds {40 * HOP / RATE - 0.001} --crossfade 10"
    )
    run("playback", tmp_path / "o.plan.json", "-o", tmp_path / "again.wav")
    assert (tmp_path / "o.wav").read_bytes() == (tmp_path / "again.wav").read_bytes()


@pytest.mark.parametrize("name", ["loop_mika", "ambi_piano", "drum_heavy_kick"])
def test_mosaic_of_a_file_of_the_database_is_that_file(tmp_path, name):
    (tmp_path / "sounds").mkdir()
    for other in (name, "loop_amen", "guit_em9"):
        audio, rate = sf.read(CORPUS_DIR / f"{other}.ogg", dtype="float32", always_2d=True)
        sf.write(
            tmp_path / "sounds" / f"{other}.wav", np.clip(audio, -1, 1), rate, subtype="PCM_16"
        )
    run("db", "build", tmp_path / "sounds", tmp_path / "db", *FRAMES)
    run("mosaic", tmp_path / "sounds" / f"{name}.wav", tmp_path / "db", "-o", tmp_path / "o.wav")
    target, _ = sf.read(tmp_path / "sounds" / f"{name}.wav", always_2d=True)
    out, _ = sf.read(tmp_path / "o.wav", always_2d=True)
    assert len(out) == len(target)
    inside = slice(HOP, -HOP)
    error = np.sum((out[inside, : target.shape[1]] - target[inside]) ** 2)
    assert error == 0 or 10 * np.log10(np.sum(target[inside] ** 2) / error) > 90


def test_forecast_is_a_file_in_the_originals_columns_that_query_reads(work, tmp_path):
    run(f"sequencer forecast {work / 'my.model'} {SEED_FILE} --steps 12 -o {tmp_path / 'f.json'}")
    document = json.loads((tmp_path / "f.json").read_text())
    assert [len(document[f"mfcc{i}"]) for i in range(39)] == [12] * 39
    found = json.loads(run("query", tmp_path / "f.json", work / "my.db", "-k", 3, "--json"))
    assert [len(step["candidates"]) for step in found["steps"]] == [3] * 12
    distances = [match["distance"] for match in found["steps"][0]["candidates"]]
    assert distances == sorted(distances)
    assert "drum" in run("query", tmp_path / "f.json", work / "my.db", "-k", 40, "--steps", 1)


def test_several_seeds_and_variations_are_all_answered(work, tmp_path):
    other = work / "sounds" / "ambi_choir.wav"
    options = (
        "--seconds",
        1,
        "--variations",
        2,
        "--top-p",
        0.9,
        "-o",
        tmp_path / "f.json",
        "--json",
    )
    written = json.loads(
        run("sequencer", "forecast", work / "my.model", SEED_FILE, other, *options)
    )
    names = [f"f-{SEED_FILE.stem}-1", f"f-{SEED_FILE.stem}-2", "f-ambi_choir-1", "f-ambi_choir-2"]
    assert [w["forecast"] for w in written] == [str(tmp_path / f"{name}.json") for name in names]
    assert [w["steps"] for w in written] == [-(-RATE // HOP)] * 4
    assert len({(tmp_path / f"{name}.json").read_text() for name in names}) == 4


def test_with_fewer_choices_another_forecast_is_drawn(work, tmp_path):
    drawn = []
    for top_p in (1, 0.1, 0.1):
        run(
            f"sequencer forecast {work / 'my.model'} {SEED_FILE} --steps 9 --top-p {top_p} -o"
            f" {tmp_path / 'f.json'} --force"
        )
        drawn.append(json.loads((tmp_path / "f.json").read_text())["mfcc0"])
    assert drawn[0] != drawn[1] == drawn[2]


def test_render_of_so_many_seconds_lasts_as_long(work, tmp_path):
    run(
        f"render {SEED_FILE} {work / 'my.db'} {work / 'my.model'} -o {tmp_path / 'o.wav'}"
        " --seconds 2"
    )
    assert sf.info(tmp_path / "o.wav").frames == 2 * RATE


@pytest.mark.slow
def test_training_is_resumed_by_command(work, tmp_path):
    arguments = (
        "sequencer",
        "train",
        work / "my.db",
        tmp_path / "m",
        "--head",
        "tokens",
        "--epochs",
    )
    first = json.loads(run(*arguments, 1, "--json"))
    second = json.loads(run(*arguments, 2, "--resume", "--json"))
    assert (first["epochs"], second["epochs"], second["head"]) == (1, 2, "tokens")
    assert "nats per step" in run(*arguments, 3, "--resume")


@pytest.fixture
def short(monkeypatch):
    """Evaluation of short pieces."""
    settings = EvaluationSettings(
        horizons=(1, 2),
        n_contexts=8,
        seed_steps=10,
        max_rollout_steps=30,
        windows=(1, 2),
        n_lags=4,
    )
    monkeypatch.setattr("sequencer.evaluate.evaluate", partial(evaluate, settings=settings))
    monkeypatch.setattr(
        "sequencer.picture.save_evaluation_picture",
        partial(save_evaluation_picture, settings=settings, n_samples=2),
    )


def test_models_are_evaluated_by_command(work, tmp_path, short):
    document = json.loads(run("sequencer", "evaluate", work / "my.model", work / "my.db", "--json"))
    assert [e["name"] for e in document["evaluations"]] == [
        "my.model",
        "persistence",
        "mean",
        "ridge",
        "analogue",
    ]
    picture = tmp_path / "p.png"
    text = run("sequencer", "evaluate", work / "my.model", work / "my.db", "--picture", picture)
    assert "real against real" in text
    assert "training data" in text
    image = matplotlib.image.imread(picture)
    assert image.shape[1] == 1500
    assert 0.02 < (image[..., :3].min(axis=-1) < 0.5).mean() < 0.5  # neither empty nor full
    assert "exists" in run(
        "sequencer", "evaluate", work / "my.model", work / "my.db", "--picture", picture, expect=2
    )


def test_models_are_evaluated_on_the_sources_they_were_trained_with(work, tmp_path, short):
    sounds = tmp_path / "sounds"
    model = work / "my.model"
    shutil.copytree(work / "sounds", sounds)
    sf.write(sounds / "zz_new.wav", sf.read(sounds / "ambi_choir.wav")[0][::-1], RATE)
    run("db", "build", sounds, tmp_path / "db", *FRAMES)
    result = CliRunner().invoke(
        main, ["sequencer", "evaluate", str(model), str(tmp_path / "db"), "--json"]
    )
    assert "left out: 1 source added to" in result.stderr
    assert json.loads(result.stdout) == json.loads(
        run("sequencer", "evaluate", model, work / "my.db", "--json")
    )
    run("db", "remove", tmp_path / "db", "ambi_choir.wav")
    output = run("sequencer", "evaluate", model, tmp_path / "db", expect=2)
    assert re.search(
        r"1 of the \d+ sources that the model was trained with are not in the database"
        r" \(ambi_choir.wav\)",
        output,
    )


def test_models_of_one_name_are_told_apart_by_their_folders(work, tmp_path, short):
    shutil.copytree(work / "my.model", tmp_path / "my.model")
    folders = [work / "my.model", tmp_path / "my.model"]
    document = json.loads(run("sequencer", "evaluate", *folders, work / "my.db", "--json"))
    assert [e["name"] for e in document["evaluations"]][:3] == [*map(str, folders), "persistence"]
    shutil.copytree(work / "my.model", tmp_path / "ridge")
    assert "a model is called ridge" in run(
        "sequencer", "evaluate", tmp_path / "ridge", work / "my.db", expect=2
    )


@pytest.mark.slow
def test_all_forecasters_are_compared_by_command(work, tmp_path, short):
    out = tmp_path / "all"
    arguments = ["sequencer", "compare", str(work / "my.db"), str(out), "--minutes", "0.001"]
    told = CliRunner().invoke(main, arguments).stderr.splitlines()
    assert sorted(line.split(": ")[1] for line in told[:12]) == sorted(
        f"{n} of 12 done" for n in range(1, 13)
    )
    assert told[12] == "evaluating lstm-point: 0 of 16 done"
    document = json.loads(run(*arguments, "--json"))
    names = [e["name"] for e in document["evaluations"]]
    assert len(names) == 4 * 3 + 4
    assert (out / "forecasts.png").stat().st_size > 10_000
    written = {name: (out / name / "model.safetensors").stat().st_mtime_ns for name in names[:12]}
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [*written, "forecasts.png", "options.json"]
    )
    assert [
        folder.name for folder in train_all(work / "my.db", out, minutes=0.001, random_seed=0)
    ] == names[:12]  # they are there
    assert written == {
        name: (out / name / "model.safetensors").stat().st_mtime_ns for name in written
    }
    for option, message in {
        "--random-seed": "with random_seed 0, not 2",
        "--minutes": "with minutes 0.001, not 2.0",
    }.items():
        assert f"lstm-point: was trained {message}; give the same, or another folder" in run(
            *arguments, option, 2, expect=2
        )
    (out / "lstm-tokens").rename(tmp_path / "tokens")
    (out / "lstm-point").rename(out / "lstm-tokens")
    assert "lstm-tokens is lstm with point head; remove it" in run(*arguments, expect=2)
    (out / "options.json").write_text("{")
    assert "options.json: line 1, column 2: it ends too early" in run(*arguments, expect=2)
    (out / "options.json").unlink()
    assert "was trained with database unknown, not" in run(*arguments, expect=2)


def test_query_finds_a_file_of_the_database_in_itself(work):
    path = work / "sounds" / "ambi_choir.wav"
    found = json.loads(run("query", path, work / "my.db", "-k", 1, "--steps", 20, "--json"))
    for i, step in enumerate(found["steps"]):
        nearest = step["candidates"][0]
        assert (nearest["source"], nearest["start_sample"], nearest["distance"]) == (
            "ambi_choir.wav",
            i * HOP,
            0,
        )
        assert step["at_sample"] == i * HOP


def test_info_counts_what_was_built(work):
    facts = json.loads(run("db", "info", work / "my.db", "--json"))
    files = list((work / "sounds").iterdir())
    assert facts["sources"] == len(files)
    assert facts["units"] == sum(-(-sf.info(f).frames // HOP) for f in files)
    assert str(len(files)) in run("db", "info", work / "my.db")


def test_one_bad_file_is_named_the_rest_kept_and_the_status_is_1(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    sf.write(tmp_path / "sounds" / "good.wav", tabla, RATE)
    (tmp_path / "sounds" / "bad.wav").write_text("no audio")
    report = json.loads(
        run("db", "build", tmp_path / "sounds", tmp_path / "db", "--json", expect=1)
    )
    assert (report["added"], list(report["failed"])) == (["good.wav"], ["bad.wav"])
    assert "failed: bad.wav: not readable as audio" in run(
        "db", "build", tmp_path / "sounds", tmp_path / "db", expect=1
    )


def test_database_is_kept_in_order_by_its_commands(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    for i in range(3):
        sf.write(tmp_path / "sounds" / f"{i}.wav", tabla[i * 5000 :], RATE)
    database = tmp_path / "my.db"
    run(
        f"db build {tmp_path / 'sounds'} {database} --units onset --descriptors mfcc,loudness"
        " --jobs 1"
    )
    assert "onset" in run("db", "info", database)
    assert json.loads(run("db", "verify", database, "--json"))["ok"]
    assert json.loads(run("db", "remove", database, "[01].wav", "--json"))["removed"] == [
        "0.wav",
        "1.wav",
    ]
    sizes = json.loads(run("db", "compact", database, "--json"))
    assert sizes["bytes_after"] < sizes["bytes_before"]
    (tmp_path / "sounds" / "2.wav").rename(tmp_path / "sounds" / "kick.wav")
    report = json.loads(run("db", "build", tmp_path / "sounds", database, "--json"))
    assert (report["renamed"], report["added"]) == ([["2.wav", "kick.wav"]], ["0.wav", "1.wav"])
    assert "1 renamed" not in run("db", "build", tmp_path / "sounds", database)
    assert json.loads(run("db", "info", database, "--json"))["source_paths"] == [
        "kick.wav",
        "0.wav",
        "1.wav",
    ]


def test_damage_is_named_and_mended_by_the_commands(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    for i in range(3):
        sf.write(tmp_path / "sounds" / f"{i}.wav", tabla[i * 5000 :], RATE)
    database = tmp_path / "my.db"
    run("db", "build", tmp_path / "sounds", database, *FRAMES)
    with open(database / "shards" / "00000.f32", "r+b") as file:
        file.seek(45 * 39 * 4)
        file.write(b"\xff")
    assert "1.wav: its frames in 00000.f32 do not agree" in run("db", "verify", database, expect=1)
    assert "damaged on disk" in run(
        "mosaic", SEED_FILE, database, "-o", tmp_path / "o.wav", expect=1
    )
    assert "removed: 1" in run("db", "verify", database, "--repair", expect=1)
    assert "1 added" in run("db", "build", tmp_path / "sounds", database, *FRAMES)
    assert "0 damaged, 0 audio files changed or missing" in run("db", "verify", database)


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
def test_export_and_import_by_command(work, tmp_path, suffix):
    file = tmp_path / f"t.{suffix}"
    run("db", "export", work / "my.db", file, "--format", suffix)
    assert "imported" in run("db", "import", file, tmp_path / "copy.db", "--root", work / "sounds")
    first, second = (
        json.loads(run("db", "info", path, "--json"))
        for path in (work / "my.db", tmp_path / "copy.db")
    )
    assert (first["units"], sorted(first["source_paths"])) == (
        second["units"],
        sorted(second["source_paths"]),
    )


@pytest.mark.parametrize(
    "units", ["onset", pytest.param("beat", marks=pytest.mark.slow), "fixed:250"]
)
def test_chain_with_longer_units(work, tmp_path, units):
    run("db", "build", work / "sounds", tmp_path / "db", "--units", units)
    run(
        "sequencer",
        "train",
        tmp_path / "db",
        tmp_path / "model",
        "--epochs",
        2,
        "--window",
        8,
        "--head",
        "mixture",
    )
    out = tmp_path / "o.wav"
    facts = json.loads(
        run(
            f"render {SEED_FILE} {tmp_path / 'db'} {tmp_path / 'model'} -o {out} --seconds"
            " 0.5 --json"
        )
    )
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    ends = [step["at_sample"] + step["n_samples"] for step in plan["steps"]]
    assert [step["at_sample"] for step in plan["steps"]] == [0, *ends[:-1]]  # no gaps
    assert facts["samples"] == ends[-1] == sf.info(out).frames
    run(f"render {SEED_FILE} {tmp_path / 'db'} {tmp_path / 'model'} -o {out} --seconds 2 --force")
    last = json.loads((tmp_path / "o.plan.json").read_text())["steps"][-1]
    assert (
        last["at_sample"] < 2 * RATE <= last["at_sample"] + last["n_samples"] == sf.info(out).frames
    )
    run("mosaic", SEED_FILE, tmp_path / "db", "-o", tmp_path / "m.wav")
    assert (
        sf.info(tmp_path / "m.wav").frames
        <= sf.info(SEED_FILE).frames * RATE / sf.info(SEED_FILE).samplerate + 1
    )
    run(f"sequencer forecast {tmp_path / 'model'} {SEED_FILE} --steps 5 -o {tmp_path / 'f.json'}")
    found = json.loads(run("query", tmp_path / "f.json", tmp_path / "db", "-k", 2, "--json"))
    assert len(found["steps"]) == 5


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tmp_path, tabla, executor):
    (tmp_path / "sounds").mkdir()
    for i in range(400):
        sf.write(tmp_path / "sounds" / f"{i:03d}.wav", np.tile(np.roll(tabla, i), 10), RATE)
    hearing = (  # a shell's background jobs are deaf
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    )
    program = (
        f"{hearing}; from db import writer; writer.COMMIT_SECONDS = 0.05; from demiurge.cli import"
        " main; main()"
    )
    arguments = [
        "db",
        "build",
        str(tmp_path / "sounds"),
        str(tmp_path / "db"),
        "--executor",
        executor,
        *FRAMES,
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    shard = tmp_path / "db" / "shards" / "00000.f32"
    while not (shard.exists() and shard.stat().st_size > 200_000):  # of three sources
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1, error
    assert "interrupted; analysed files are kept" in " ".join(error.split())
    assert "Traceback" not in error
    kept = json.loads(run("db", "info", tmp_path / "db", "--json"))["sources"]
    assert 0 < kept < 400
    report = json.loads(run("db", "build", tmp_path / "sounds", tmp_path / "db", "--json", *FRAMES))
    assert (report["unchanged"], len(report["added"])) == (kept, 400 - kept)


@pytest.fixture
def refused(work, tmp_path, tabla):
    """Run a command with {names} filled in: status and message are right, nothing is written."""
    sf.write(tmp_path / "brief.wav", tabla[:5000], RATE)
    sf.write(tmp_path / "there.wav", tabla, RATE)
    (tmp_path / "planned.plan.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    names = {
        "db": work / "my.db",
        "model": work / "my.model",
        "sounds": work / "sounds",
        "seed": SEED_FILE,
        "tmp": tmp_path,
    }

    def check(line, message, status):
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        output = " ".join(run(*line.format(**names).split(), expect=status).split())
        assert message in output
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before

    return check


@pytest.mark.parametrize(
    ("line", "message", "status"),
    [
        ("db build {tmp}/empty {tmp}/new", "no audio files in this folder; put some there", 2),
        ("db build {tmp}/nowhere {tmp}/new", "no such folder; give a folder with audio files", 2),
        ("db build {sounds} {db} --hop-length 512", "hop_length is 1024 in the database", 1),
        ("db build {sounds} {db} --hop-length 0", "0 is not in the range x>=1", 2),
        ("db info {tmp}/nowhere", "make one with: demiurge db build AUDIO_DIR", 1),
        ("db info {seed}", "a file, not a database; give the folder of a database", 1),
        ("db info {model}", "a model, not a database; give the folder of a database", 1),
        ("db info {sounds}", "but other files; give the folder of a database", 1),
        (
            "db build {sounds} {tmp}/new --units bars",
            "units='bars' must be frame, fixed:MS, onset, beat or beat/N",
            2,
        ),
        (
            "db build {sounds} {tmp}/new --units frame --min-unit 50",
            "go with --units onset, beat or beat/N, not frame",
            2,
        ),
        (
            "db build {sounds} {tmp}/new --units onset --min-unit 900 --max-unit 1000",
            "at least twice the shortest",
            2,
        ),
        (
            "db build {sounds} {tmp}/new --descriptors mfcc,zcr",
            "'zcr' is not known; choose among mfcc, spectral",
            2,
        ),
        ("db build {sounds} {db} --units onset", "units is frame in the database", 1),
        ("db build {sounds} {tmp}/new --executor dask", "'dask' is not one of", 2),
        (
            "db build {sounds} {tmp}/new --address auto",
            "of a Ray cluster needs executor ray",
            2,
        ),
        ("db build {tmp} {db}", "say --moved if the corpus is here now", 1),
        ("db info {db} --root {tmp}/nowhere", "no such folder; give the corpus folder", 1),
        ("db verify {tmp}/nowhere", "no database here", 1),
        ("db compact {tmp}/nowhere", "no database here", 1),
        ("db remove {db} kazoo*", "'kazoo*' matches none of the", 2),
        (
            "db export {db} {tmp}/there.wav --format csv",
            "there.wav exists; give another name, or --force",
            2,
        ),
        ("db export {db} {tmp}/t.xml --format xml", "'xml' is not one of", 2),
        (
            "db import {tmp}/brief.wav {tmp}/new",
            ".wav is not read; give a file that ends in .json",
            2,
        ),
        (
            "db import {tmp}/nothing.csv {tmp}/new --root {sounds}",
            "nothing.csv: cannot be read (No such file or directory); export it again",
            2,
        ),
        ("sequencer train {tmp}/nowhere {tmp}/m", "no database here", 1),
        ("sequencer train {db} {model}", "exists; give another name, or --force", 2),
        ("sequencer train {db} {tmp}/m --epochs 0", "0 is not in the range x>=1", 2),
        ("sequencer train {db} {tmp}/no/m", "does not exist; make it first", 2),
        (
            "sequencer forecast {model} {tmp}/brief.wav --steps 3 -o {tmp}/f.json",
            "but a forecast needs at least 8; give a longer",
            2,
        ),
        ("sequencer forecast {tmp}/nowhere {seed} --steps 3 -o {tmp}/f.json", "no model here", 1),
        (
            "sequencer forecast {model} {seed} --steps 0 -o {tmp}/f.json",
            "0 is not in the range x>=1",
            2,
        ),
        (
            "sequencer forecast {model} {seed} -o {tmp}/f.json",
            "give either a number of steps or of seconds",
            2,
        ),
        (
            "sequencer forecast {model} {seed} --steps 3 --seconds 1 -o {tmp}/f.json",
            "either a number of steps or of seconds",
            2,
        ),
        (
            "sequencer forecast {model} {seed} --steps 3 --temperature -1 -o {tmp}/f.json",
            "-1.0 is not in the range x>=0",
            2,
        ),
        (
            "sequencer forecast {model} {seed} {seed} --steps 3 -o {tmp}/f.json",
            "two seeds have the same name",
            2,
        ),
        ("sequencer train {db} {tmp}/m --resume", "nothing to resume", 1),
        (
            "sequencer train {db} {tmp}/m --architecture oracle",
            "'oracle' is not one of 'lstm', 'lstm-seq2seq'",
            2,
        ),
        (
            "sequencer train {db} {tmp}/m --head oracle",
            "'oracle' is not one of 'point', 'mixture', 'tokens', 'contrast'",
            2,
        ),
        ("sequencer evaluate {tmp}/nowhere {db}", "no model here", 1),
        (
            "sequencer compare {db} {tmp}/there.wav",
            "there.wav: cannot be written (File exists); give another one",
            2,
        ),
        ("query {seed} {db} -k 0", "0 is not in the range x>=1", 2),
        ("query {seed} {db} -k 999999", "k=999999 must be between 1 and", 2),
        ("query {tmp}/nothing.wav {db}", "no such audio file", 1),
        (
            "render {seed} {db} {model} -o {tmp}/there.wav",
            "there.wav exists; give another name, or --force",
            2,
        ),
        (
            "render {seed} {db} {model} -o {tmp}/o.mp3",
            "the suffix '.mp3' must be one of .wav, .flac, .ogg",
            2,
        ),
        ("render {seed} {db} {model} -o {tmp}/no/o.wav", "does not exist; make it first", 2),
        ("render {seed} {db} {model} -o {tmp}/o.wav --seconds 0", "0.0 is not in the range x>0", 2),
        ("render {seed} {db} {model} -o {tmp}/o.wav --steps 5", "say how long with --seconds", 2),
        (
            "render {seed} {db} {model} -o {tmp}/o.wav --seconds 1e9",
            "must be a positive number, 97391 at most",
            2,
        ),
        (
            "render {seed} {db} {model} -o {tmp}/o.wav --seconds nan",
            "seconds=nan must be a positive number",
            2,
        ),
        (
            "sequencer forecast {model} {seed} -o {tmp}/f.json --steps 4194305",
            "steps=4194305 must be at most 4194304",
            2,
        ),
        (
            "render {seed} {db} {model} -o {tmp}/o.wav --temperature -1",
            "-1.0 is not in the range x>=0",
            2,
        ),
        (
            "render {seed} {db} {model} -o {tmp}/o.wav --root {tmp}/nowhere",
            "give the corpus folder",
            1,
        ),
        ("render {seed} {db} {model} -o {tmp}/o.wav --root {tmp}/empty", "are not in", 1),
        ("render {seed} {model} {db} -o {tmp}/o.wav", "my.model: a model, not a database", 1),
        ("mosaic {seed} {tmp}/nowhere -o {tmp}/o.wav", "no database here", 1),
        ("mosaic {seed} {seed} -o {tmp}/o.wav", "a file, not a database", 1),
        (
            "mosaic {seed} {db} -o {tmp}/planned.wav",
            "planned.plan.json exists; give another name, or --force",
            2,
        ),
        ("mosaic {seed} {db} -o {tmp}/o.wav --continuity -1", "-1.0 is not in the range x>=0", 2),
        (
            "mosaic {seed} {db} -o {tmp}/o.wav --source nothing",
            "the filters leave no unit (all: ",
            2,
        ),
        ("query {seed} {db} --where centroid", "'centroid' is not a condition", 2),
        ("query {seed} {db} --where zcr>1", "no descriptor 'zcr' in", 2),
        ("query {seed} {db} --within 3:4", "--within is a condition now: --where 'start_s", 2),
        ("query {seed} {db} --tag loud", "is tagged 'loud'; there are no tags", 2),
        (
            "query {seed} {db} --where loudness>=-30",
            "has no loudness; build a database with --descriptors mfcc,loudness",
            2,
        ),
        (
            "query {seed} {db} --metric l3",
            "metric='l3' must be one of l2, cosine, l1, linf, lp:P",
            2,
        ),
        ("query {seed} {db} --metric l1 --index pq", "index=pq cannot measure l1", 2),
        ("query {seed} {db} --novelty 1", "--novelty says how to find a path; add --explain", 2),
        ("mosaic {seed} {db} -o {tmp}/o.wav -k 999999", "k=999999 must be between 1 and", 2),
        (
            "mosaic {seed} {db} -o {tmp}/o.wav --rest-threshold 0.01",
            "rest_threshold=0.01 leaves nothing to play: the nearest",
            2,
        ),
        (
            "mosaic {seed} {db} -o {tmp}/o.wav -k 1 --min-reuse 9",
            "leaves none of 1 candidates to play",
            2,
        ),
        (
            "mosaic {seed} {db} -o {tmp}/o.wav -k 1 --continuity 0 --variations 2",
            "only 1 different paths were found",
            2,
        ),
        ("db tag {db} nothing* loud", "'nothing*' matches none of", 2),
        ("query {seed} {db} --weight mfcc0", "'mfcc0' is not a weight", 2),
        (
            "mosaic {seed} {db} -o {tmp}/o.wav --weight chroma=2",
            "no descriptor 'chroma' to weigh",
            2,
        ),
        (
            "playback {tmp}/nothing.json -o {tmp}/o.wav",
            "nothing.json: cannot be read (No such file or directory); give a plan",
            1,
        ),
        ("playback {tmp}/brief.wav -o {tmp}/o.wav", "brief.wav: it is not UTF-8 text; correct", 1),
        (
            "bench nothing",
            "unknown benchmark 'nothing'; known are start, db, query, playback, sequencer",
            2,
        ),
        ("demo --out {tmp}/empty", "exists; give another folder with --out, or --force", 2),
    ],
)
def test_bad_input_is_refused(refused, line, message, status):
    refused(line, message, status)


def test_model_of_other_settings_is_refused_with_both_values(work, tmp_path):
    run("db", "build", work / "sounds", tmp_path / "db", "--hop-length", 512, *FRAMES)
    arguments = ("render", SEED_FILE, tmp_path / "db", work / "my.model", "-o", tmp_path / "o.wav")
    assert "hop_length is 512 in the database" in " ".join(run(*arguments, expect=1).split())


def test_forecast_of_other_settings_is_refused(work, tmp_path):
    run(f"sequencer forecast {work / 'my.model'} {SEED_FILE} --steps 3 -o {tmp_path / 'f.json'}")
    run("db", "build", work / "sounds", tmp_path / "db", "--window-centre", "start", *FRAMES)
    assert "window_centre is start in the database" in run(
        "query", tmp_path / "f.json", tmp_path / "db", expect=1
    )


def test_seed_of_other_settings_than_the_models_is_refused(work, tmp_path):
    seed = tmp_path / "s.json"
    save_sequence(
        seed, np.zeros((20, 39), np.float32), DescriptorSettings(hop_length=512), origin={}
    )
    output = run(
        f"sequencer forecast {work / 'my.model'} {seed} --steps 3 -o {tmp_path / 'f.json'}",
        expect=1,
    )
    assert f"hop_length is 1024 in the model {work / 'my.model'}" in output


def test_vanished_source_is_named_before_anything_is_written(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    sf.write(tmp_path / "sounds" / "a.wav", tabla, RATE)
    sf.write(tmp_path / "t.wav", tabla, RATE)
    run("db", "build", tmp_path / "sounds", tmp_path / "db", *FRAMES)
    (tmp_path / "sounds" / "a.wav").unlink()
    assert "1 source is not in" in run(
        "mosaic", tmp_path / "t.wav", tmp_path / "db", "-o", tmp_path / "o.wav", expect=1
    )
    assert not (tmp_path / "o.wav").exists()


def test_source_that_has_changed_is_named_before_anything_is_written(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    for name in ("a", "b"):
        sf.write(tmp_path / "sounds" / f"{name}.wav", tabla[:: -1 if name == "b" else 1], RATE)
    sf.write(tmp_path / "t.wav", tabla, RATE)
    run("db", "build", tmp_path / "sounds", tmp_path / "db", *FRAMES)
    mosaic = (
        "mosaic",
        tmp_path / "t.wav",
        tmp_path / "db",
        "-o",
        tmp_path / "o.wav",
        "--source",
        "a.wav",
    )
    sf.write(tmp_path / "sounds" / "b.wav", tabla[:9000], RATE)  # not played
    run(*mosaic)
    (tmp_path / "o.wav").unlink()
    (tmp_path / "o.plan.json").unlink()
    sf.write(tmp_path / "sounds" / "a.wav", tabla[:-1], RATE)
    assert "1 source has changed since the analysis: a.wav; run demiurge db build again" in run(
        *mosaic, expect=1
    )
    assert not (tmp_path / "o.wav").exists()


def test_force_replaces(work, tmp_path):
    out = tmp_path / "o.wav"
    plan = tmp_path / "o.plan.json"
    mosaic = ("mosaic", SEED_FILE, work / "my.db", "-o", out)
    run(*mosaic)
    made = (out.read_bytes(), plan.read_bytes())
    out.write_bytes(b"another file")
    plan.write_bytes(b"another plan")
    assert "--force" in run(*mosaic, expect=2)
    assert (out.read_bytes(), plan.read_bytes()) == (b"another file", b"another plan")
    run(*mosaic, "--force")
    assert (out.read_bytes(), plan.read_bytes()) == made


@pytest.mark.accounts
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_refused(work, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    output = run("mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / "locked" / "o.wav", expect=2)
    assert "cannot be written" in output


def test_corpus_of_brief_sounds_only_still_plays(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    for i in range(5):
        sf.write(tmp_path / "sounds" / f"{i}.wav", tabla[i * 900 : i * 900 + 700], RATE)
    sf.write(tmp_path / "t.wav", tabla, RATE)
    run("db", "build", tmp_path / "sounds", tmp_path / "db", *FRAMES)
    run("mosaic", tmp_path / "t.wav", tmp_path / "db", "-o", tmp_path / "o.wav")
    assert np.isfinite(sf.read(tmp_path / "o.wav")[0]).all()


def test_rules_against_repetition_hold_in_what_is_rendered(work, tmp_path):
    rules = ("--min-reuse", 1.5, "--max-run", 0.3, "--novelty", 0.5)
    run("mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / "o.wav", *rules)
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    assert plan["settings"]["path"]["min_reuse"] == 1.5
    begins = {}
    for step in plan["steps"]:
        assert step["at_sample"] - begins.get(step["unit"], -RATE * 10) >= 1.5 * RATE
        begins[step["unit"]] = step["at_sample"]
    length = longest = 0
    for before, step in pairwise(plan["steps"]):
        goes_on = (before["source"], before["start_sample"] + before["n_samples"]) == (
            step["source"],
            step["start_sample"],
        )
        length = length + step["n_samples"] if goes_on else step["n_samples"]
        longest = max(longest, length)
    assert longest <= 0.3 * RATE
    seeds = [("--path-temperature", 0.5, "--random-seed", seed) for seed in (1, 1, 2)]
    for i, options in enumerate(seeds):
        run("mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / f"{i}.wav", *options)
    a, b, c = ((tmp_path / f"{i}.wav").read_bytes() for i in range(3))
    assert a == b != c


def test_rules_that_cannot_hold_are_refused(work, tmp_path):
    text = run(
        f"mosaic {SEED_FILE} {work / 'my.db'} -o {tmp_path / 'o.wav'} -k 1 --min-reuse 60",
        expect=2,
    )
    assert "min_reuse=60 s leaves none of" in text
    assert not (tmp_path / "o.wav").exists()


def test_only_what_passes_the_filters_is_played(work, tmp_path):
    name = "ambi_choir.wav"
    run(
        f"mosaic {SEED_FILE} {work / 'my.db'} -o {tmp_path / 'o.wav'} --source ambi_* --where"
        " start_s<=1 --weight mfcc=2"
    )
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    assert plan["settings"]["filters"] == {"sources": ["ambi_*"], "where": ["start_s<=1"]}
    assert plan["settings"]["weights"] == {"mfcc": 2.0}
    assert {step["source"] for step in plan["steps"]} <= {
        p.name for p in (work / "sounds").glob("ambi_*")
    }
    assert max(step["start_sample"] for step in plan["steps"]) <= RATE
    found = json.loads(
        run("query", SEED_FILE, work / "my.db", "--source", name, "--steps", 5, "--json")
    )
    assert {match["source"] for step in found["steps"] for match in step["candidates"]} == {name}
    assert found["units"][f"source {name}"] < found["units"]["all"]


def test_variations_are_different_paths_each_with_its_plan(work, tmp_path):
    facts = json.loads(
        run(f"mosaic {SEED_FILE} {work / 'my.db'} -o {tmp_path / 'o.wav'} --variations 3 --json")
    )
    assert [fact["wav"] for fact in facts] == [str(tmp_path / f"o-{n}.wav") for n in (1, 2, 3)]
    plans = [json.loads((tmp_path / f"o-{n}.plan.json").read_text()) for n in (1, 2, 3)]
    units = [[step["unit"] for step in plan["steps"]] for plan in plans]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert sum(x == y for x, y in zip(units[a], units[b], strict=True)) < len(units[0]) / 4
    costs = [plan["settings"]["cost"] for plan in plans]
    assert costs[0] == min(costs)
    assert max(costs) < 1.5 * costs[0]
    run(
        "mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / "o.wav", "--variations", 3, expect=2
    )  # they exist


def test_explain_says_what_is_played_what_it_costs_and_what_was_removed(work):
    arguments = (
        SEED_FILE,
        work / "my.db",
        "-k",
        6,
        "--steps",
        40,
        "--explain",
        "--min-reuse",
        0.5,
        "--source",
        "drum*",
    )
    found = json.loads(run("query", *arguments, "--json"))
    assert found["units"]["source drum*"] < found["units"]["all"]
    removed = [match["removed"] for step in found["steps"] for match in step["candidates"]]
    assert set(removed) == {None, "min_reuse"}
    for before, step in pairwise(found["steps"]):
        chosen = step["chosen"]
        follows = (
            chosen["unit"] == before["chosen"]["unit"] + 1
            and chosen["source"] == before["chosen"]["source"]
        )
        assert (chosen["join"] == 0) == follows
        mine = [match for match in step["candidates"] if match["unit"] == chosen["unit"]]
        assert all(match["join"] == chosen["join"] and match["removed"] is None for match in mine)
    text = run("query", *arguments)
    assert "▶" in text
    assert "min_reuse" in text
    assert f"units left by the filters: all: {found['units']['all']}, source drum*: " in text


def test_what_is_explained_is_what_mosaic_plays(work, tmp_path):
    run("mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / "o.wav", "--novelty", 0.5)
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    found = json.loads(
        run(f"query {SEED_FILE} {work / 'my.db'} --explain --novelty 0.5 --steps 30 --json")
    )
    assert [step["chosen"]["unit"] for step in found["steps"]] == [
        step["unit"] for step in plan["steps"][:30]
    ]
    assert len(found["steps"][0]["candidates"]) == 32


def test_renders_temperature_is_its_forecasts(work, tmp_path):
    out = tmp_path / "o.wav"
    run(
        f"render {SEED_FILE} {work / 'my.db'} {work / 'my.model'} -o {out} --seconds"
        f" {20 * HOP / RATE - 0.001} --temperature 0.5 --random-seed 4"
    )
    settings = json.loads((tmp_path / "o.plan.json").read_text())["settings"]
    assert (
        settings["temperature"],
        settings["random_seed"],
        settings["path"]["temperature"],
    ) == (0.5, 4, 0.0)
    run(
        f"mosaic {SEED_FILE} {work / 'my.db'} -o {out} --path-temperature 0.5 --random-seed 4"
        " --force"
    )
    search = json.loads((tmp_path / "o.plan.json").read_text())["settings"]["path"]
    assert (search["temperature"], search["random_seed"]) == (0.5, 4)


def test_the_plan_says_what_else_could_have_been_played_and_why_not(work, tmp_path):
    run("mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / "o.wav", "--max-run", 0.05)
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    alternatives = [other for step in plan["steps"] for other in step["alternatives"]]
    assert {other.get("removed") for other in alternatives} == {None, "max_run"}
    assert all(other["join"] >= 0 for other in alternatives)
    assert plan["settings"]["units"]["all"] > 0


def test_rests_are_silent_and_the_length_stays(work, tmp_path):
    target = np.concatenate(
        [np.zeros(RATE // 2), sf.read(SEED_FILE)[0][:RATE, 0], np.zeros(RATE // 2)]
    )
    sf.write(tmp_path / "t.wav", target, RATE)
    at = json.loads(run("query", tmp_path / "t.wav", work / "my.db", "-k", 1, "--json"))["steps"]
    distances = sorted(step["candidates"][0]["distance"] for step in at)
    threshold = distances[len(distances) * 3 // 4]
    out = ("-o", tmp_path / "o.wav", "--rest-threshold", threshold, "--json")
    facts = json.loads(run("mosaic", tmp_path / "t.wav", work / "my.db", *out))
    samples, _ = sf.read(tmp_path / "o.wav", always_2d=True)
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    assert len(samples) == len(target)
    played = np.zeros(len(samples), bool)
    for step in plan["steps"]:
        played[step["at_sample"] : step["at_sample"] + step["n_samples"]] = True
    assert 0.2 < (~played).mean() < 0.3
    assert np.abs(samples[~played]).max() == 0
    check_facts(facts, plan["steps"])


def check_facts(facts, steps):
    """What a command says of what it made is what the plan holds."""
    ends = [
        (a["source"], a["start_sample"] + a["n_samples"], a["at_sample"] + a["n_samples"])
        for a in steps
    ]
    begins = [(b["source"], b["start_sample"], b["at_sample"]) for b in steps]
    assert (
        facts["joins"]
        == sum(end != begin for end, begin in zip(ends[:-1], begins[1:], strict=True))
        > 0
    )
    assert (facts["steps"], facts["sources"]) == (
        len(steps),
        len({step["source"] for step in steps}),
    )
    assert facts["distinct_units"] == len({step["unit"] for step in steps})
    assert facts["rest_seconds"] == pytest.approx(
        (facts["samples"] - sum(step["n_samples"] for step in steps)) / RATE
    )
    assert facts["mean_distance"] == pytest.approx(
        np.mean([step["distance"] for step in steps]), abs=1e-5
    )


def test_units_of_different_lengths_leave_no_gap(work, tmp_path):
    run("db", "build", work / "sounds", tmp_path / "db", "--units", "onset")
    run(
        "mosaic", SEED_FILE, tmp_path / "db", "-o", tmp_path / "o.wav", "--source", "drum_*"
    )  # short: long steps are split
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    at = 0
    for step in plan["steps"]:
        assert step["at_sample"] == at
        at += step["n_samples"]
    assert at == sf.info(tmp_path / "o.wav").frames
    assert at == pytest.approx(sf.info(SEED_FILE).duration * RATE, abs=1)
    assert len({step["n_samples"] for step in plan["steps"]}) > 5


def test_tags_choose_what_is_played(work, tmp_path):
    run("db", "tag", work / "my.db", "drum*", "hit", "old")
    assert "hit" in run("db", "info", work / "my.db")
    run("mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / "o.wav", "--tag", "hit")
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    assert {step["source"].split("_")[0] for step in plan["steps"]} == {"drum"}
    run("db", "tag", work / "my.db", "*", "hit", "old", "--remove")
    assert json.loads(run("db", "info", work / "my.db", "--json"))["tags"] == {}


@pytest.mark.parametrize("metric", ["cosine", "l1", "linf", "lp:3"])
def test_every_metric_finds_a_file_in_itself(work, tmp_path, metric):
    name = "ambi_choir.wav"
    run(
        f"mosaic {work / 'sounds' / name} {work / 'my.db'} -o {tmp_path / 'o.wav'} --metric"
        f" {metric}"
    )
    plan = json.loads((tmp_path / "o.plan.json").read_text())
    assert [step["start_sample"] for step in plan["steps"]] == [
        i * HOP for i in range(len(plan["steps"]))
    ]
    assert {step["source"] for step in plan["steps"]} == {name}
    assert plan["settings"]["metric"] == metric


def test_names_that_are_no_text_are_refused_in_a_sentence(refused, tmp_path):
    shutil.copy(SEED_FILE, tmp_path / "caf\udce9.ogg")
    rule = r"caf\udce9.ogg: its name is not valid UTF-8; rename it"
    refused("query {tmp}/caf\udce9.ogg {db}", rule, 1)
    refused("mosaic {tmp}/caf\udce9.ogg {db} -o {tmp}/out.wav", rule, 1)
    refused("mosaic {seed} {db} -o {tmp}/caf\udce9.ogg --force", rule, 2)


@pytest.mark.parametrize(("encoding", "shown"), [("latin-1", "?"), ("utf-8", "\u2026")])
def test_letters_that_the_output_cannot_show_do_not_end_a_command(encoding, shown):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "demiurge", "mosaic", "--help"]
    said = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode(
        "utf-8"
    )
    assert shown in said


def test_what_is_quiet_is_told(work, tmp_path):
    sounds, rate = sf.read(SEED_FILE)
    (tmp_path / "quiet").mkdir()
    sf.write(tmp_path / "quiet" / "loop.wav", 0.01 * sounds, rate, subtype="FLOAT")
    run("db", "build", tmp_path / "quiet", tmp_path / "quiet.db", *FRAMES)
    own_level = ("--level", "own")
    told = run("mosaic", SEED_FILE, tmp_path / "quiet.db", "-o", tmp_path / "o.wav", *own_level)
    assert re.search(r"quiet: no sample is above -\d\d dB; --lufs -16 makes it louder", told)
    assert "quiet:" not in run("mosaic", SEED_FILE, work / "my.db", "-o", tmp_path / "loud.wav")


def test_training_on_little_is_told(work, tmp_path):
    assert "that is little to learn from" in run(
        "sequencer", "train", work / "my.db", tmp_path / "m", "--epochs", 1
    )


def test_without_faiss_it_says_what_to_install(work):
    program = "import sys; sys.modules['faiss'] = None; from demiurge.cli import main; main()"
    asked = ["mosaic", str(SEED_FILE), str(work / "my.db"), "-o", str(work / "never.wav")]
    ended = subprocess.run(
        [sys.executable, "-c", program, *asked], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(
        f"Error: searching needs FAISS; install it with: {sys.executable} -m pip install"
        ' "faiss-cpu>='
    )
