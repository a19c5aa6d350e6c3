"""The commands of the README, run in order as they stand there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from demiurge.cli import main
from demiurge.corpus import CORPUS_DIR, SEED_FILE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_make_targets_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    named = [shlex.split(line, comments=True)[1] for line in LINES if line.startswith("make ")]
    assert named == ["demo", "test"]
    assert set(named) <= set(targets)


@pytest.mark.slow
def test_commands_run_as_written(tmp_path, monkeypatch):
    (tmp_path / "my_sounds").mkdir()
    for path in sorted(CORPUS_DIR.glob("*.ogg"))[::6]:
        (tmp_path / "my_sounds" / path.name).write_bytes(path.read_bytes())
    samples, rate = sf.read(SEED_FILE)
    sf.write(tmp_path / "my_seed.wav", np.clip(samples, -1, 1), rate)
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line, comments=True)[1:] for line in LINES if line.startswith("demiurge ")]
    assert len(commands) == 10
    for command in commands:
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == 0, (command, result.output)
    assert sf.info("next.wav").frames == 430 * 1024
    assert Path("again.wav").read_bytes() == Path("next.wav").read_bytes()


def test_numbers_of_bundled_recordings_is_right():
    assert f"{len(list(CORPUS_DIR.glob('*.ogg')))} bundled CC0 recordings" in README


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
