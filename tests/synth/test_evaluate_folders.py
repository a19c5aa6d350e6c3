"""Folders of audio against one of them."""

import json

import pytest

from files.errors import ParameterError
from synth.evaluate_folders import evaluate_folders
from tests.synth.music import Bands, write_music


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folders")
    write_music(folder / "loops", ["loop_tabla", "loop_garzul"], seconds=41)
    write_music(folder / "quiet", ["loop_tabla", "loop_garzul"], seconds=31, gain=0.1)
    write_music(folder / "drones", ["ambi_glass_hum", "ambi_haunted_hum"], seconds=31)
    return folder


def compare(folders, *names, minutes=1):
    reference, *others = (folders / name for name in names)
    return evaluate_folders(reference, others, minutes=minutes, random_seed=0, embedding=Bands())


def test_the_other_half_is_nearer_than_the_same_music_quieter_and_other_music(folders):
    report = compare(folders, "loops", "quiet", "drones")
    names = [f"{folders / 'loops'}, other half", str(folders / "quiet"), str(folders / "drones")]
    assert list(report.distances) == names
    fad = [report.distances[name].fad.value for name in names]
    assert fad == sorted(fad)
    half, _, drones = report.distances.values()
    assert drones.kad.lower > 100 > abs(half.kad.value)
    assert drones.tag_kl.lower > half.tag_kl.upper
    assert (report.clips, report.windows, report.left_out) == (4, 16, {})
    values = json.loads(json.dumps(report.to_dict()))
    assert values["distances"][names[1]]["fad"]["value"] == fad[1]
    assert values["fad_is_biased"] is True


def test_a_folder_does_not_depend_on_the_others(folders):
    alone = compare(folders, "loops", "drones").distances
    both = compare(folders, "loops", "quiet", "drones").distances
    assert alone[str(folders / "drones")] == both[str(folders / "drones")]


def test_folders_given_twice_or_with_too_little_audio_raise(folders, tmp_path):
    with pytest.raises(ParameterError, match="drones: given twice; give each folder once"):
        compare(folders, "loops", "drones", "drones")
    with pytest.raises(ParameterError, match="loops: given twice"):
        compare(folders, "loops", "loops")
    with pytest.raises(ParameterError, match=r"drones: its files give 3 clips of 10 s for a set"):
        compare(folders, "drones", "loops")
    with pytest.raises(ParameterError, match="minutes=0.1 must be at least 0.67"):
        compare(folders, "loops", "drones", minutes=0.1)
