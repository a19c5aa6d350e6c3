"""Keys and status on a real pseudo-terminal, and the terminal as it was afterwards."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.pages import ROOT

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are of POSIX", allow_module_level=True)

import pty
import select
import termios

TIMEOUT_S = 30
SESSION = """
import signal, sys, time
from demiurge.live.controls import Controls
from demiurge.live.status import Status
from demiurge.live.terminal import Terminal

def exit_at_signal(number, frame):
    raise SystemExit(128 + number)

signal.signal(signal.SIGTERM, exit_at_signal)
controls = Controls()
status = lambda: Status(mode=controls.knobs.mode, source="tabla.wav")
with Terminal(controls, status) as terminal:
    terminal.tell("ready")
    while True:
        commands = controls.take_commands()
        if "stop" in commands:
            break
        if "panic" in commands:
            raise RuntimeError("broken")
        time.sleep(0.01)
print("frozen" if controls.knobs.freeze else "free", controls.knobs.level)
"""


class Session:
    """A session in a child process whose terminal is a pseudo-terminal of ours."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"import fcntl, termios\n{CONTROLLING}{SESSION}"],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            cwd=ROOT,
            env={**os.environ, "PYTHONUTF8": "1"},
            start_new_session=True,
        )

    def press(self, keys):
        os.write(self.ours, keys)

    def wait_for(self, text):
        while text not in self.shown:
            ready, _, _ = select.select([self.ours], [], [], TIMEOUT_S)
            assert ready, self.shown
            self.shown += os.read(self.ours, 4096)

    def end(self):
        """Read until the process has ended; return its exit status."""
        threading.Thread(target=self._mark_the_end, daemon=True).start()
        self.wait_for(b"<the end>")
        return self.process.returncode

    def _mark_the_end(self):
        self.process.wait(TIMEOUT_S)
        os.write(self.theirs, b"<the end>")

    @property
    def is_restored(self):
        return termios.tcgetattr(self.theirs) == self.before

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


CONTROLLING = "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"


@pytest.fixture
def session():
    session = Session()
    try:
        session.wait_for(b"tabla.wav")
        yield session
    finally:
        session.close()


def test_keys_are_obeyed_at_once_and_the_terminal_is_restored(session):
    assert b"ready\r\n" in session.shown
    assert not session.is_restored
    session.press(b" m")
    session.wait_for(b"accompany: listening")
    session.press(b"\x1b[A")  # the last knob
    session.wait_for(b"freeze on")
    session.press(b"q")
    assert session.end() == 0
    assert b"frozen 0.0" in session.shown
    assert b" mq" not in session.shown  # keys are not shown
    assert session.is_restored


def test_terminal_is_restored_after_an_exception(session):
    session.press(b"p")
    assert session.end() == 1
    assert b"RuntimeError: broken" in session.shown
    assert session.is_restored


def test_terminal_is_restored_after_sigterm(session):
    session.process.send_signal(signal.SIGTERM)
    assert session.end() == 128 + signal.SIGTERM
    assert session.is_restored


def test_terminal_is_restored_after_ctrl_c(session):
    session.press(b"\x03")
    assert session.end() == -signal.SIGINT
    assert b"KeyboardInterrupt" in session.shown
    assert session.is_restored


def test_keys_work_again_after_a_stop_and_fg(session):
    session.process.send_signal(signal.SIGSTOP)  # Ctrl-Z needs a shell
    _, status = os.waitpid(session.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    termios.tcsetattr(session.theirs, termios.TCSANOW, session.before)  # as a shell does
    session.process.send_signal(signal.SIGCONT)
    session.press(b"q")
    assert session.end() == 0


def test_without_a_terminal_only_told_lines_are_written():
    code = SESSION.replace("while True:", "controls.command('stop')\n    while True:")
    result = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert result.stderr == b"ready\n"
    assert result.stdout == b"free 0.0\n"
