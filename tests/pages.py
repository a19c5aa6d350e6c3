"""Pages of the documentation, run as they stand: their commands, and what they show as printed."""

import os
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

from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main

ROOT = Path(__file__).parents[1]
HOME = "/home/you"  # the folder that pages show
ONE = re.compile(r"\b1 (source|join)\b")  # counted like many: how many there are differs
NUMBER = re.compile(r"-?\d+(\.\d+)?")
DRAWN = re.compile(r"[\s━─▁▂▃▄▅▆▇█]+")  # rules as wide as the numbers below, and sparklines


def blocks(text: str) -> list[tuple[str, str]]:
    """Return language and text of each fenced block."""
    return re.findall(r"^```([\w{}-]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def shell_lines(text: str) -> list[str]:
    return [
        line for language, block in blocks(text) if language == "sh" for line in block.splitlines()
    ]


def demiurge_commands(text: str) -> list[list[str]]:
    return [
        shlex.split(line, comments=True)[1:]
        for line in shell_lines(text)
        if line.startswith("demiurge ")
    ]


def lay_out(folder: Path) -> None:
    """Make what the commands work on: my_sounds and my_seed.wav."""
    (folder / "my_sounds" / "old_takes").mkdir(parents=True)
    for i, path in enumerate(sorted(CORPUS_DIR.glob("*.ogg"))[::6]):
        (folder / "my_sounds" / ("old_takes" if i < 2 else "") / path.name).write_bytes(
            path.read_bytes()
        )
    samples, rate = sf.read(SEED_FILE)
    sf.write(folder / "my_seed.wav", np.clip(samples, -1, 1), rate)


def run_as_written(commands: list[list[str]]) -> None:
    for command in commands:
        run(command)


def run(command: list[str]) -> str:
    """Run `demiurge COMMAND…`, which must succeed; return what it prints.

    Of `browse` that is the first line, and the page must be there.
    """
    if command[0] == "browse":
        return check_page(command)
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, (command, result.output)
    return result.output


def check_page(command: list[str]) -> str:
    """Check that the page is served while the command runs, and that Ctrl-C ends it.

    If others can reach it, it asks for the token of the address.
    """
    whole = [sys.executable, "-m", "demiurge", *command, "--no-open"]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            said = server.stdout.readline()
            address = re.search(r"http://\S+", said)[0]
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
    return said


def run_lesson(text: str) -> None:
    """Run each `sh` block of a page; a `text` block after it must be what it printed.

    Figures may differ. In a line, … stands for any text; a line of … stands for any lines. Lines
    are shown in the order of printing.
    """
    printed = ""
    for language, block in blocks(text):
        if language == "sh":
            printed = "".join(run_line(line) for line in block.splitlines())
        elif language == "text":
            check_shown(block, printed)


def run_line(line: str) -> str:
    words = shlex.split(line, comments=True)
    if words[0] == "demiurge":
        return run(words[1:])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", line],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def check_shown(shown: str, printed: str) -> None:
    """Every shown line is among the printed ones, in their order."""
    rest = iter(plain(printed.replace(str(Path.cwd()), HOME)))
    for line in plain(shown):
        if line == "…":
            continue
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        assert any(re.fullmatch(pattern, other) for other in rest), (
            f"{line!r} is not printed any more, or not here:\n{printed}"
        )


def plain(text: str) -> list[str]:
    """Return the lines without what differs from run to run and machine to machine."""
    lines = [ONE.sub(r"2 \1s", line) for line in text.splitlines() if line.strip()]
    return [DRAWN.sub(" ", NUMBER.sub("0", line)).strip() for line in lines]
