"""Divide sources into units: frames, fixed lengths, onsets or beats.

Units tile a source from its first sample to its last. Onsets are found in two steps:

    mel bands of each frame -> how much they rise (spectral flux) -> peaks: to one frame, 23 ms
    energy of every 64 samples -> steepest rise near the peak -> back to the last quiet moment
    before it: to one sample

A unit thus begins just before its attack, at or near a zero crossing, and the attack is complete.
Both measures are taken as the file streams past, and need 3 kB of memory per second of audio.
"""

from bisect import bisect

import numpy as np

from audio.librosa_import import import_librosa
from db.descriptors.frames import Frames
from db.envelope import ENVELOPE_SAMPLES, Envelope
from db.settings import DURATION, DescriptorSettings

FLOOR_DB = -25.0  # mel power below this, 60 dB under a full-scale sine, counts as silence
PEAK_FRAMES = 2  # frames on either side that a peak must exceed, 46 ms
MEAN_FRAMES = 8  # frames on either side whose mean a peak must exceed by RISE_DB, 186 ms
# mean rise over the mel bands; 1 to 1.5 works best on drums and plucked strings (docs/rooms/db.md)
RISE_DB = 1.0


def equal_unit_lengths(n_samples: int, unit_samples: int) -> np.ndarray:
    """Return the lengths of units of `unit_samples`, of which the last may be shorter; int64."""
    n_units = -(-n_samples // unit_samples)
    lengths = np.full(n_units, unit_samples)
    lengths[-1] = n_samples - (n_units - 1) * unit_samples
    return lengths


def step_lengths(sequence: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Return the length of each step of a raw sequence in samples, int64, shape (steps,).

    Onsets and beats have their duration as a descriptor; all other units have one length.
    """
    if settings.units in ("onset", "beat"):
        seconds = np.exp2(sequence[:, settings.names.index(DURATION)].astype(np.float64))
        return np.maximum(np.rint(seconds * settings.sample_rate).astype(np.int64), 1)
    return np.full(len(sequence), settings.fixed_samples or settings.hop_length)


class UnitFinder:
    """Finds onset or beat units in a signal and its frames as they stream past."""

    def __init__(self, settings: DescriptorSettings) -> None:
        self._settings = settings
        self._envelope = Envelope()
        self._flux: list[np.ndarray] = []
        self._last_bands: np.ndarray | None = None

    def watch_signal(self, block: np.ndarray) -> None:
        """Add the next samples."""
        self._envelope.add(block)

    def watch_frames(self, frames: Frames) -> None:
        """Add the next frames: measure the spectral flux, the mean rise of the mel bands in dB.

        A band is also compared with its neighbours' last values, so that vibrato does not count as
        an onset (Böck & Widmer, DAFx 2013).
        """
        bands = np.maximum(frames.mel_db, FLOOR_DB)
        last = self._last_bands
        if last is None:
            last = np.full_like(bands[:1], FLOOR_DB)
        before = np.concatenate([last, bands[:-1]])
        loudest = before.copy()
        np.maximum(loudest[:, 1:], before[:, :-1], out=loudest[:, 1:])
        np.maximum(loudest[:, :-1], before[:, 1:], out=loudest[:, :-1])
        self._flux.append(np.maximum(bands - loudest, 0).mean(axis=1))
        self._last_bands = bands[-1:].copy()

    def lengths(self, n_samples: int) -> np.ndarray:
        """Return the lengths of the units, int64, each at least 1; they sum to `n_samples`."""
        settings = self._settings
        flux = np.concatenate(self._flux)
        peaks = _find_beats(flux, settings) if settings.units == "beat" else _find_peaks(flux)
        self._envelope.finish()
        starts = [self._find_attack(peak) for peak in peaks]
        starts = _drop_close(starts, flux[peaks], n_samples, self._samples(settings.min_unit_ms))
        starts = self._split_long(starts, n_samples, self._samples(settings.max_unit_ms))
        return np.diff([*starts, n_samples])

    def _samples(self, milliseconds: float) -> int:
        return max(1, round(milliseconds * self._settings.sample_rate / 1000))

    def _find_attack(self, frame: int) -> int:
        """Return the first sample of the unit whose attack is in a frame."""
        hop = self._settings.hop_length
        centre = frame * hop
        if self._settings.window_centre == "span":
            centre += hop // 2
        return self._envelope.start_of_attack(centre - hop, centre + hop)

    def _split_long(self, starts: list[int], n_samples: int, longest: int) -> list[int]:
        """Cut units longer than `longest` into equal parts.

        Each cut is moved to the quietest moment within a quarter of a part.
        """
        result = []
        for start, end in zip(starts, [*starts[1:], n_samples], strict=True):
            result.append(start)
            while (n_parts := -(-(end - result[-1]) // longest)) > 1:
                part = (end - result[-1]) / n_parts
                reach = min(part / 4, longest - part)
                result.append(self._quietest_near(result[-1] + part, reach))
        return result

    def _quietest_near(self, sample: float, reach: float) -> int:
        first = int((sample - reach) // ENVELOPE_SAMPLES) + 1
        last = int((sample + reach) // ENVELOPE_SAMPLES) - 1
        if first > last:
            return round(sample)
        return self._envelope.quiet_sample(first, min(last, self._envelope.n_blocks - 1))


def _find_peaks(flux: np.ndarray) -> np.ndarray:
    """Return the frames where the flux has a local maximum well above its surroundings."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    highest = maximum_filter1d(flux, 2 * PEAK_FRAMES + 1, mode="constant")
    mean = uniform_filter1d(flux, 2 * MEAN_FRAMES + 1, mode="nearest")
    return np.flatnonzero((flux == highest) & (flux > mean + RISE_DB))


def _find_beats(flux: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Return the frames of the beats, by librosa's tracker (Ellis, 2007)."""
    if len(flux) < MEAN_FRAMES or not flux.any():  # too short or too quiet to have a beat
        return np.empty(0, np.int64)
    _, beats = import_librosa().beat.beat_track(
        onset_envelope=flux, sr=settings.sample_rate, hop_length=settings.hop_length, trim=False
    )
    return np.unique(beats.astype(np.int64))


def _drop_close(
    starts: list[int], strengths: np.ndarray, n_samples: int, shortest: int
) -> list[int]:
    """Return, in order, 0 and the strongest starts that keep units at least `shortest` samples."""
    kept = [0]
    for i in np.argsort(-strengths, kind="stable"):
        start = starts[i]
        place = bisect(kept, start)
        neighbours = kept[place - 1 : place + 1]
        is_far = all(abs(start - other) >= shortest for other in neighbours)
        if is_far and start <= n_samples - shortest:
            kept.insert(place, start)
    return kept
