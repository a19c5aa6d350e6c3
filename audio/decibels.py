"""Amplitudes in decibels and back."""

import math


def to_decibels(amplitude: float) -> float:
    """dB of an amplitude of at least 0; -inf for 0."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def to_amplitude(decibels: float) -> float:
    """The factor that a gain in dB stands for."""
    return 10 ** (decibels / 20)
