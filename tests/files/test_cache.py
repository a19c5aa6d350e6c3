"""The cache folder, also for users who may write nowhere.

Folders that lie within a file stand for those of other users.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import files.cache
from files.cache import cache_folder

pytestmark = pytest.mark.accounts


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No cache can be written, and none is named."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DEMIURGE_CACHE", "")  # put back at the end, whatever is set until then
    monkeypatch.delenv("DEMIURGE_CACHE")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(files.cache, "may_write", lambda folder: False)


def test_without_a_writable_cache_a_temporary_folder_takes_its_place_and_is_logged_once(
    nowhere, tmp_path, caplog
):
    folder = cache_folder("decoded")
    assert folder.parent.parent == tmp_path
    assert folder.parent.is_dir()
    assert cache_folder("tapes") == folder.parent / "tapes"
    assert len(caplog.messages) == 1
    assert (
        "cannot be written: a temporary folder is the cache for now; name a permanent one with"
        " the environment variable DEMIURGE_CACHE" in caplog.text
    )


def test_the_temporary_folder_is_known_to_children_and_removed_at_the_end(tmp_path):
    child = "from files.cache import cache_folder; print(cache_folder('a'))"
    code = (
        "import files.cache, subprocess, sys; files.cache.may_write = lambda folder: False;"
        " print(files.cache.cache_folder('a'));"
        f'print(subprocess.check_output([sys.executable, "-c", "{child}"], text=True))'
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    del env["DEMIURGE_CACHE"]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    own, childs = result.stdout.split()
    assert own == childs
    assert Path(own).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_the_user_named_is_never_another(nowhere, tmp_path, monkeypatch):
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path / "file"))
    assert cache_folder("decoded") == tmp_path / "file" / "decoded"


@pytest.mark.parametrize(("folder", "may"), [("", True), ("new/newer", True), ("file/new", False)])
def test_whether_a_folder_may_be_written_is_asked_of_what_exists(tmp_path, folder, may):
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o400)
    assert files.cache.may_write(tmp_path / folder) is may
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_a_folder_of_no_home_may_not_be_written():
    home_of_nobody = Path("~/.cache")  # what a user gets who is not in the list of users
    assert not files.cache.may_write(home_of_nobody)
