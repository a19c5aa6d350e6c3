"""Generators against what they must beat."""

import json

import numpy as np
import pytest
import torch

from files.errors import ParameterError
from synth.evaluate_generator import evaluate_generator
from synth.excerpts import open_excerpts
from synth.mel import PRESETS, log_mel
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.synth.music import MEL, Bands, write_music


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    return write_music(
        tmp_path_factory.mktemp("loops") / "loops",
        ["loop_tabla", "loop_garzul", "loop_safari"],
        seconds=19,
    )


@pytest.fixture(scope="module")
def vocoder():
    torch.manual_seed(0)
    return Vocoder(
        "vocos-small", MEL, config={"dim": 8, "intermediate_dim": 16, "n_layers": 1}
    ).eval()


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return write_music(
        tmp_path_factory.mktemp("music") / "music", ["loop_tabla", "loop_garzul"], seconds=41
    )


@pytest.fixture(scope="module")
def generator(music):
    """Untrained: it has the recordings' mean spectrum and spread, and nothing else."""
    torch.manual_seed(0)
    generator = UnaganGenerator(UnaganConfig(width=8), MEL).eval()
    excerpts = open_excerpts(music, MEL, seconds=10, most=4, random_seed=0).one
    mels = torch.from_numpy(
        np.concatenate([log_mel(excerpt.audio, MEL) for excerpt in excerpts], axis=1)
    )
    generator.set_statistics(mels.mean(1), mels.std(1))
    return generator


@pytest.fixture(scope="module")
def report(generator, vocoder, music, tmp_path_factory):
    other = write_music(
        tmp_path_factory.mktemp("other") / "drones",
        ["ambi_glass_hum", "ambi_haunted_hum"],
        seconds=31,
    )
    return evaluate_generator(
        generator,
        vocoder,
        music,
        others={"drones": other},
        minutes=1,
        random_seed=7,
        embedding=Bands(),
    )


def test_every_set_is_compared(report):
    assert list(report.distances) == [
        "generated",
        "recordings, other half",
        "recordings through the vocoder",
        "shuffled frames",
        "white noise",
        "drones",
    ]
    assert (report.clips, report.windows, report.seeds) == (
        4,
        16,
        (7, 8, 9, 10),
    )  # of the 6 asked for, 41 s * 2 give 2 * 4


@pytest.mark.parametrize("name", ["fad", "kad"])
def test_the_other_half_is_nearest_and_noise_is_farthest(report, name):
    values = {of: getattr(found, name).value for of, found in report.distances.items()}
    assert min(values, key=values.get) in (
        "recordings, other half",
        "recordings through the vocoder",
    )
    assert values["recordings, other half"] < 0.5 * values["shuffled frames"]
    assert values["shuffled frames"] < values["white noise"]
    assert values["recordings, other half"] < 0.5 * values["drones"]


def test_music_of_loops_has_a_clearer_pulse_than_that_of_a_generator_that_is_not_trained(report):
    assert list(report.music) == ["recordings", "generated"]
    recorded, generated = report.music.values()
    assert recorded.pulse_clarity.lower > generated.pulse_clarity.upper
    assert recorded.onsets.value > 3


def test_report_as_json(report):
    values = json.loads(json.dumps(report.to_dict()))
    assert values["fad_is_biased"] is True
    assert values["distances"]["white noise"]["tag_kl"]["value"] > 0
    assert values["music"]["generated"]["onsets"]["value"] >= 0
    assert values["seeds"] == [7, 8, 9, 10]
    assert values["diversity"]["spread_ratio"] == pytest.approx(
        report.diversity.spread / report.diversity.recorded_spread
    )


def test_evaluating_again_gives_the_same_whatever_it_is_compared_with(
    report, generator, vocoder, music
):
    again = evaluate_generator(
        generator,
        vocoder,
        music,
        others={"again": music},
        minutes=1,
        random_seed=7,
        embedding=Bands(),
    )
    for name in report.distances.keys() - {"drones"}:
        assert again.distances[name] == report.distances[name]
    assert (again.diversity, again.music, again.clips) == (
        report.diversity,
        report.music,
        report.clips,
    )


def test_names_and_mels_that_clash_raise(generator, vocoder, music):
    with pytest.raises(
        ParameterError, match="white noise: the name of a set that is always evaluated"
    ):
        evaluate_generator(
            generator,
            vocoder,
            music,
            others={"white noise": music},
            minutes=1,
            random_seed=0,
            embedding=Bands(),
        )
    other = UnaganGenerator(UnaganConfig(width=8), PRESETS["hifigan"])
    with pytest.raises(
        ParameterError, match="mel f_max is 8000.0 in the generator and 11025.0 in the vocoder"
    ):
        evaluate_generator(
            other, vocoder, music, others={}, minutes=1, random_seed=0, embedding=Bands()
        )


def test_too_little_to_generate_or_to_compare_with_raises(generator, vocoder, music, loops):
    with pytest.raises(ParameterError, match="minutes=0.5 must be at least 0.67"):
        evaluate_generator(
            generator, vocoder, music, others={}, minutes=0.5, random_seed=0, embedding=Bands()
        )
    with pytest.raises(
        ParameterError, match="loops: its files give 3 clips of 10 s for a set, 4 are needed"
    ):
        evaluate_generator(
            generator,
            vocoder,
            music,
            others={"loops": loops},
            minutes=1,
            random_seed=0,
            embedding=Bands(),
        )
