"""Distances of synthesised audio from its original, aligned in time."""

from dataclasses import replace

import numpy as np
import torch

from files.errors import ParameterError
from synth.losses import MultiResolutionSTFT
from synth.mel import MelSettings, log_mel


def mel_l1(reference: np.ndarray, other: np.ndarray, settings: MelSettings) -> float:
    """Return the mean absolute difference of the log-mel spectrograms, in nepers (8.7 dB).

    Parameters
    ----------
    reference, other : ndarray, float32, shape (n_samples,), at the rate of `settings`
        Equally long and aligned.

    Raises
    ------
    ParameterError
        If they differ in length, are empty, are not mono or hold NaN or infinite values.
    """
    natural = replace(settings, log="ln")
    _check_pair(reference, other)
    return float(np.abs(log_mel(reference, natural) - log_mel(other, natural)).mean())


def multi_resolution_stft(reference: np.ndarray, other: np.ndarray) -> float:
    """Return spectral convergence plus log magnitude distance, the mean of three resolutions.

    arXiv 1910.11480, eq. 6. Parameters and errors as for `mel_l1`, and at least 1025 samples. Not
    symmetric: the convergence is relative to the reference.
    """
    _check_pair(reference, other)
    fake = torch.from_numpy(other)[None, None]
    real = torch.from_numpy(reference)[None, None]
    return float(MultiResolutionSTFT()(fake, real))


def _check_pair(reference: np.ndarray, other: np.ndarray) -> None:
    if reference.ndim != 1 or not len(reference) or other.shape != reference.shape:
        raise ParameterError(
            f"audio of shapes {reference.shape} and {other.shape} must be mono, equally long and"
            " not empty; trim the longer one"
        )
    if not (np.isfinite(reference).all() and np.isfinite(other).all()):
        raise ParameterError("audio to compare holds NaN or infinite samples; repair it first")
