"""Log-mel spectrogram to waveform without a network: the baseline that every vocoder must beat.

Fast Griffin-Lim (Perraudin, Balazs and Søndergaard, WASPAA 2013): the phases of an STFT with given
magnitudes are found by projecting in turn onto the STFTs of signals and onto the spectra with these
magnitudes, with momentum.
"""

import math

import numpy as np
import torch
from torch import Tensor

from files.errors import ParameterError
from synth.istft import InverseSTFT, spread_of_bands
from synth.mel import LogMel, MelSettings

MOMENTUM = 0.99  # the best of the paper's, and librosa's
MAGNITUDE_ITERATIONS = 30  # 100 gave the same results
TINY = 1e-12  # avoids a division by 0 in empty bands


def griffin_lim(
    log_mel: np.ndarray, settings: MelSettings, *, iterations: int = 60, random_seed: int = 0
) -> np.ndarray:
    """Synthesise a waveform whose `LogMel` is near `log_mel`, frame for frame.

    Parameters
    ----------
    log_mel : ndarray, shape (n_mels, frames)
        In the log of `settings`.
    settings : MelSettings
    iterations : int > 0
    random_seed : int
        Of the initial phases.

    Returns
    -------
    ndarray, float32, shape (frames * hop_length,)

    Raises
    ------
    ParameterError
        If the shape does not fit the settings, there are too few frames, or values are NaN or
        infinite.
    """
    _check(log_mel, settings, iterations)
    front_end = LogMel(settings)
    inverse = InverseSTFT(settings.n_fft, settings.hop_length)
    magnitudes = _magnitudes(log_mel, front_end)[None]
    rng = torch.Generator().manual_seed(random_seed)
    phases = torch.rand(magnitudes.shape, generator=rng) * 2 * math.pi
    spectrum = torch.polar(magnitudes, phases)
    previous = torch.zeros_like(spectrum)
    for _ in range(iterations):
        consistent = front_end.spectrum(front_end.pad(inverse(spectrum)))
        ahead = consistent + MOMENTUM * (consistent - previous)
        spectrum = magnitudes * ahead.sgn()
        previous = consistent
    return inverse(spectrum)[0].numpy()


def _check(log_mel: np.ndarray, settings: MelSettings, iterations: int) -> None:
    if log_mel.ndim != 2 or len(log_mel) != settings.n_mels:
        raise ParameterError(
            f"log-mel of shape {log_mel.shape} must be ({settings.n_mels}, frames), as its"
            " settings say"
        )
    fewest = (settings.n_fft - settings.hop_length) // 2 // settings.hop_length + 1
    if log_mel.shape[1] < fewest:
        raise ParameterError(
            f"{log_mel.shape[1]} frames are too few for a waveform; at least {fewest} are needed"
        )
    if not np.isfinite(log_mel).all():
        raise ParameterError(
            "the log-mel holds NaN or infinite values; make it again from finite audio"
        )
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
        raise ParameterError(f"iterations={iterations!r} must be a positive integer")


def _magnitudes(log_mel: np.ndarray, front_end: LogMel) -> Tensor:
    """Return non-negative STFT magnitudes (n_bins, frames) with the nearest mel bands.

    They are found by the multiplicative updates of Lee and Seung (NIPS 2000, eq. 5) for the
    divergence, which weighs ratios. Least squares, as in librosa, neglects the quiet bands: on real
    music the error of the synthesised log-mel was up to twice as large.
    """
    mel = front_end.expand(torch.from_numpy(log_mel.astype(np.float32)))
    bands = front_end.filters
    spread = spread_of_bands(front_end.filters)
    magnitudes = spread @ (mel / bands.sum(dim=1, keepdim=True).clamp_min(TINY))
    for _ in range(MAGNITUDE_ITERATIONS):
        magnitudes = magnitudes * (spread @ (mel / (bands @ magnitudes).clamp_min(TINY)))
    return magnitudes
