"""Amplitudes in decibels and back."""

import math


def to_decibels(amplitude: float) -> float:
    """Return an amplitude of at least 0 in dB; -inf for 0."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def to_amplitude(decibels: float) -> float:
    """Return the factor that a gain in dB stands for."""
    return 10 ** (decibels / 20)
