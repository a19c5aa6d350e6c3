"""The pages of docs/: their commands run, they show what is printed, and what they say of the program is so."""

import re
from pathlib import Path

import pytest
import soundfile as sf

from demiurge.corpus import CORPUS_DIR
from scripts.make_command_reference import command_reference
from tests.pages import ROOT, demiurge_commands, lay_out, run, run_as_written, run_lesson

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *DOCS.rglob("*.md")])

# What the tutorials do for minutes and hours is done for seconds, with networks to match; everything else is as it stands.
QUICK = {
    "database": {},
    "render": {"--minutes 2": "--minutes 0.03", "--seconds 8": "--seconds 2"},
    "browse": {},
    "synth": {
        "--minutes 10": "--minutes 0.001 --batch-size 2 --segment-frames 32",
        "--minutes 20": "--minutes 0.001",
        "160 --adversary-width 160": "32 --adversary-width 32",
        "--minutes 0.5 --seconds 10": "--minutes 0.1 --seconds 3",
    },
    "cluster": {"--minutes 1": "--minutes 0.03"},
}


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
    run_lesson(read_lesson(name))


@pytest.mark.slow
def test_cluster_tutorial_runs_and_shows_what_is_printed(folder):
    """On a Ray cluster of two nodes in this process's children, in place of `ray start`."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20})
    try:
        cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        run_lesson(read_lesson("cluster").replace("--address auto", f"--address {cluster.address}"))
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize(("room", "n_commands"), [("db", 14), ("query", 6), ("playback", 6), ("sequencer", 5), ("demiurge", 5)])
def test_commands_of_a_room_run_as_written(room, n_commands, folder):
    lay_out(folder)
    text = (DOCS / "rooms" / f"{room}.md").read_text().replace("/new/place/my_sounds", str(folder / "my_sounds"))
    commands = [command for command in demiurge_commands(text) if "ray" not in command and command[0] != "bench"]
    assert len(commands) == n_commands
    if room != "db":
        run(["db", "build", "my_sounds", "my.db"])
    if room == "demiurge":
        run(["mosaic", "my_seed.wav", "my.db", "-o", "next.wav"])
    run_as_written(commands)
    if room == "sequencer":
        assert len(list(folder.glob("next-*.json"))) == 3
    if room == "playback":
        assert (folder / "next.rpp").exists()


@pytest.mark.slow
def test_commands_of_the_synth_room_run_as_written(folder):
    """As written, but for the hours."""
    lay_out(folder)
    for path in CORPUS_DIR.glob("[la]*_*.ogg"):  # loops and ambience: a generator learns from what goes on for seconds
        (folder / "my_sounds" / path.name).write_bytes(path.read_bytes())
    text = (DOCS / "rooms" / "synth.md").read_text()
    commands = demiurge_commands(re.sub(r"--minutes 60", "--minutes 0.01", text).replace("--minutes 1 ", "--minutes 0.4 "))
    assert len(commands) == 7
    run_as_written(commands)
    assert len(list((folder / "generated").glob("*.flac"))) == 3
    assert sf.info("again.wav").samplerate == 22050


def test_command_reference_is_the_programs():
    remake = "docs/commands.md is not what the program says; make it again: python scripts/make_command_reference.py"
    assert (DOCS / "commands.md").read_text() == command_reference(), remake


@pytest.mark.parametrize("page", PAGES)
def test_linked_files_exist(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target
