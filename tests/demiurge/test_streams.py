"""Standard streams that are closed, full, or without a reader; names that are no plain text."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import soundfile as sf

from demiurge.cli.terminal import echo_line, echo_table, progress_bar
from files.names import printable, quoted

pytestmark = pytest.mark.accounts
FULL = "Error: standard {} cannot be written (No space left on device); the rest is done"
ODD_NAMES = (
    "plain.db",
    "it's [120bpm] my.db",
    "-o.wav",
    "[/red] [cyan]",
    "line\nbreak\x1b[31m",
    "back\\slash\t'",
    "b\udce9",
    "\u202ewav.exe",
    "größe 音 👩\u200d🎤",
)


@pytest.fixture
def sounds(tmp_path, tabla):
    (tmp_path / "sounds").mkdir()
    sf.write(tmp_path / "sounds" / "[_red] x.wav", tabla, 44100)
    return tmp_path / "sounds"


def demiurge(line, folder):
    """Run a command in a shell, with its redirections; return the process."""
    program = f"{shlex.quote(sys.executable)} -m demiurge {line}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        ["bash", "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("redirection", "status", "told"),
    [
        (">/dev/full", 1, FULL.format("output")),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>/dev/full", 1, ""),
        ("| true; exit ${PIPESTATUS[0]}", 141, ""),
    ],
)
def test_the_work_is_done_and_no_file_is_taken_for_a_stream(
    sounds, tmp_path, redirection, status, told
):
    done = demiurge(f"db build sounds my.db {redirection}", tmp_path)
    assert (done.returncode, done.stderr.partition(":")[2][:70]) == (
        status,
        told.partition(":")[2][:70],
    )
    assert len(done.stderr.splitlines()) == bool(told)
    checked = demiurge("db verify my.db", tmp_path)
    assert "1 source" in checked.stdout
    assert (checked.returncode, checked.stderr) == (0, "")


def test_an_error_stays_one_where_it_cannot_be_told(tmp_path):
    for redirection in ("2>/dev/full", "2>&-", "2>&- >&-"):
        done = demiurge(f"db info missing.db {redirection}", tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_is_closed_ends_a_build_in_order(sounds, tmp_path, tabla, number):
    for i in range(300):
        sf.write(sounds / f"{i}.wav", tabla[i : i + 30000], 44100)
    process = subprocess.Popen(
        [sys.executable, "-m", "demiurge", "db", "build", "sounds", "my.db"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while not (tmp_path / "my.db" / "manifest.sqlite").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    told = process.communicate(timeout=60)[0]
    assert (process.returncode, told) == (128 + number, b"")
    assert demiurge("db build sounds my.db", tmp_path).returncode == 0


def test_a_word_of_a_command_is_the_name_again_in_a_shell(tmp_path):
    for name in ODD_NAMES:
        word = quoted(name)
        assert word == printable(word)
        told = subprocess.run(
            ["bash", "-c", f"printf %s {word}"], capture_output=True, check=True
        ).stdout
        assert os.fsdecode(told).removeprefix("./" if name[0] == "-" else "") == name


def test_names_are_shown_as_they_are_or_escaped(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for name in ODD_NAMES:
        echo_line(name)
        echo_table(name, ["what"], [[name]])
        with progress_bar(name) as progress:
            progress(1, 2, name)
        shown = capsys.readouterr()
        assert shown.out.splitlines()[0] == printable(name)
        assert shown.out.count(printable(name)) == 3
        assert printable(name) in shown.err
