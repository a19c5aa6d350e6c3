"""Which pitches sound in a chord: harmonic sums of its long-term spectrum.

    mean magnitude spectrum (windows of 0.74 s)
      ──► without what lies on partials of (other) wanted pitches
      ──► salience of a pitch = Σ 0.84^(h-1) × largest magnitude within 30 cents of h × f0, h ≤ 10

A wanted pitch is measured without the partials that the other wanted ones share with it, so that it
is not taken for present because of them; any other pitch without the partials of all wanted ones.
The octave and the twelfth above a wanted pitch are therefore not heard as others.
"""

from dataclasses import dataclass

import numpy as np

WINDOW = 32_768  # samples; partials are 4 bins wide, 5.4 Hz at 44.1 kHz
HOP = 8192
PARTIALS = 10
DECAY = 0.84  # of the weights of partials
NEAR_CENTS = 30.0
MASK_CENTS = 50.0  # around partials that do not count, and at least
MASK_BINS = 3.0
MASKED_PARTIALS = 24
KEYS = np.arange(36, 97)  # MIDI keys of other pitches
FLOOR = 1e-12


@dataclass(frozen=True)
class ChordFigures:
    """Saliences in dB below the strongest wanted pitch.

    Attributes
    ----------
    wanted : tuple of float; of each wanted pitch
    other : float; of the strongest other pitch, below the weakest wanted one
    other_key : int; its MIDI key
    """

    wanted: tuple[float, ...]
    other: float
    other_key: int


def measure_chord(sound: np.ndarray, keys: tuple[int, ...], rate: int) -> ChordFigures:
    """Measure the pitches of a sound (n,) that should be the MIDI keys, and no others."""
    spectrum = long_term_spectrum(sound)
    wanted = []
    for key in keys:
        others = [other for other in keys if other != key]
        wanted.append(salience(without(spectrum, others, rate), key, rate))
    rest = without(spectrum, keys, rate)
    others = {int(key): salience(rest, key, rate) for key in KEYS if key not in keys}
    strongest = max(others, key=lambda key: others[key])
    return ChordFigures(
        tuple(decibels(value / max(wanted)) for value in wanted),
        decibels(others[strongest] / min(wanted)),
        strongest,
    )


def long_term_spectrum(sound: np.ndarray) -> np.ndarray:
    """Return the mean magnitudes of Hann windows of a sound (n,), shape (bins,)."""
    padded = np.pad(sound, (0, max(0, WINDOW - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)).mean(axis=0) + FLOOR


def without(spectrum: np.ndarray, keys: tuple[int, ...] | list[int], rate: int) -> np.ndarray:
    """Return a spectrum (bins,) without the partials of some pitches."""
    bins = np.arange(len(spectrum))
    masked = np.zeros(len(spectrum), bool)
    for key in keys:
        partials = frequency(key) * np.arange(1, MASKED_PARTIALS + 1) / rate * WINDOW
        widths = np.maximum(MASK_BINS, partials * (2 ** (MASK_CENTS / 1200) - 1))
        masked |= (np.abs(bins[:, None] - partials) <= widths).any(axis=1)
    return np.where(masked, FLOOR, spectrum)


def salience(spectrum: np.ndarray, key: float, rate: int) -> float:
    """Return the harmonic sum of a MIDI key in a spectrum (bins,)."""
    total = 0.0
    for number in range(1, PARTIALS + 1):
        centre = frequency(key) * number / rate * WINDOW
        width = centre * (2 ** (NEAR_CENTS / 1200) - 1)
        first = int(np.floor(centre - width))
        last = int(np.ceil(centre + width))
        if last < len(spectrum):
            total += DECAY ** (number - 1) * float(spectrum[first : last + 1].max())
    return total


def frequency(key: float) -> float:
    """Return the frequency of a MIDI key in Hz."""
    return 440.0 * 2 ** ((key - 69) / 12)


def decibels(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, FLOOR)))
