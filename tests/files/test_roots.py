"""Roots: which file a source is."""

from pathlib import Path

import pytest

from files.errors import ParameterError
from files.roots import Roots

ONE = Roots.of("corpus")
TWO = Roots({"a": "first", "b": "second/sounds"})


def test_sources_of_one_database_lie_in_its_folder():
    assert ONE.file_of("drums/one.wav") == Path("corpus/drums/one.wav")
    assert ONE.file_of("a:b.wav") == Path("corpus/a:b.wav")
    assert Roots.of(ONE) is ONE


def test_sources_of_several_name_their_database():
    assert TWO.file_of("a:drums/one.wav") == Path("first/drums/one.wav")
    assert TWO.file_of("b:x:y.wav") == Path("second/sounds/x:y.wav")
    assert TWO.split("b:x:y.wav") == ("b", "x:y.wav")


@pytest.mark.parametrize("roots", [ONE, TWO])
def test_absolute_paths_are_files(roots):
    assert roots.file_of("/elsewhere/a:b.wav") == Path("/elsewhere/a:b.wav")


@pytest.mark.parametrize("source", ["one.wav", "c:one.wav", "a:", ""])
def test_unknown_databases_are_refused(source):
    with pytest.raises(ParameterError, match="one of a:, b:"):
        TWO.file_of(source)


def test_missing_folders(tmp_path):
    assert Roots({"a": tmp_path, "b": tmp_path / "gone"}).missing() == [tmp_path / "gone"]
