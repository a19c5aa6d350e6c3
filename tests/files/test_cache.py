"""Where things are kept, for users who may write nowhere.

Folders that lie within a file stand for those of other users.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import files.cache
from audio.librosa_import import give_numba_a_folder, import_librosa
from files.cache import cache_folder
from files.errors import ParameterError


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No home, no cache, and nothing can be kept beside librosa."""
    (tmp_path / "file").write_text("")
    for name in ("DEMIURGE_CACHE", "NUMBA_CACHE_DIR"):
        monkeypatch.setenv(name, "")  # put back at the end, whatever is set until then
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(files.cache, "_may_write", lambda folder: False)


def test_without_a_writable_cache_a_temporary_folder_takes_its_place_and_is_told_once(
    nowhere, tmp_path, caplog
):
    folder = cache_folder("decoded")
    assert folder.parent.parent == tmp_path
    assert folder.parent.is_dir()
    assert cache_folder("tapes") == folder.parent / "tapes"
    assert len(caplog.messages) == 1
    assert (
        "cannot be written: a temporary folder is the cache for now; the environment variable"
        " DEMIURGE_CACHE" in caplog.text
    )


def test_the_temporary_folder_is_known_to_children_and_removed_at_the_end(tmp_path):
    child = "from files.cache import cache_folder; print(cache_folder('a'))"
    code = (
        "import files.cache, subprocess, sys; files.cache._may_write = lambda folder: False;"
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
    assert files.cache._may_write(tmp_path / folder) is may
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_a_folder_of_no_home_may_not_be_written():
    assert not files.cache._may_write(
        Path("~/.cache")
    )  # what a user without an entry in the list of users gets


def test_numba_gets_a_folder_of_the_cache_where_it_has_none(nowhere, tmp_path, monkeypatch):
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path))
    give_numba_a_folder()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "numba")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    give_numba_a_folder()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"


def test_numba_keeps_its_own_folder_where_it_can_write(monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(files.cache, "_may_write", lambda folder: True)
    give_numba_a_folder()
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_librosa_that_cannot_keep_its_functions_is_told(monkeypatch):
    class Refusing:
        def find_spec(self, name, path=None, target=None):
            if name == "librosa":
                raise RuntimeError("cannot cache function '__o_fold'")

    for name in [name for name in sys.modules if name.split(".")[0] == "librosa"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/nowhere")
    monkeypatch.setattr(sys, "meta_path", [Refusing(), *sys.meta_path])
    with pytest.raises(
        ParameterError,
        match=r"librosa cannot keep .*__o_fold.*name a folder .* variable NUMBA_CACHE_DIR",
    ):
        import_librosa()
