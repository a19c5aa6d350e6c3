"""Scenes in a file."""

import pytest

from demiurge.live.knobs import Knobs
from demiurge.live.scenes import load_scenes, save_scenes
from files.errors import ParameterError
from query.filters import Filters, parse_condition

SCENES = {
    0: Knobs(),
    7: Knobs(
        mode="free",
        level=-6.0,
        voices=2,
        freeze=True,
        filters=Filters(sources=("*piano*",), where=(parse_condition("centroid>2000"),)),
        weights={"mfcc0": 0.5},
        pitch_classes=frozenset({0, 7}),
    ),
}


def test_saved_and_loaded_scenes_are_the_same(tmp_path):
    path = tmp_path / "scenes.json"
    save_scenes(SCENES, path)
    assert load_scenes(path) == SCENES
    save_scenes({1: Knobs()}, path)
    assert load_scenes(path) == {1: Knobs()}
    assert [one.name for one in tmp_path.iterdir()] == ["scenes.json"]


def test_a_file_that_does_not_exist_yet_has_no_scenes(tmp_path):
    assert load_scenes(tmp_path / "scenes.json") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it ends too early"),
        ("[]", "must be an object"),
        ('{"version": 2, "scenes": {}}', "version"),
        ('{"version": 1}', "scenes"),
        ('{"version": 1, "scenes": {"01": {}}}', "scene '01' must have a number from 0 to 127"),
        ('{"version": 1, "scenes": {"128": {}}}', "scene '128' must have a number from 0 to 127"),
        ('{"version": 1, "scenes": {"1": {"level": 99}}}', "scene 1: level=99 must be a number"),
        ('{"version": 1, "scenes": {"1": {"level": 1e999}}}', "finite number|out of range"),
        ('{"version": 1, "scenes": {"1": {"level": ' + "9" * 400 + "}}}", "level=an integer of"),
        ('{"version": 1, "scenes": {"1": {"lvel": 1}}}', "scene 1: knobs=.* must be an object"),
        ('{"version": 1, "scenes": {"1": {"weights": {"a": -1}}}}', "weight of a=-1 must be"),
        ('{"version": 1, "scenes": {"1": {"mode": []}}}', r"mode=\[\] must be one of"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, text, message):
    path = tmp_path / "scenes.json"
    path.write_text(text)
    with pytest.raises(ParameterError, match=f"scenes.json: .*({message}).*correct it or remove"):
        load_scenes(path)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(ParameterError, match="cannot be written"):
        save_scenes(SCENES, tmp_path / "missing" / "scenes.json")
