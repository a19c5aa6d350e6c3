import multiprocessing

import pytest

from files.errors import ParameterError
from training.lock import LOCK_NAME, training_lock


def hold(folder, held, done):
    with training_lock(folder):
        held.set()
        done.wait(30)


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, held, done))
    other.start()
    assert held.wait(60)
    with (
        pytest.raises(ParameterError, match="is being trained by another process; wait for it"),
        training_lock(tmp_path),
    ):
        pass
    other.kill()  # the lock goes with the process
    other.join()
    with training_lock(tmp_path):
        assert (tmp_path / LOCK_NAME).exists()
    assert not (tmp_path / LOCK_NAME).exists()


def test_a_training_that_saves_nothing_leaves_no_folder(tmp_path):
    with training_lock(tmp_path / "m"):
        pass
    assert not (tmp_path / "m").exists()


def test_a_lock_that_is_no_regular_file_is_named(tmp_path):
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ParameterError, match=r"training.lock is not a regular file, .*; remove it"),
        training_lock(tmp_path),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()
