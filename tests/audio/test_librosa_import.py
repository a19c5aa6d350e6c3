"""librosa is imported where numba can keep what it compiles."""

import os
import sys

import pytest

from audio import librosa_import
from audio.librosa_import import give_numba_a_folder, import_librosa
from files.errors import ParameterError


@pytest.fixture(autouse=True)
def no_numba_folder(monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # put back at the end, whatever is set until then
    monkeypatch.delenv("NUMBA_CACHE_DIR")


def test_numba_gets_a_folder_of_the_cache_where_it_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(librosa_import, "may_write", lambda folder: False)
    monkeypatch.setenv("DEMIURGE_CACHE", str(tmp_path))
    give_numba_a_folder()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "numba")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    give_numba_a_folder()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"


def test_numba_keeps_its_own_folder_where_it_can_write(monkeypatch):
    monkeypatch.setattr(librosa_import, "may_write", lambda folder: True)
    give_numba_a_folder()
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_librosa_that_cannot_keep_its_functions_is_an_error(monkeypatch):
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
