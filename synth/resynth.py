"""Copy synthesis: audio to mel spectrogram and back, to hear a vocoder at its best."""

from pathlib import Path

import numpy as np

from audio.read import read_audio
from audio.resample import resample
from synth.mel import log_mel
from synth.vocoder import Vocoder


def resynthesise(path: Path, vocoder: Vocoder) -> np.ndarray:
    """Analyse an audio file of any rate and synthesise it again, each channel by itself.

    Returns
    -------
    ndarray, float32, shape (n_samples, channels)
        At `vocoder.mel.sample_rate`, as long as the file resampled to it.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    audio = read_audio(path)
    samples = resample(audio.samples, audio.sample_rate, vocoder.mel.sample_rate)
    out = np.empty_like(samples)
    for channel, signal in enumerate(np.ascontiguousarray(samples.T)):
        out[:, channel] = vocoder.synthesise(log_mel(signal, vocoder.mel))[: len(signal)]
    return out
