"""Excerpts of a folder in two sets, and their distance."""

import numpy as np
import pytest
import soundfile as sf

from files.errors import ParameterError
from synth.audio_distance import audio_distances, embed_clips
from synth.excerpts import open_excerpts
from tests.synth.music import MEL, RATE, Bands, write_music


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    return write_music(
        tmp_path_factory.mktemp("loops") / "loops",
        ["loop_tabla", "loop_garzul", "loop_safari"],
        seconds=19,
    )


def test_each_file_gives_both_sets_a_span_before_any_gives_more(loops):
    one, other, _ = open_excerpts(loops, MEL, seconds=3, most=6, random_seed=0)
    for part in (one[:3], one[3:], other[:3], other[3:]):
        assert len({excerpt.name for excerpt in part}) == 3
    assert len({(excerpt.name, excerpt.start_seconds) for excerpt in one + other}) == 12
    assert {len(excerpt.audio) for excerpt in one + other} == {258 * 256}


def test_excerpts_are_where_they_say(tmp_path):
    ramp = np.arange(RATE * 20, dtype=np.float32) / (RATE * 20)
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "ramp.wav", ramp, RATE, subtype="FLOAT")
    one, other, _ = open_excerpts(tmp_path / "in", MEL, seconds=4.9, most=9, random_seed=3)
    assert len(one) == len(other) == 2
    for excerpt in one + other:
        start = round(excerpt.start_seconds * RATE)
        np.testing.assert_array_equal(excerpt.audio, ramp[start : start + len(excerpt.audio)])


def test_excerpts_of_a_seed_are_the_same_and_of_another_are_not(loops):
    first, again, other = (
        [e.start_seconds for e in open_excerpts(loops, MEL, seconds=2, most=9, random_seed=s)[0]]
        for s in (0, 0, 1)
    )
    assert first == again != other


def test_fewer_excerpts_than_wanted_are_all_there_are_and_silence_is_passed_over(tmp_path):
    (tmp_path / "in").mkdir()
    audio = np.concatenate([np.zeros(10 * RATE), 0.1 * np.ones(10 * RATE)])
    sf.write(tmp_path / "in" / "half.wav", audio, RATE)
    one, other, _ = open_excerpts(tmp_path / "in", MEL, seconds=2, most=99, random_seed=0)
    assert sorted(round(excerpt.start_seconds) for excerpt in one + other) == [10, 12, 14, 16, 18]
    assert len(one) == 3


def test_recordings_too_short_for_excerpts_raise(corpus):
    with pytest.raises(ParameterError, match="not two excerpts of 6 s .* give longer files"):
        open_excerpts(corpus, MEL, seconds=6, most=4, random_seed=0)


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_seed_that_is_no_natural_number_raises(loops, seed):
    with pytest.raises(ParameterError, match=f"random_seed={seed} must be an integer"):
        open_excerpts(loops, MEL, seconds=6, most=4, random_seed=seed)


def test_distance_of_a_set_to_itself_is_0_and_noise_is_farther_than_the_other_half(loops):
    halves = open_excerpts(loops, MEL, seconds=4, most=6, random_seed=0)[:2]
    noise = np.random.default_rng(0).standard_normal((6, 4 * RATE), np.float32) * 0.1
    one, other = (
        embed_clips((excerpt.audio for excerpt in half), RATE, Bands()) for half in halves
    )
    far = embed_clips(noise, RATE, Bands())
    assert one.shape == (6, 1, 20)
    own, of_other, of_noise = (
        audio_distances(one, clips, Bands()).fad.value for clips in (one, other, far)
    )
    assert own == pytest.approx(0, abs=1e-6)
    assert of_other < 0.2 * of_noise
