import os

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.maintain import remove_sources
from db.tags import tag_sources
from files.errors import ParameterError


@pytest.fixture
def built(tmp_path, tabla):
    (tmp_path / "c" / "drums").mkdir(parents=True)
    for i, name in enumerate(("a.wav", "drums/b.wav", "drums/c.wav")):
        sf.write(tmp_path / "c" / name, tabla[i * 5000 : 20000 + i * 5000], 44100)
    build_database(tmp_path / "c", tmp_path / "db")
    return tmp_path


def test_tags_are_given_and_taken(built):
    assert Database(built / "db").tags == {}
    assert tag_sources(built / "db", "drums/*", ["loud", "old"]) == ["drums/b.wav", "drums/c.wav"]
    tag_sources(built / "db", "*", ["loud"])
    tag_sources(built / "db", "drums/c*", ["loud"], remove=True)
    assert Database(built / "db").tags == {
        "a.wav": {"loud"},
        "drums/b.wav": {"loud", "old"},
        "drums/c.wav": {"old"},
    }


def test_tags_stay_when_a_source_is_renamed_or_analysed_again_and_go_with_it(built, tabla):
    tag_sources(built / "db", "*", ["kept"])
    os.rename(built / "c" / "a.wav", built / "c" / "z.wav")
    sf.write(built / "c" / "drums" / "b.wav", tabla[30000:50000], 44100)
    report = build_database(built / "c", built / "db")
    assert report.renamed == [("a.wav", "z.wav")]
    assert report.changed == ["drums/b.wav"]
    assert Database(built / "db").tags == {
        name: {"kept"} for name in ("z.wav", "drums/b.wav", "drums/c.wav")
    }
    remove_sources(built / "db", ["z.wav"])
    assert "z.wav" not in Database(built / "db").tags


def test_what_cannot_be_tagged_is_refused_and_nothing_changed(built):
    with pytest.raises(ParameterError, match=r"'x\*' matches none of the 3 sources"):
        tag_sources(built / "db", "x*", ["loud"])
    for tag in ("two words", "", "a,b", "x*"):
        with pytest.raises(
            ParameterError, match=f"tag '{tag}' must be one word".replace("*", r"\*")
        ):
            tag_sources(built / "db", "*", ["fine", tag])
    assert Database(built / "db").tags == {}


def test_a_name_with_brackets_means_itself_before_it_is_a_pattern(built, tabla):
    for name in ("loop [12].wav", "loop 1.wav", "loop 2.wav"):
        sf.write(built / "c" / name, np.roll(tabla, ord(name[-5])), 44100)
    build_database(built / "c", built / "db")
    assert tag_sources(built / "db", "loop [12].wav", ["x"]) == ["loop [12].wav"]
    assert tag_sources(built / "db", "loop [12]*", ["x"]) == ["loop 1.wav", "loop 2.wav"]
    assert remove_sources(built / "db", ["loop [12].wav"]) == ["loop [12].wav"]
    assert tag_sources(built / "db", "loop [12].wav", ["x"]) == ["loop 1.wav", "loop 2.wav"]
