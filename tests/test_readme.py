"""The commands of the README, run in order as they stand there."""

import re
import shlex
from pathlib import Path

import pytest
import soundfile as sf

from demiurge.bundled import CORPUS_DIR
from tests.pages import ROOT, demiurge_commands, lay_out, run_as_written, shell_lines

README = (ROOT / "README.md").read_text()


def test_make_targets_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    named = [
        shlex.split(line, comments=True)[1]
        for line in shell_lines(README)
        if line.startswith("make ")
    ]
    assert named == ["demo", "test"]
    assert set(named) <= set(targets)


@pytest.mark.slow
def test_commands_run_as_written(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = demiurge_commands(README)
    assert {command[0] for command in commands} >= {
        "db",
        "sequencer",
        "render",
        "playback",
        "browse",
    }
    run_as_written(commands)
    assert sf.info("next.wav").frames == 10 * 44100
    assert Path("again.wav").read_bytes() == Path("next.wav").read_bytes()


def test_number_of_bundled_sounds_is_right():
    assert f"{len(list(CORPUS_DIR.glob('*.ogg')))} bundled CC0 sounds" in README
