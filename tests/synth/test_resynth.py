"""Copy synthesis."""

import numpy as np
import pytest
import soundfile as sf
import torch

from audio.read import read_mono
from audio.resample import resample, resampled_length
from demiurge.bundled import CORPUS_DIR
from files.errors import AudioError
from synth.mel import MelSettings, log_mel
from synth.resynth import resynthesise
from synth.vocoder import Vocoder

MEL = MelSettings()
RATE = MEL.sample_rate
TINY = {"dim": 16, "intermediate_dim": 32, "n_layers": 2, "refinements": 1}


def recording(name, rate=RATE):
    audio, info = read_mono(CORPUS_DIR / name)
    return resample(audio, info.sample_rate, rate)


def tiny_vocoder(random_seed=0, mel=MEL):
    with torch.random.fork_rng():
        torch.manual_seed(random_seed)
        return Vocoder("vocos-small", mel, config=TINY).eval()


@pytest.fixture(scope="module")
def vocoder():
    return tiny_vocoder()


@pytest.mark.parametrize(("rate", "channels"), [(44100, 1), (44100, 2), (16000, 2), (22050, 3)])
def test_copy_synthesis_keeps_length_and_channels_apart(rate, channels, vocoder, tmp_path):
    audio = recording("loop_amen.ogg", rate)[: rate - 77]
    signals = np.stack([audio * np.float32(0.5**c) for c in range(channels)], axis=1)
    sf.write(tmp_path / "all.wav", signals, rate, subtype="FLOAT")
    out = resynthesise(tmp_path / "all.wav", vocoder)
    assert out.shape == (resampled_length(len(audio), rate, RATE), channels)
    assert out.dtype == np.float32
    sf.write(tmp_path / "last.wav", signals[:, -1], rate, subtype="FLOAT")
    np.testing.assert_allclose(
        out[:, -1:], resynthesise(tmp_path / "last.wav", vocoder), rtol=0, atol=1e-5
    )


def test_copy_synthesis_has_the_spectrogram_it_was_made_from(tmp_path):
    sf.write(tmp_path / "a.wav", audio := recording("loop_amen.ogg"), RATE, subtype="FLOAT")
    refined = Vocoder("vocos-small", MEL, config={**TINY, "refinements": 8})
    other = log_mel(resynthesise(tmp_path / "a.wav", refined)[:, 0], MEL)
    target = log_mel(audio, MEL)
    assert np.abs(other - target).mean() < 0.3 * np.abs(np.roll(target, 20, axis=1) - target).mean()


def test_copy_synthesis_of_five_samples(vocoder, tmp_path):
    sf.write(tmp_path / "short.wav", np.full(5, 0.5), RATE)
    assert resynthesise(tmp_path / "short.wav", vocoder).shape == (5, 1)


def test_copy_synthesis_of_no_audio_raises(vocoder, tmp_path):
    (tmp_path / "text.wav").write_text("not audio")
    with pytest.raises(AudioError, match=r"text.wav: not readable as audio"):
        resynthesise(tmp_path / "text.wav", vocoder)


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM"])
def test_copy_synthesis_of_an_encoding_that_cannot_seek(subtype, vocoder, tmp_path):
    audio = recording("loop_amen.ogg", 8000)[:8000]
    sf.write(tmp_path / "voice.wav", audio, 8000, subtype=subtype)
    n_samples = len(read_mono(tmp_path / "voice.wav")[0])
    out = resynthesise(tmp_path / "voice.wav", vocoder)
    assert len(out) == resampled_length(n_samples, 8000, RATE)
