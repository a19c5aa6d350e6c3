"""Copy synthesis: audio through a vocoder or a codec and back, to hear how good it can be."""

from pathlib import Path

import numpy as np

from audio.read import read_audio
from audio.resample import resample
from synth.codec import Codec
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


def resynthesise_by_codec(path: Path, codec: Codec, n_codebooks: int | None = None) -> np.ndarray:
    """Encode an audio file of any rate and decode it again.

    A codec of one channel codes each channel by itself; one of several takes as many, or mono.

    Parameters
    ----------
    n_codebooks : int, optional
        Codebooks that code it. None: the latents are decoded as they are.

    Returns
    -------
    ndarray, float32, shape (n_samples, channels)
        At `codec.sample_rate`, as long as the file resampled to it.

    Raises
    ------
    AudioError
        If the file cannot be read, or has channels that the codec does not take.
    ParameterError
        If the codec has fewer codebooks.
    """
    audio = read_audio(path)
    samples = resample(audio.samples, audio.sample_rate, codec.sample_rate)
    signals = [*samples.T] if codec.channels == 1 else [samples.T]
    made = []
    for signal in signals:
        frames = codec.encode(signal, n_codebooks) if n_codebooks else codec.latents(signal)
        made.append(codec.decode(frames, n_samples=len(samples)))
    return np.concatenate(made).T
