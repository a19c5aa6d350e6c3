"""The pages of docs/: their commands run, what they show is printed, what they say is so."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from db.model_descriptor import ModelDescriptor
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from demiurge.shipped import WEIGHTS
from files.urls import is_url
from playback.options import CrossfadeOptions
from playback.plan import Step
from playback.spectra import Spectra
from playback.steps import VOICE_KEYS
from query.options import PathOptions
from scripts.make.command_reference import command_reference
from tests.pages import ROOT, blocks, demiurge_commands, lay_out, run, run_lesson
from tests.test_imports import ROOMS

DOCS = ROOT / "docs"
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
)

# What the tutorials do for minutes and hours is done for seconds, with networks to match;
# everything else is as it stands.
QUICK = {
    "database": {},
    "render": {"--minutes 2": "--minutes 0.03", "--seconds 8": "--seconds 2"},
    "browse": {},
    "synth": {
        "--from shipped --minutes 5": (
            "--from shipped --minutes 0.001 --batch-size 2 --segment-frames 32"
        ),
        "--resume --minutes 2": "--resume --minutes 0.001",
        "--minutes 8": "--size toy.json --minutes 0.15 --learning-rate 0.01",
        "--minutes 0.5 --seconds 10": "--minutes 0.1 --seconds 3",
    },
    "cluster": {"--minutes 1": "--minutes 0.03"},
}
TOY_SIZES = {"width": 64, "layers": 1, "clip_frames": 256, "batch_size": 2}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_lesson(name: str) -> str:
    text = (DOCS / "tutorials" / f"{name}.md").read_text()
    for written, quick in QUICK[name].items():
        assert written in text, f"{written!r} is not in {name}.md any more: mend QUICK"
        text = text.replace(written, quick)
    return text


def test_every_tutorial_is_run():
    assert {path.stem for path in (DOCS / "tutorials").glob("*.md")} == set(QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["database", "render", "browse", "synth"])
def test_tutorial_runs_and_shows_what_is_printed(name, folder):
    (folder / "toy.json").write_text(json.dumps(TOY_SIZES))
    run_lesson(read_lesson(name))


@pytest.mark.slow
def test_cluster_tutorial_runs_and_shows_what_is_printed(folder):
    """On a Ray cluster of two nodes in this process's children, in place of `ray start`."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20}
    )
    try:
        cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        lesson = read_lesson("cluster")
        for option in ("--address", "--cluster"):
            lesson = lesson.replace(f"{option} auto", f"{option} {cluster.address}")
        # each in a process of its own, as drivers of a cluster are
        run_lesson(lesson.replace("\ndemiurge ", "\ncommand demiurge "))
    finally:
        ray.shutdown()
        cluster.shutdown()


# What the page of a room shows in use.
SHOWN = {
    "db": {"build", "info", "export", "import", "verify", "remove", "compact"},
    "query": {"query", "mosaic"},
    "playback": {"playback", "mosaic"},
    "sequencer": {"train", "forecast", "evaluate"},
    "demiurge": {"browse", "query", "playback"},
    "synth": {"generate", "resynth", "evaluate", "train-vocoder", "train-generator"},
}

FROM_SOUNDS = {"--continue", "--fill", "--follow", "--like", "--loop"}


def commands_of_room(room: str) -> list[list[str]]:
    text = (DOCS / "rooms" / f"{room}.md").read_text()
    commands = demiurge_commands(text)
    words = {word for command in commands for word in command[:2]}
    assert words >= SHOWN[room], f"the page shows no {SHOWN[room] - words}, or not in a `sh` block"
    return commands


@pytest.mark.slow
@pytest.mark.parametrize("room", ["db", "query", "playback", "sequencer", "demiurge"])
def test_commands_of_a_room_run_as_written(room, folder):
    lay_out(folder)
    if room != "db":
        run(["db", "build", "my_sounds", "my.db"])
    if room == "demiurge":
        run(["mosaic", "my_seed.wav", "my.db", "-o", "next.wav"])
    for command in commands_of_room(room):
        if "ray" in command or command[0] == "bench" or any(map(is_url, command)):
            continue  # wants a cluster; takes minutes; wants an archive
        run([word.replace("/new/place", str(folder)) for word in command])
    if room == "sequencer":
        assert len(list(folder.glob("next-*.json"))) == 3
    if room == "playback":
        assert (folder / "next.rpp").exists()


@pytest.mark.slow
def test_commands_of_the_synth_room_run_as_written(folder):
    """As written, but for the hours, and with a small flow."""
    lay_out(folder)
    (folder / "toy.json").write_text(json.dumps(TOY_SIZES))
    # Loops and ambience: a generator learns from what goes on for seconds.
    for path in CORPUS_DIR.glob("[la]*_*.ogg"):
        (folder / "my_sounds" / path.name).write_bytes(path.read_bytes())
    shorter = {"60": "0.01", "1": "0.4"}
    for command in commands_of_room("synth"):
        if FROM_SOUNDS & set(command):
            continue  # see tests/demiurge/test_synth_generate_command.py
        if "--minutes" in command:
            minutes = command.index("--minutes") + 1
            command[minutes] = shorter[command[minutes]]
        if command[1] == "train-generator" and "--size" not in command:
            command += ["--size", "toy.json"]
        run(command)
    assert len(list((folder / "generated").glob("*.flac"))) == 3
    assert sf.info("again.wav").samplerate == 22050


@pytest.mark.slow
def test_python_example_runs(folder, capsys):
    lay_out(folder)
    names: dict[str, object] = {}
    for language, block in blocks((DOCS / "api.md").read_text()):
        if language == "python":
            exec(block, names)
    printed = capsys.readouterr().out
    assert re.search(r"^\d+ units of \d+ sources: \(\d+, 83\)$", printed, re.MULTILINE)
    assert "backwards: True" in printed
    assert sf.info("out.wav").frames > 0
    assert "most like the first step: " in printed
    assert "forecasts: (1, 2, 216, 39)" in printed
    assert re.search(r"^mine [\d.]+ [\d.]+ [\d.]+\npersistence [\d.]+ 0.0 ", printed, re.MULTILINE)
    assert sf.info("backwards.wav").frames == sf.info("mosaic.wav").frames > 0
    assert sf.info("piano.wav").duration == pytest.approx(2, abs=0.01)


def test_command_reference_is_the_programs():
    remake = (
        "docs/commands.md is not what the program says; make it again: python"
        " scripts/make/command_reference.py"
    )
    assert (DOCS / "commands.md").read_text() == command_reference(), remake


@pytest.mark.parametrize("page", PAGES)
def test_linked_files_exist(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page):
    """Of the program's files; those that a page adds to it are named there first."""
    text = (ROOT / page).read_text()
    rooms = "|".join(sorted([*ROOMS, "scripts", "tests"]))
    named = set(re.findall(rf"`((?:{rooms})/[\w/]*(?:\.\w+)?)`", text)) - new_files(text).keys()
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing


def new_files(text: str) -> dict[str, str]:
    """The files that a page shows whole, by path."""
    return dict(
        re.findall(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    )


def changes(text: str) -> list[tuple[str, str, str]]:
    """Path, old text and new text of each change of a file that a page shows."""
    found = []
    for path, block in re.findall(
        r"^`([\w/]+\.py)`:\n\n```diff\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    ):
        for hunk in block.split("…\n"):
            lines = hunk.splitlines(keepends=True)
            old, new = (
                "".join(line[1:] for line in lines if line[0] in kinds) for kinds in (" -", " +")
            )
            found.append((path, old, new))
    return found


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A copy of the program with what docs/contributing.md adds to it."""
    copy = tmp_path_factory.mktemp("extended")
    text = (DOCS / "contributing.md").read_text()
    for room in ROOMS:
        shutil.copytree(
            ROOT / room,
            copy / room,
            ignore=shutil.ignore_patterns("__pycache__", "corpus", "seed", "static"),
        )
    files = new_files(text)
    assert [*files] == ["db/descriptors/crest.py", "sequencer/gru.py", "synth/framewise.py"]
    for path, content in files.items():
        (copy / path).write_text(content)
    for path, old, new in changes(text):
        before = (copy / path).read_text()
        assert before.count(old) == 1, (
            f"{path} has {before.count(old)} times what docs/contributing.md changes:\n{old}"
        )
        (copy / path).write_text(before.replace(old, new))
    return copy


@pytest.mark.slow
def test_contributors_page_adds_a_descriptor_a_forecaster_and_a_vocoder(extended, folder):
    """The commands run with the copy."""
    lay_out(folder)
    text = (DOCS / "contributing.md").read_text().replace("--minutes 2", "--minutes 0.02")
    commands = demiurge_commands(text)
    assert {" ".join(command[:2]) for command in commands} >= {
        "db build",
        "sequencer train",
        "synth train-vocoder",
    }
    commands.append(["db", "export", "my.db", "table.npz", "--format", "npz"])
    code = "from demiurge.cli import main\n" + "".join(
        f"main({command}, standalone_mode=False)\n" for command in commands
    )
    environment = {**os.environ, "PYTHONPATH": str(extended)}
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=300, check=True)
    assert json.loads((folder / "my.model" / "config.json").read_text())["architecture"] == "gru"
    assert (
        json.loads((folder / "my.vocoder" / "config.json").read_text())["architecture"]
        == "framewise"
    )
    assert sf.info("next.wav").duration == pytest.approx(2, abs=0.03)
    assert sf.info("through.wav").duration == pytest.approx(
        sf.info("my_seed.wav").duration, abs=1e-3
    )
    with np.load(folder / "table.npz") as table:
        crest = table["descriptors"][:, table["names"].tolist().index("crest")]
    assert 0 <= crest.min() < 12 < crest.max() < 40


@pytest.mark.slow
def test_contributors_files_are_in_the_house_style(extended):
    """As `make check` holds every file."""
    names = ["db/descriptors/crest.py", "sequencer/gru.py", "synth/framewise.py"]
    config = ["--config", str(ROOT / "pyproject.toml")]
    for task in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *task, *config, *names], cwd=extended, check=True
        )


def keys_of(text: str, heading: str) -> set[str]:
    """Names in the first column of the table of docs/formats.md whose first heading is this."""
    table = re.search(
        rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE
    )[1]
    return {
        key for row in table.splitlines() for key in re.findall(r"`([^`]+)`", row.split("|")[1])
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A database and a plan of `mosaic`."""
    folder = tmp_path_factory.mktemp("made")
    lay_out(folder)
    run(["db", "build", str(folder / "my_sounds"), str(folder / "my.db"), "--units", "onset"])
    run(
        [
            "mosaic",
            str(folder / "my_seed.wav"),
            str(folder / "my.db"),
            "-o",
            str(folder / "next.wav"),
        ]
    )
    return folder


def test_formats_page_knows_the_manifest(made):
    page = (DOCS / "formats.md").read_text()
    with closing(sqlite3.connect(made / "my.db" / "manifest.sqlite")) as manifest:
        tables = {
            name
            for (name,) in manifest.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        assert keys_of(page, "table") == tables
        assert f"`user_version` is {manifest.execute('PRAGMA user_version').fetchone()[0]}" in page
        for table in tables - {"normaliser", "unit_spans", "unit_shards"}:
            columns = {row[1] for row in manifest.execute(f"PRAGMA table_info({table})")} - {
                "key",
                "value",
            }
            row = next(line for line in page.splitlines() if line.startswith(f"| `{table}` |"))
            assert columns <= set(re.findall(r"`(\w+)`", row)), table
        assert {key for (key,) in manifest.execute("SELECT key FROM config")} <= set(
            re.findall(r"`(\w+)`", page)
        )
    assert {path.name for path in (made / "my.db" / "shards").iterdir()} == {
        "00000.f32",
        "units-00000.f32",
    }


def test_formats_page_knows_the_models_of_settings():
    page = (DOCS / "formats.md").read_text()
    assert keys_of(page, "key of a model") == {field.name for field in fields(ModelDescriptor)}
    for field in fields(DescriptorSettings):
        assert f"`{field.name}`" in page


def test_formats_page_knows_the_plan(made):
    page = (DOCS / "formats.md").read_text()
    plan = json.loads((made / "next.plan.json").read_text())
    assert keys_of(page, "key of a plan") == plan.keys() | {"spectra"}
    spectra = Spectra.of(np.ones((1, 2)), np.ones(1), np.ones(1))
    assert keys_of(page, "key of `spectra`") == spectra.to_dict().keys()
    assert (
        keys_of(page, "key of a step")
        == {option.name for option in fields(Step)}
        == plan["steps"][0].keys() | set(VOICE_KEYS)
    )
    of_render = {"seed", "model", "temperature", "top_p", "random_seed"}
    of_render |= {"accompanied", "include_seed", "transpose"}
    if_used = {"range", "level", "levels", "voices", "stretch", "decode", "infill"}
    known = keys_of(page, "key of `settings`")
    assert known - of_render == plan["settings"].keys() | if_used
    options = {option.name for option in fields(PathOptions)} | {
        option.name for option in fields(CrossfadeOptions)
    }
    assert options | {"n_descriptors", "float32"} <= set(re.findall(r"`(\w+)`", page))
    for name, value in {
        option.name: option.default for option in fields(Step) if option.default is not MISSING
    }.items():
        written = (
            f"{value:g}" if type(value) in (int, float) else {(): "none", False: "false"}[value]
        )
        assert f"| `{name}` | {written} |" in page


@pytest.mark.slow
def test_formats_page_knows_models_forecasts_and_generated_audio(made, folder):
    page = (DOCS / "formats.md").read_text()
    shipped = [json.loads(path.read_text()) for path in WEIGHTS.glob("*/config.json")]
    run(
        [
            "sequencer",
            "train",
            str(made / "my.db"),
            "my.model",
            "--epochs",
            "1",
            "--window",
            "8",
            "--head",
            "mixture",
        ]
    )
    run(
        [
            "sequencer",
            "forecast",
            "my.model",
            str(made / "my_seed.wav"),
            "--steps",
            "3",
            "-o",
            "forecast.json",
        ]
    )
    run(
        [
            "synth",
            "generate",
            "shipped",
            "shipped",
            "generated",
            "--minutes",
            "0.02",
            "--seconds",
            "1",
        ]
    )
    model, forecast = (
        json.loads(Path(name).read_text()) for name in ("my.model/config.json", "forecast.json")
    )
    lines = [json.loads(line) for line in Path("generated/manifest.jsonl").read_text().splitlines()]
    known = set(re.findall(r"`(\w+)`", page))
    for document in (*shipped, model, forecast["_demiurge"]):
        assert document.keys() <= known
    assert {path.name for path in Path("my.model").iterdir()} <= keys_of(page, "file")
    assert keys_of(page, "key of the first line") == {*lines[0], "request"}  # if there is one
    assert keys_of(page, "key of the others") == lines[1].keys()
