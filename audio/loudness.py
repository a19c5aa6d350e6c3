"""Measure loudness and true peak as ITU-R BS.1770-4 defines them.

Loudness: K-weighting ──► mean square of every 100 ms ──► blocks of four ──► gates ──► LUFS

Both meters take blocks of any length. The result is the same to the last bit however the audio is
cut into blocks.
"""

from array import array

import numpy as np
from numpy.polynomial.polynomial import polyval

from files.errors import ParameterError

# the shelf of the K-weighting turns at 1.7 kHz, which must lie below half the rate
MIN_SAMPLE_RATE = 4000  # Hz
HOPS_PER_BLOCK = 4  # 400 ms blocks that overlap by 75 %: hops of 100 ms
ABSOLUTE_GATE = -70.0  # LUFS
RELATIVE_GATE = -10.0  # LU, relative to the mean of the blocks that pass the first gate
SURROUND = {5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41)}  # L R C [LFE] Ls Rs
# a filter state below this is set to 0: denormal numbers would make silence 30 times as slow
VANISHED = 1e-30
PEAK_PHASES = 4  # oversampling factor
PEAK_TAPS = 12  # length of the filter of each phase
PEAK_BLOCK = 1 << 14  # samples processed at a time, to stay in the processor's cache


class LoudnessMeter:
    """Integrated loudness of a stream, BS.1770-4.

    It keeps one number for every 100 ms. Channels have weight 1; with five (L R C Ls Rs) or six
    (L R C LFE Ls Rs) the surrounds have 1.41 and the LFE has 0.

    Raises
    ------
    ParameterError
        If the sample rate is below 4000 Hz or there is no channel.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        if sample_rate < MIN_SAMPLE_RATE:
            raise ParameterError(
                f"sample_rate={sample_rate} Hz must be at least {MIN_SAMPLE_RATE} Hz to measure"
                " loudness; raise the rate"
            )
        _check_channels(channels)
        self._sos = k_weighting(sample_rate)
        self._weights = np.array(SURROUND.get(channels, (1,) * channels), float)
        self._hop = round(sample_rate / 10)
        self._state = np.zeros((2, 2, channels))
        self._waiting = np.empty((0, channels), np.float32)
        self._powers = array("d")

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, float32, shape (n_samples, channels)."""
        _check_block(block, len(self._weights))
        samples = np.concatenate([self._waiting, block])
        stop = len(samples) - len(samples) % self._hop
        for at in range(0, stop, self._hop):
            power, self._state = self._power(samples[at : at + self._hop])
            self._powers.append(power)
        self._waiting = samples[stop:].copy()

    def integrated(self) -> float:
        """Return the loudness in LUFS of all that was added; -inf if no block exceeds -70 LUFS.

        Audio shorter than 400 ms is measured as one block. In longer audio, what follows the last
        whole 100 ms does not count.
        """
        powers = np.array(self._powers)
        if len(powers) >= HOPS_PER_BLOCK:
            blocks = np.lib.stride_tricks.sliding_window_view(powers, HOPS_PER_BLOCK).mean(axis=1)
        else:
            blocks = self._short_block(powers)
        loud = blocks[blocks > 10 ** ((ABSOLUTE_GATE + 0.691) / 10)]
        if not len(loud):
            return -np.inf
        loud = loud[loud > loud.mean() * 10 ** (RELATIVE_GATE / 10)]
        return -0.691 + 10 * float(np.log10(loud.mean()))

    def _short_block(self, powers: np.ndarray) -> np.ndarray:
        n_rest = len(self._waiting)
        if not n_rest:
            return powers.mean(keepdims=True) if len(powers) else powers
        rest, _ = self._power(self._waiting)
        total = powers.sum(keepdims=True) * self._hop + rest * n_rest
        return total / (len(powers) * self._hop + n_rest)

    def _power(self, samples: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the K-weighted mean square, summed over weighted channels, and the state after."""
        from scipy.signal import sosfilt  # takes a second to import

        filtered, state = sosfilt(self._sos, samples, axis=0, zi=self._state)
        state[np.abs(state) < VANISHED] = 0
        return float((np.square(filtered).mean(axis=0) * self._weights).sum()), state


class TruePeakMeter:
    """True peak of a stream, oversampled four times, BS.1770-4 annex 2.

    It is never below the sample peak.
    """

    def __init__(self, channels: int) -> None:
        _check_channels(channels)
        self._taps = _taps_between_samples()
        self._context = np.zeros((PEAK_TAPS - 1, channels), np.float32)
        self._peak = 0.0

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, float32, shape (n_samples, channels)."""
        _check_block(block, self._context.shape[1])
        samples = np.concatenate([self._context, block])
        self._peak = max(self._peak, _magnitude(block), self._peak_between(samples))
        self._context = samples[-(PEAK_TAPS - 1) :].copy()

    def peak(self) -> float:
        """Return the peak of all that was added, with silence around it; 1 is full scale."""
        end = np.pad(self._context, ((0, PEAK_TAPS - 1), (0, 0)))
        return max(self._peak, self._peak_between(end))

    def _peak_between(self, samples: np.ndarray) -> float:
        peak = 0.0
        for at in range(0, len(samples) - PEAK_TAPS + 1, PEAK_BLOCK):
            part = samples[at : at + PEAK_BLOCK + PEAK_TAPS - 1]
            stop = len(part) - PEAK_TAPS + 1
            for taps in self._taps:
                between = part[:stop] * taps[0]
                for k in range(1, PEAK_TAPS):
                    between += part[k : k + stop] * taps[k]
                peak = max(peak, _magnitude(between))
        return peak


def k_weighted_bins(sample_rate: int, n_samples: int) -> np.ndarray:
    """Return what each bin of |FFT|² counts in a K-weighted mean square, but for a factor.

    float64, shape (1 + n_samples // 2,): the power response of the weighting, twice for each bin
    that stands for its mirror image as well.
    """
    sides = np.full(1 + n_samples // 2, 2.0)
    sides[0] = 1.0
    if n_samples % 2 == 0:
        sides[-1] = 1.0
    angles = 2 * np.pi * np.arange(len(sides)) / n_samples
    delay = np.exp(-1j * angles)  # of one sample
    gain = np.ones(len(sides))
    for section in k_weighting(sample_rate):
        response = polyval(delay, section[:3]) / polyval(delay, section[3:])
        gain *= np.abs(response) ** 2
    return sides * gain


def k_weighting(sample_rate: int) -> np.ndarray:
    """Return the head shelf and the low cut as second-order sections, shape (2, 6).

    The standard gives coefficients at 48 kHz only. These come from the analogue prototypes behind
    them (as in libebur128), by the bilinear transform with prewarped corner frequencies.
    """
    return np.array([_head_shelf(sample_rate), _low_cut(sample_rate)])


def _head_shelf(sample_rate: int) -> list[float]:
    k = np.tan(np.pi * 1681.974450955533 / sample_rate)
    q = 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    b = [high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k]
    return [value / a0 for value in b] + [1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]


def _low_cut(sample_rate: int) -> list[float]:
    k = np.tan(np.pi * 38.13547087602444 / sample_rate)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    return [1, -2, 1, 1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]


def _taps_between_samples() -> np.ndarray:
    """Return windowed sincs that interpolate 1/4, 1/2 and 3/4 of the way to the next sample.

    Returns
    -------
    ndarray, float32, shape (3, 12)
    """
    delay = np.arange(1, PEAK_PHASES) / PEAK_PHASES
    # distance of each tap from the interpolated instant, in samples
    time = np.arange(PEAK_TAPS)[None, :] - (PEAK_TAPS / 2 - 1) - delay[:, None]
    window = np.i0(3.5 * np.sqrt(1 - (time / (PEAK_TAPS / 2)) ** 2))  # Kaiser
    taps = np.sinc(time) * window
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)


def _magnitude(block: np.ndarray) -> float:
    return max(float(block.max(initial=0)), -float(block.min(initial=0)))


def _check_channels(channels: int) -> None:
    if channels < 1:
        raise ParameterError(f"channels={channels} must be at least 1")


def _check_block(block: np.ndarray, channels: int) -> None:
    if block.ndim != 2 or block.shape[1] != channels or block.dtype != np.float32:
        raise ParameterError(
            f"a {block.dtype} block of shape {block.shape} must be float32 of shape (n_samples,"
            f" {channels})"
        )
