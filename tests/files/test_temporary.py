"""Temporary files: none stays, not even of a program that was killed."""

import multiprocessing
import os
import signal

import pytest

from files import temporary
from files.atomic import replacing, write_text
from files.temporary import temporary_file, temporary_folder

pytestmark = pytest.mark.accounts


def wait_in_block(folder, ready, make):
    with make(folder):
        ready.set()
        signal.pause()


@pytest.fixture
def killed(tmp_path):
    """A folder in which a program left a temporary file and a folder as it was killed."""
    context = multiprocessing.get_context("spawn")
    processes = []
    for make in (temporary_file, temporary_folder):
        ready = context.Event()
        process = context.Process(target=wait_in_block, args=(tmp_path, ready, make))
        process.start()
        assert ready.wait(30)
        processes.append(process)
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    temporary._cleaned.clear()
    return tmp_path


def test_what_a_killed_program_left_is_removed_by_the_next_that_writes_there(killed):
    own = [".out.demiurge-12345678.wav.txt", ".demiurge-1234567", "a.demiurge-12345678"]
    for name in own:
        (killed / name).touch()
    left = set(os.listdir(killed)) - set(own)
    assert len(left) == 2
    assert all(map(temporary.NAME.fullmatch, left))
    write_text(killed / "x.txt", "text")
    assert sorted(os.listdir(killed)) == sorted([*own, "x.txt"])


def test_what_is_in_use_stays(tmp_path):
    with temporary_folder(tmp_path) as folder, replacing(tmp_path / "a.wav") as path:
        temporary._cleaned.clear()
        (folder / "in it").touch()
        path.write_text("sound")
        write_text(tmp_path / "b.txt", "text")
        assert folder.is_dir()
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "b.txt"]
