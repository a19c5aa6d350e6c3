"""The commands of the README, run in order as they stand there."""

import re
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.cli import main
from demiurge.corpus import CORPUS_DIR, SEED_FILE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def shell_lines(text: str) -> list[str]:
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def demiurge_commands(text: str) -> list[list[str]]:
    return [shlex.split(line, comments=True)[1:] for line in shell_lines(text) if line.startswith("demiurge ")]


def lay_out(folder: Path) -> None:
    """What the commands work on: my_sounds and my_seed.wav."""
    (folder / "my_sounds" / "old_takes").mkdir(parents=True)
    for i, path in enumerate(sorted(CORPUS_DIR.glob("*.ogg"))[::6]):
        (folder / "my_sounds" / ("old_takes" if i < 2 else "") / path.name).write_bytes(path.read_bytes())
    samples, rate = sf.read(SEED_FILE)
    sf.write(folder / "my_seed.wav", np.clip(samples, -1, 1), rate)


def run_as_written(commands: list[list[str]]) -> None:
    for command in commands:
        if command[0] == "browse":
            check_page(command)
            continue
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == 0, (command, result.output)


def check_page(command: list[str]) -> None:
    """The page is there while the command runs, for whoever is told its address only if others can reach it; Ctrl-C ends it."""
    whole = [sys.executable, "-m", "demiurge", *command, "--no-open"]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            address = re.search(r"http://\S+", server.stdout.readline())[0]
            port = re.search(r":(\d+)", address)[1]
            if "--host" in command:
                assert "token=" in address
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/map.json")
            else:
                with urllib.request.urlopen(f"{address}/map.json") as answer:
                    assert answer.status == 200
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0


def test_make_targets_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    named = [shlex.split(line, comments=True)[1] for line in shell_lines(README) if line.startswith("make ")]
    assert named == ["demo", "test"]
    assert set(named) <= set(targets)


@pytest.mark.slow
def test_commands_run_as_written(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = demiurge_commands(README)
    assert len(commands) == 22
    run_as_written(commands)
    assert sf.info("next.wav").frames == 430 * 1024
    assert Path("again.wav").read_bytes() == Path("next.wav").read_bytes()


@pytest.mark.slow
def test_commands_of_the_database_page_run_as_written(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "database.md").read_text().replace("/new/place/my_sounds", str(tmp_path / "my_sounds"))
    commands = [command for command in demiurge_commands(text) if "ray" not in command]  # test_executors.py has a cluster
    assert len(commands) == 14
    run_as_written(commands)


@pytest.mark.slow
def test_commands_of_the_forecasters_page_run_as_written(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ["db", "build", "my_sounds", "my.db"], catch_exceptions=False)
    commands = demiurge_commands((ROOT / "docs" / "forecasters.md").read_text())
    assert len(commands) == 5
    run_as_written(commands)
    assert len(list(Path().glob("next-*.json"))) == 3


def test_numbers_of_bundled_recordings_is_right():
    assert f"{len(list(CORPUS_DIR.glob('*.ogg')))} bundled CC0 recordings" in README


@pytest.mark.slow
def test_commands_of_the_selection_page_run_as_written(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ["db", "build", "my_sounds", "my.db"], catch_exceptions=False)
    commands = [line for line in demiurge_commands((ROOT / "docs" / "selection.md").read_text()) if line[0] != "bench"]
    assert len(commands) == 6
    run_as_written(commands)


@pytest.mark.slow
def test_commands_of_the_playback_page_run_as_written(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ["db", "build", "my_sounds", "my.db"], catch_exceptions=False)
    commands = demiurge_commands((ROOT / "docs" / "playback.md").read_text())
    assert len(commands) == 6
    run_as_written(commands)
    assert Path("next.rpp").exists()


@pytest.mark.slow
def test_commands_of_the_browsing_page_run_as_written(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    run_as_written([["db", "build", "my_sounds", "my.db"], ["mosaic", "my_seed.wav", "my.db", "-o", "next.wav"]])
    commands = demiurge_commands((ROOT / "docs" / "browsing.md").read_text())
    assert len(commands) == 5
    run_as_written(commands)


@pytest.mark.slow
def test_commands_of_the_synthesis_page_run_as_written(tmp_path, monkeypatch):
    """As written, but for the hours."""
    lay_out(tmp_path)
    for path in CORPUS_DIR.glob("[la]*_*.ogg"):  # loops and ambience: a generator learns from what goes on for seconds
        (tmp_path / "my_sounds" / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "synthesis.md").read_text()
    commands = demiurge_commands(re.sub(r"--minutes 60", "--minutes 0.01", text).replace("--minutes 1 ", "--minutes 0.4 "))
    assert len(commands) == 7
    run_as_written(commands)
    assert len(list(Path("generated").glob("*.flac"))) == 3
    assert sf.info("again.wav").samplerate == 22050


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        *(f"docs/{name}.md" for name in ("playback", "database", "forecasters", "selection", "synthesis", "browsing")),
    ],
)
def test_linked_files_exist(page):
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target
