"""Vocoders against Griffin-Lim."""

import json

import pytest
import torch

from files.errors import ParameterError
from synth.evaluate_vocoder import GRIFFIN_LIM, OTHER_HALF, VocoderScore, evaluate_vocoders
from synth.excerpts import open_excerpts
from synth.mel import PRESETS, log_mel
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
def scored(loops, vocoder, tmp_path_factory):
    picture = tmp_path_factory.mktemp("picture") / "mels.png"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synth.evaluate_vocoder.ITERATIONS", 10)
        report = evaluate_vocoders(
            {"toy": vocoder}, loops, seconds=12, random_seed=0, embedding=Bands(), picture=picture
        )
    assert report.left_out == {}
    return report.scores, picture


def test_one_row_for_each_vocoder_griffin_lim_and_the_other_half(scored):
    scores, _ = scored
    assert [score.name for score in scores] == ["toy", GRIFFIN_LIM, OTHER_HALF]
    assert all(score.windows == 4 and score.fad_is_biased for score in scores)
    assert all(score.real_time > 0 for score in scores[:2])
    assert scores[2] == VocoderScore(OTHER_HALF, None, None, scores[2].distances, 4, None)


def test_griffin_lim_is_near_the_recordings_and_nearer_than_the_other_half(scored):
    _, griffin_lim, other_half = scored[0]
    assert griffin_lim.mel_l1 < 0.2
    assert 0 < griffin_lim.distances.fad.value < other_half.distances.fad.value
    assert abs(griffin_lim.distances.kad.value) < 1
    assert griffin_lim.distances.tag_kl.value < other_half.distances.tag_kl.value


def test_picture_shows_three_spectrograms(scored):
    from matplotlib.image import imread

    height, width, _ = imread(scored[1]).shape
    assert (height, width) == (660, 1000)


def test_row_as_json(scored):
    row = json.loads(json.dumps(scored[0][2].to_dict()))
    assert row["mel_l1"] is None
    assert row["fad_is_biased"] is True
    assert row["distances"]["kad"]["lower"] <= row["distances"]["kad"]["upper"]


def test_without_an_embedding_there_are_no_distances_and_the_rest_is_the_same(
    loops, vocoder, scored, monkeypatch
):
    monkeypatch.setattr("synth.evaluate_vocoder.ITERATIONS", 1)
    scores = evaluate_vocoders(
        {"toy": vocoder}, loops, seconds=12, random_seed=0, embedding=None
    ).scores
    assert [score.name for score in scores] == ["toy", GRIFFIN_LIM]
    assert all(score.distances is None and score.windows is None for score in scores)
    assert not any(score.fad_is_biased for score in scores)
    assert (scores[0].mel_l1, scores[0].stft) == (scored[0][0].mel_l1, scored[0][0].stft)


class Perfect:
    """Gives back the recordings whose spectrograms it is shown."""

    def __init__(self, folder, mel, **choice):
        self.mel = mel
        one, other, _ = open_excerpts(folder, mel, **choice)
        self.known = {log_mel(e.audio, mel).tobytes(): e.audio for e in one + other}

    def synthesise(self, mel):
        return self.known[mel.tobytes()]


def test_perfect_vocoder_scores_0(loops, monkeypatch):
    monkeypatch.setattr("synth.evaluate_vocoder.ITERATIONS", 1)
    perfect = Perfect(loops, MEL, seconds=6, most=2, random_seed=5)
    score = evaluate_vocoders(
        {"perfect": perfect}, loops, seconds=12, random_seed=5, embedding=Bands()
    ).scores[0]
    assert (score.mel_l1, score.stft) == (0, 0)
    for estimate in vars(score.distances).values():
        assert estimate.value == pytest.approx(0, abs=1e-6)


def test_vocoders_of_two_rates_are_scored_on_the_same_samples_at_the_higher_one(loops, monkeypatch):
    monkeypatch.setattr("synth.evaluate_vocoder.ITERATIONS", 1)
    low = Vocoder(
        "vocos-small", MEL, config={"dim": 8, "intermediate_dim": 16, "n_layers": 1}
    ).eval()
    perfect = Perfect(loops, PRESETS["44k"], seconds=6, most=1, random_seed=0)
    scores = evaluate_vocoders(
        {"low": low, "perfect": perfect}, loops, seconds=6, random_seed=0, embedding=None
    ).scores
    assert scores[1].mel_l1 == 0
    assert scores[0].mel_l1 > 0.5  # nothing above 11 kHz


@pytest.mark.parametrize("seconds", [5.9, float("nan"), float("inf")])
def test_seconds_shorter_than_an_excerpt_raise(loops, vocoder, seconds):
    with pytest.raises(ParameterError, match=f"seconds={seconds} must be at least 6"):
        evaluate_vocoders({"toy": vocoder}, loops, seconds=seconds, random_seed=0, embedding=None)


def test_no_vocoder_raises(loops):
    with pytest.raises(ParameterError, match="no vocoder to evaluate; give at least one"):
        evaluate_vocoders({}, loops, seconds=6, random_seed=0, embedding=None)
