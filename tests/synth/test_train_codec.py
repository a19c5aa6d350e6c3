"""The losses of a codec's training in closed form."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from synth.train_codec import AUDIBLE_FLOOR, CodecTraining
from tests.synth.toys import MEL

TRAINING = SimpleNamespace(model=SimpleNamespace(mel=MEL))


def level_distance(made, mel):
    return float(CodecTraining._level_distance(TRAINING, made, mel))


def test_level_distance_is_of_the_power_of_frames():
    mel = torch.full((2, MEL.n_mels, 5), -3.0)
    mel[:, 3] = 0.0
    assert level_distance(mel, mel) == 0
    assert level_distance(mel + np.log(2), mel) == pytest.approx(np.log(2) * MEL.nepers, rel=1e-5)
    # the same power in another band
    assert level_distance(mel.roll(5, dims=1), mel) == pytest.approx(0, abs=1e-6)


def test_peaks_count_and_valleys_hardly():
    mel = torch.full((1, MEL.n_mels, 5), -5.0)
    mel[:, 3] = 0.0
    lower_peak = mel.clone()
    lower_peak[:, 3] -= 1
    filled_valley = mel.clone()
    filled_valley[:, 7] += 1
    assert level_distance(lower_peak, mel) > 20 * level_distance(filled_valley, mel)


def test_what_is_below_the_floor_is_not_heard():
    silence = torch.full((1, MEL.n_mels, 5), float(np.log(AUDIBLE_FLOOR)) / MEL.nepers - 1)
    assert level_distance(silence - 3, silence) == 0
