"""Gaps in loops, filled by what is known to be right or wrong."""

import json

import numpy as np
import pytest
import torch

from files.errors import ParameterError
from synth.evaluate_infilling import COPIED, FILLED, RECORDED, evaluate_infilling, filling
from synth.excerpts import open_excerpts
from synth.flow import FlowConfig
from synth.flow_generator import FlowGenerator
from synth.mel import log_mel
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from tests.synth.music import MEL, write_music

HOP = MEL.hop_length


class Frames:
    """Writes the frames of a mel as they are, one a hop, and reads means and spreads of them."""

    mel = MEL

    def synthesise(self, mel):
        return np.pad(mel.T, ((0, 0), (0, HOP - MEL.n_mels))).reshape(-1)

    def embed(self, audio, sample_rate):
        frames = audio.reshape(-1, HOP)[:, : MEL.n_mels]
        return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])[None]

    def tags(self, embeddings):
        return np.exp(embeddings)


class Knowing:
    """Fills gaps with what was there, found by what is given."""

    def __init__(self, folder):
        one, other, _ = open_excerpts(folder, MEL, seconds=9, most=6, random_seed=0)
        self.mels = [log_mel(excerpt.audio, MEL) for excerpt in one + other]

    def __call__(self, mel, given, seed):
        assert (mel[:, ~given] == np.float32(MEL.silence)).all()
        assert (~given).sum() == 86
        fits = [np.array_equal(one[:, given], mel[:, given]) for one in self.mels]
        return self.mels[fits.index(True)]


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return write_music(
        tmp_path_factory.mktemp("music") / "music", ["loop_tabla", "loop_garzul"], seconds=46
    )


def evaluate(fill, audio, copy_from=None, spans=8):
    return evaluate_infilling(
        fill,
        Frames(),
        audio,
        copy_from=copy_from,
        spans=spans,
        random_seed=0,
        embedding=Frames(),
    )


def test_what_was_there_scores_as_the_recording(music):
    report = evaluate(Knowing(music), music)
    assert report.spans == 8
    assert list(report.scores) == [RECORDED, FILLED, COPIED]
    assert report.scores[FILLED] == report.scores[RECORDED]
    assert report.scores[RECORDED].kad.value == pytest.approx(0, abs=1e-6)
    assert report.scores[COPIED].kad.value > 1
    assert json.loads(json.dumps(report.to_dict()))["scores"][COPIED]["kad"]["value"] > 1


def test_silence_has_steps_and_is_farther_than_copying(music):
    scores = evaluate(lambda mel, given, seed: mel, music).scores
    for name in ("mel_step", "embedding_step", "kad"):
        recorded, filled, copied = (getattr(score, name).value for score in scores.values())
        assert filled > copied
        assert filled > 2 * recorded


def test_passages_are_copied_from_another_folder_if_asked(music, tmp_path):
    quiet = write_music(tmp_path / "quiet", ["ambi_haunted_hum"], seconds=10)
    other = evaluate(Knowing(music), music, copy_from=quiet).scores
    own = evaluate(Knowing(music), music).scores
    assert other[FILLED] == own[FILLED]
    assert other[COPIED].kad.value > own[COPIED].kad.value


def test_span_number_gives_the_seed_and_what_is_given_stays(music):
    seeds = []

    def fill(mel, given, seed):
        seeds.append(seed)
        return np.zeros_like(mel)

    report = evaluate(fill, music, spans=5)
    assert seeds == [0, 1, 2, 3, 4]
    assert report.spans == 5
    assert report.scores[FILLED].mel_step.value > 1  # nepers, from the recording to zeros


def test_a_flow_fills_spans_and_a_unagan_cannot():
    torch.manual_seed(0)
    flow = FlowGenerator(FlowConfig(width=64, layers=1), MEL, window_frames=64).eval()
    torch.nn.init.normal_(flow.network.out.weight)
    flow.set_statistics(torch.full((80,), -4.0), torch.full((80,), 2.0))
    fill = filling(flow, "my.flow")
    mel = np.full((80, 60), -4, np.float32)
    given = np.arange(60) < 40
    made = fill(mel, given, 3)
    assert made.shape == mel.shape
    np.testing.assert_array_equal(made[:, given], mel[:, given])
    assert made[:, ~given].std() > 0.1
    np.testing.assert_array_equal(fill(mel, given, 3), made)
    assert not np.array_equal(fill(mel, given, 4), made)
    with pytest.raises(ParameterError, match="my.unagan is a generator of the architecture unagan"):
        filling(UnaganGenerator(UnaganConfig(width=8), MEL), "my.unagan")


def test_too_little_audio_raises(music, tmp_path):
    short = write_music(tmp_path / "short", ["loop_tabla"], seconds=19)
    with pytest.raises(ParameterError, match=r"short: 2 excerpts of 9 s, 4 are needed"):
        evaluate(Knowing(music), short)
    one = write_music(tmp_path / "one", ["loop_tabla"], seconds=46)
    with pytest.raises(ParameterError, match=r"one: no other file of at least 3 s to copy"):
        evaluate(lambda mel, given, seed: mel, one)
