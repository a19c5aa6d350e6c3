"""The pitch of a sound of one voice, followed from frame to frame.

Each frame has a few candidates, the highest peaks of its autocorrelation, which is divided by that
of the window: P. Boersma, Proc. Institute of Phonetic Sciences 17, 1993. It is made from the power
spectrum that the bands are measured on. The path through the candidates, one of which is that there
is no pitch, gains their heights and pays for octaves and changes, as in Boersma's.

A chord has no period that is short enough, so that most frames of several voices have no pitch.
"""

from functools import lru_cache

import numpy as np
from scipy.fft import irfft, rfft

from db.descriptors.frames import Frames, hann

LOWEST = 50.0  # Hz
HIGHEST = 2000.0  # Hz
LONGEST = 0.43  # of the window; beyond, its autocorrelation is too low, and wraps around
# Hz between which the spectrum fades out: noise lies above, and short periods are found exactly
FADE = (3000.0, 6000.0)
CANDIDATES = 4  # of a frame
SILENCE = 1e-4  # rms below which there is no pitch, -80 dB
LEAST_PEAK = 0.3  # of a candidate, where 1 is a period that repeats exactly
NO_PITCH = 0.75  # what a frame without pitch gains
CLEAR_PEAK = 0.5  # octaves below the highest of these cost
PER_OCTAVE_BELOW = 0.1
PER_OCTAVE_CHANGED = 0.1  # between two frames
PER_BREAK = 0.2  # between pitch and none
FORMULA = (
    f"autocorrelation {LOWEST:g} to {HIGHEST:g} Hz, {NO_PITCH} {PER_OCTAVE_BELOW}"
    f" {PER_OCTAVE_CHANGED} {PER_BREAK}, version 1"
)
BLOCK_FRAMES = 4096  # of a path

NEVER = -9.0


def pitch_candidates(frames: Frames) -> np.ndarray:
    """Find the periods that each frame may have.

    Returns
    -------
    ndarray, float32, shape (frames, CANDIDATES, 2)
        Of each its frequency in Hz, and what it gains; 0 Hz if there are not so many.
    """
    settings = frames.settings
    found = np.zeros((len(frames), CANDIDATES, 2), np.float32)
    found[:, :, 1] = NEVER
    shortest = max(int(settings.sample_rate / HIGHEST), 2)
    longest = int(min(settings.sample_rate / LOWEST, LONGEST * settings.n_fft))
    if longest - shortest <= CANDIDATES:
        return found
    fade, window = _spectral_fade(settings.sample_rate, settings.n_fft)
    products = irfft(frames.power * fade, settings.n_fft, axis=1)
    energy = products[:, 0]
    loud = np.flatnonzero(energy > SILENCE**2 * window[0])
    heights = products[loud, : longest + 1] / energy[loud, None]
    heights *= window[0] / window[: longest + 1]
    lag, height = _highest_peaks(heights, shortest)
    is_peak = height > LEAST_PEAK
    clear = np.where(height > CLEAR_PEAK, lag, np.inf).min(axis=1, keepdims=True)
    octaves = np.log2(np.maximum(lag / clear, 1))
    found[loud, :, 0] = np.where(is_peak, settings.sample_rate / lag, 0)
    found[loud, :, 1] = np.where(is_peak, height - PER_OCTAVE_BELOW * octaves, NEVER)
    return found


@lru_cache(maxsize=4)
def _spectral_fade(sample_rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each bin's power, and the autocorrelation of the window, float32."""
    low, high = FADE
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    fade = np.clip((high - bins) / (high - low), 0, 1)
    window = irfft(np.abs(rfft(hann(n_fft).astype(np.float64))) ** 2, n_fft)
    return fade.astype(np.float32), window.astype(np.float32)


def _highest_peaks(heights: np.ndarray, shortest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lags and heights of the peaks, those that gain most, by fitted parabolas.

    Shape (frames, lags) -> (frames, CANDIDATES) each; 0 and less is no peak.
    """
    inside = heights[:, shortest:-1]
    is_peak = (inside >= heights[:, shortest - 1 : -2]) & (inside > heights[:, shortest + 1 :])
    is_peak &= inside > LEAST_PEAK
    octaves = np.log2(np.arange(shortest, heights.shape[1] - 1, dtype=np.float32) / shortest)
    gain = np.where(is_peak, inside - np.float32(PER_OCTAVE_BELOW) * octaves, np.float32(NEVER))
    best = _highest(gain)
    is_peak = np.take_along_axis(is_peak, best, axis=1)
    lag = best + shortest
    before, here, after = (np.take_along_axis(heights, lag + i, axis=1) for i in (-1, 0, 1))
    curvature = before - 2 * here + after
    bends = is_peak & (curvature < 0)
    shift = np.divide(before - after, 2 * curvature, out=np.zeros_like(here), where=bends)
    top = np.minimum(here - (before - after) * shift / 4, 1)
    return lag + shift, np.where(is_peak, top, 0)


def _highest(gain: np.ndarray) -> np.ndarray:
    """Return where the `CANDIDATES` highest values of each row are; it overwrites them."""
    best = np.empty((len(gain), CANDIDATES), np.int64)
    rows = np.arange(len(gain))
    for i in range(CANDIDATES):  # many times as fast as np.argpartition
        best[:, i] = gain.argmax(axis=1)
        gain[rows, best[:, i]] = -np.inf
    return best


def follow_pitch(candidates: np.ndarray) -> np.ndarray:
    """Return the pitch of successive frames: the best path through their candidates.

    Parameters
    ----------
    candidates : ndarray, shape (frames, CANDIDATES, 2)
        As `pitch_candidates` returns them.

    Returns
    -------
    ndarray, float32, shape (frames,)
        Hz; 0 where there is no pitch.
    """
    n_frames = len(candidates)
    if not n_frames:
        return np.empty(0, np.float32)
    nothing = np.tile(np.array([0, NO_PITCH], np.float32), (n_frames, 1, 1))
    hz, gain = np.moveaxis(np.concatenate([candidates, nothing], axis=1), 2, 0)
    best_before = np.empty(hz.shape, np.int8)
    states = np.arange(hz.shape[1])
    total = gain[0]
    for first in range(1, n_frames, BLOCK_FRAMES):
        after = slice(first, first + BLOCK_FRAMES)
        costs = _change_costs(hz[first - 1 : first + BLOCK_FRAMES])
        for frame, (cost, own) in enumerate(zip(costs, gain[after], strict=True), start=first):
            gains = total[:, None] - cost
            best = gains.argmax(axis=0)
            best_before[frame] = best
            total = gains[best, states] + own
        total = total - total.max()
    state = int(total.argmax())
    path = np.empty(n_frames, np.int64)
    for frame in range(n_frames - 1, -1, -1):
        path[frame] = state
        state = best_before[frame, state] if frame else state
    return hz[np.arange(n_frames), path]


def _change_costs(hz: np.ndarray) -> np.ndarray:
    """Return what changes between successive frames cost, shape (frames - 1, states, states)."""
    has_pitch = hz > 0
    octave = np.log2(np.where(has_pitch, hz, 1))
    change = PER_OCTAVE_CHANGED * np.abs(octave[:-1, :, None] - octave[1:, None, :])
    both = has_pitch[:-1, :, None] & has_pitch[1:, None, :]
    breaks = has_pitch[:-1, :, None] != has_pitch[1:, None, :]
    return np.where(both, change, PER_BREAK * breaks)
