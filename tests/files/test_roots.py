"""Roots: which file a source is."""

from pathlib import Path

import pytest

from files.errors import ParameterError
from files.roots import Roots, split_named

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


def test_folders_that_have_moved_are_named():
    moved = TWO.moved({"b": Path("third")})
    assert moved.file_of("b:x.wav") == Path("third/x.wav")
    assert moved.file_of("a:x.wav") == Path("first/x.wav")
    assert ONE.moved(Path("new")).file_of("x.wav") == Path("new/x.wav")
    assert TWO.moved(None) is TWO


@pytest.mark.parametrize(
    ("roots", "to", "message"),
    [
        (TWO, Path("new"), "say which has moved: NAME=new"),
        (TWO, {"c": Path("new")}, "the databases are a, b; name one"),
        (ONE, {"a": Path("new")}, "there is one database; give new alone"),
    ],
)
def test_folders_of_other_databases_have_not_moved(roots, to, message):
    with pytest.raises(ParameterError, match=message):
        roots.moved(to)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("drums=x/drums.db", ("drums", "x/drums.db")),
        ("x/drums.db", ("", "x/drums.db")),
        ("runs/lr=1.db", ("", "runs/lr=1.db")),
        ("s3://bucket/a=b", ("", "s3://bucket/a=b")),
        ("there=1.db", ("", "there=1.db")),
        ("=x.db", ("", "=x.db")),
        ("drums=", ("", "drums=")),
    ],
)
def test_names_before_paths(tmp_path, monkeypatch, text, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there=1.db").mkdir()
    assert split_named(text) == expected
