"""Files that others made: regular ones only, of bounded size."""

import errno
import os
from pathlib import Path

import pytest

from files.errors import ParameterError
from files.regular import check_regular, open_regular, read_regular

RULES = {"error": ParameterError, "remedy": "give a file"}


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_regular(tmp_path / "a", **RULES, max_bytes=3) == b"abc"
    with open_regular(tmp_path / "a", **RULES) as file:
        assert file.read() == b"abc"


def test_other_kinds_are_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    kinds = {
        str(tmp_path / "pipe"): "a named pipe",
        "/dev/zero": "a device",
        str(tmp_path): "a folder",
    }
    for path, kind in kinds.items():
        with pytest.raises(ParameterError, match=f"{path}: {kind}, not a file; give a file"):
            check_regular(path, **RULES)


def test_the_size_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with pytest.raises(ParameterError, match="3 bytes, the limit is 2; give a file"):
        check_regular(tmp_path / "a", **RULES, max_bytes=2)


def test_the_systems_reason_is_given(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"\(No such file or directory\); give a file"):
        check_regular(tmp_path / "none", **RULES)
    with pytest.raises(ParameterError, match="cannot be read"):
        check_regular("a\0b", **RULES)


def test_what_the_system_is_at_fault_for_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(ParameterError, match=r"\(Permission denied\); change the permissions of"):
        check_regular(tmp_path / "a", **RULES)
