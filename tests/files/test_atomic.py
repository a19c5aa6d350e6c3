import errno
import os
import stat

import pytest

from files.atomic import make_folder, replacing, write_text, writing_errors
from files.errors import DatabaseError, ParameterError

pytestmark = pytest.mark.accounts


def test_the_file_is_replaced_when_the_block_succeeds(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".txt")
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_old_file_stays_when_the_block_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half_of_it():
        with replacing(path) as temporary:
            temporary.write_text("half of it")
            raise ValueError("by the way")

    with pytest.raises(ValueError, match="by the way"):
        write_half_of_it()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_others_may_read_what_is_made(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "there" / "file.txt")
    write_text(link, "through the link")
    assert link.is_symlink()
    assert (tmp_path / "there" / "file.txt").read_text() == "through the link"


def test_line_ends_stay_as_they_are(tmp_path):
    write_text(tmp_path / "a.txt", "ä\r\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == "ä\r\nb\n".encode()


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ParameterError, match="is a folder; give the name of a file"):
        write_text(tmp_path, "text")


def test_a_device_or_pipe_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(ParameterError, match="pipe is a named pipe; give the name of a file"):
            write_text(tmp_path / name, "text")
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_that_is_missing_is_named_with_the_remedy(tmp_path):
    with pytest.raises(
        ParameterError,
        match=r"no/a.txt: cannot be written \(No such file or directory\); check the name",
    ):
        write_text(tmp_path / "no" / "a.txt", "text")


def test_writing_errors_give_the_reason_and_the_remedy():
    with (
        pytest.raises(ParameterError, match=r"^x: cannot be written \(No space left on device\); "),
        writing_errors("x"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        pytest.raises(DatabaseError, match=r"^x: cannot be written \(without a number\); wait$"),
        writing_errors("x", "wait", raised=DatabaseError),
    ):
        raise OSError("without a number")


def test_other_errors_pass():
    with pytest.raises(KeyError, match="k"), writing_errors("x"):
        raise KeyError("k")


def test_folders_are_made_with_those_above(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(ParameterError, match=r"file: cannot be written \(File exists\); wait"):
        make_folder(tmp_path / "file", "wait")
