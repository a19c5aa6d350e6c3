"""Convert amplitudes to decibels and back."""

import math


def to_decibels(amplitude: float) -> float:
    """Convert an amplitude, 0 or more, to dB; 0 gives -inf."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def to_amplitude(decibels: float) -> float:
    """Convert a gain in dB to an amplitude factor."""
    return 10 ** (decibels / 20)
