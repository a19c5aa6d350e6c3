"""The inverse STFT and the refinement of waveforms."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from synth.istft import InverseSTFT, spread_of_bands
from synth.mel import LogMel, log_mel
from synth.refinement import TRAINING_STEPS, MelRefinement
from tests.synth.toys import MEL


@pytest.fixture(scope="module")
def music():
    """Ten seconds of a guitar at 8 kHz."""
    audio, info = read_mono(CORPUS_DIR / "guit_em9.ogg")
    return resample(audio, info.sample_rate, MEL.sample_rate)


@pytest.fixture(scope="module")
def music_mel(music):
    return log_mel(music, MEL)


@pytest.mark.parametrize(("n_fft", "hop"), [(256, 64), (256, 128), (1024, 256), (250, 90)])
def test_inverse_stft_inverts_the_front_end(n_fft, hop, music):
    settings = replace(MEL, n_fft=n_fft, hop_length=hop)
    front_end = LogMel(settings)
    audio = torch.from_numpy(music[: 40 * hop])[None]
    again = InverseSTFT(n_fft, hop)(front_end.spectrum(front_end.pad(audio)))
    torch.testing.assert_close(again, audio, atol=1e-5, rtol=0)


def test_inverse_stft_without_overlap_is_refused():
    with pytest.raises(ParameterError, match="hop_length=256 must be less than n_fft=256"):
        InverseSTFT(256, 256)


def test_bands_are_spread_over_their_bins():
    filters = LogMel(MEL).filters
    shares = spread_of_bands(filters)
    assert shares.shape == (129, 20)
    inside = filters.sum(0) > 0
    torch.testing.assert_close(shares.sum(1), inside.float())


def test_refinement_lowers_the_mel_error_with_every_step(music, music_mel, monkeypatch):
    rng = np.random.default_rng(0)
    target = torch.from_numpy(music_mel[None, :, 100:400])
    rough = music[6400 : 6400 + 300 * 64] + rng.normal(0, 0.02, 300 * 64)
    rough = torch.from_numpy(rough.astype(np.float32))[None]
    front_end = LogMel(MEL)
    errors = []
    for n_steps in range(4):
        refined = MelRefinement(MEL, n_steps)(rough, target)
        errors.append(float((front_end(refined) - target).abs().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < 0.2 * errors[0]
    with_momentum = MelRefinement(MEL, 12)(rough, target)
    monkeypatch.setattr("synth.refinement.MOMENTUM", 0.0)
    plain = MelRefinement(MEL, 12)(rough, target)
    error = (front_end(plain) - target).abs().mean()
    assert (front_end(with_momentum) - target).abs().mean() < 0.85 * error


def test_refinement_leaves_what_is_right_as_it_is_and_passes_gradients(music):
    audio = torch.from_numpy(music[: 100 * 64])[None].requires_grad_()
    refined = MelRefinement(MEL, 2)(audio, LogMel(MEL)(audio.detach()))
    torch.testing.assert_close(refined[:, 512:-512], audio[:, 512:-512], atol=2e-3, rtol=0)
    refined.square().sum().backward()
    assert audio.grad.isfinite().all()
    assert audio.grad.abs().sum() > 0


def test_training_goes_through_fewer_steps_and_use_through_all(music_mel, music):
    audio = torch.from_numpy(music[: 100 * 64] + 0.01).float()[None]
    target = torch.from_numpy(music_mel[None, :, :100])
    many = MelRefinement(MEL, TRAINING_STEPS + 3)
    few = MelRefinement(MEL, TRAINING_STEPS).eval()
    torch.testing.assert_close(many.train()(audio, target), few(audio, target))
    assert not torch.allclose(many.eval()(audio, target), few(audio, target))
