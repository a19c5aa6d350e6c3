"""Where units begin: every frame, every so many milliseconds, every onset, or every beat.

Units tile a source from its first sample to its last. Onsets are found in two steps:

    mel bands of each frame -> how much they rise (spectral flux) -> peaks -> to one frame, 23 ms
    energy of every 64 samples -> steepest rise near the peak -> back to the quietest moment before
    it -> one sample

so that a unit begins just before its attack, at a zero crossing or nearly, and the attack is whole.
Both measures are taken while the file streams past: 3 kB for each second, whatever its length.
"""

from __future__ import annotations

from bisect import bisect

import numpy as np

from audio.librosa_import import import_librosa
from db.descriptors.frames import Frames
from db.settings import DURATION, DescriptorSettings

ENVELOPE_SAMPLES = 64  # 1.5 ms at 44.1 kHz: shorter than any attack we can hear as one
FLOOR_DB = -25.0  # mel power below this, 60 dB under a full-scale sine's, does not count as sound
PEAK_FRAMES = 2  # frames on either side that a peak must exceed, 46 ms
MEAN_FRAMES = 8  # frames on either side whose mean a peak must exceed by RISE_DB, 186 ms
# mean rise over the mel bands; 1 to 1.5 did best on drums and plucked strings, see docs/rooms/db.md
RISE_DB = 1.0
ATTACK_BLOCKS = 8  # envelope blocks compared on either side of an attack, 12 ms
BACK_BLOCKS = 16  # at most this far before the steepest rise does a unit begin, 23 ms
# times the energy of the quietest block is as good as quiet: the latest such block is taken, 3 dB
QUIET = 2.0


def frame_lengths(n_samples: int, unit_samples: int) -> np.ndarray:
    """Lengths of units of equal length, the last one shorter if need be; int64."""
    n_units = -(-n_samples // unit_samples)
    lengths = np.full(n_units, unit_samples)
    lengths[-1] = n_samples - (n_units - 1) * unit_samples
    return lengths


def step_lengths(sequence: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """How many samples each step of a raw sequence lasts, int64, shape (steps,): what it says, or
    what every unit has.
    """
    if settings.units in ("onset", "beat"):
        seconds = np.exp2(sequence[:, settings.names.index(DURATION)].astype(np.float64))
        return np.maximum(np.rint(seconds * settings.sample_rate).astype(np.int64), 1)
    return np.full(len(sequence), settings.fixed_samples or settings.hop_length)


class UnitFinder:
    """Watches a signal and its frames go by, then says where units begin; for "onset" and "beat"."""

    def __init__(self, settings: DescriptorSettings) -> None:
        self._settings = settings
        self._rest = np.empty(0, np.float32)
        self._energy: list[np.ndarray] = []
        self._quietest: list[np.ndarray] = []
        self._flux: list[np.ndarray] = []
        self._last_bands: np.ndarray | None = None

    def watch_signal(self, block: np.ndarray) -> None:
        """Energy of every `ENVELOPE_SAMPLES`, and the sample among them nearest to zero."""
        signal = np.concatenate([self._rest, block])
        whole = len(signal) // ENVELOPE_SAMPLES * ENVELOPE_SAMPLES
        blocks = signal[:whole].reshape(-1, ENVELOPE_SAMPLES)
        self._rest = signal[whole:]
        self._energy.append(np.einsum("bs,bs->b", blocks, blocks))
        self._quietest.append(np.abs(blocks).argmin(axis=1).astype(np.uint8))

    def watch_frames(self, frames: Frames) -> None:
        """Spectral flux: mean rise of the mel bands in dB.

        A band is held against its neighbours' last values as well, so that vibrato is no onset
        (Böck & Widmer, DAFx 2013)."""
        bands = np.maximum(frames.mel_db, FLOOR_DB)
        before = (
            self._last_bands if self._last_bands is not None else np.full_like(bands[:1], FLOOR_DB)
        )
        before = np.concatenate([before, bands[:-1]])
        widest = before.copy()
        np.maximum(widest[:, 1:], before[:, :-1], out=widest[:, 1:])
        np.maximum(widest[:, :-1], before[:, 1:], out=widest[:, :-1])
        self._flux.append(np.maximum(bands - widest, 0).mean(axis=1))
        self._last_bands = bands[-1:].copy()

    def lengths(self, n_samples: int) -> np.ndarray:
        """Lengths of the units, int64, each at least 1; they sum to `n_samples`."""
        settings = self._settings
        flux = np.concatenate(self._flux)
        shortest, longest = (
            max(1, round(ms * settings.sample_rate / 1000))
            for ms in (settings.min_unit_ms, settings.max_unit_ms)
        )
        peaks = _beats(flux, settings) if settings.units == "beat" else _peaks(flux)
        energy = np.concatenate(self._energy)
        quietest = np.concatenate(self._quietest)
        starts = [_attack(peak, energy, quietest, settings) for peak in peaks]
        starts = _far_apart(starts, flux[peaks], n_samples, shortest)
        starts = _split_long(starts, n_samples, longest, energy, quietest)
        return np.diff([*starts, n_samples])


def _peaks(flux: np.ndarray) -> np.ndarray:
    """Frames where the flux is highest around and well above its surroundings."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    highest = maximum_filter1d(flux, 2 * PEAK_FRAMES + 1, mode="constant")
    mean = uniform_filter1d(flux, 2 * MEAN_FRAMES + 1, mode="nearest")
    return np.flatnonzero((flux == highest) & (flux > mean + RISE_DB))


def _beats(flux: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Frames of the beats, by librosa's tracker (Ellis, 2007)."""
    if len(flux) < MEAN_FRAMES or not flux.any():  # nothing can be counted in so little
        return np.empty(0, np.int64)
    _, beats = import_librosa().beat.beat_track(
        onset_envelope=flux, sr=settings.sample_rate, hop_length=settings.hop_length, trim=False
    )
    return np.unique(beats.astype(np.int64))


def _attack(
    frame: int, energy: np.ndarray, quietest: np.ndarray, settings: DescriptorSettings
) -> int:
    """The sample at which a unit with an attack in `frame` begins."""
    hop = settings.hop_length
    centre = frame * hop + (hop // 2 if settings.window_centre == "span" else 0)
    first, last = (
        np.clip((centre + side) // ENVELOPE_SAMPLES, 0, len(energy)) for side in (-hop, hop)
    )
    if last - first < 1:
        return 0
    padded = np.pad(
        energy[max(first - ATTACK_BLOCKS, 0) : last + ATTACK_BLOCKS],
        (max(ATTACK_BLOCKS - first, 0), ATTACK_BLOCKS),
    )
    cumulated = np.concatenate([[0.0], np.cumsum(padded, dtype=np.float64)])
    around = np.arange(last - first) + ATTACK_BLOCKS
    before = cumulated[around] - cumulated[around - ATTACK_BLOCKS]
    after = cumulated[around + ATTACK_BLOCKS] - cumulated[around]
    noise = 1e-3 * max(float(after.max()), 1e-12)
    steepest = first + int(np.argmax(np.log(after + noise) - np.log(before + noise)))
    return _quiet_sample(max(steepest - BACK_BLOCKS, 0), steepest, energy, quietest)


def _quiet_sample(first: int, last: int, energy: np.ndarray, quietest: np.ndarray) -> int:
    """The quietest sample of the latest envelope block from first to last that is as good as quiet."""
    window = energy[first : last + 1]
    block = first + int(np.flatnonzero(window <= QUIET * window.min())[-1])
    return block * ENVELOPE_SAMPLES + int(quietest[block])


def _far_apart(
    starts: list[int], strengths: np.ndarray, n_samples: int, shortest: int
) -> list[int]:
    """0 and the strongest of the starts that leave every unit `shortest` samples; in order."""
    kept = [0]
    for i in np.argsort(-strengths, kind="stable"):
        place = bisect(kept, starts[i])
        neighbours = kept[place - 1 : place + 1]
        if starts[i] <= n_samples - shortest and all(
            abs(starts[i] - other) >= shortest for other in neighbours
        ):
            kept.insert(place, starts[i])
    return kept


def _split_long(
    starts: list[int], n_samples: int, longest: int, energy: np.ndarray, quietest: np.ndarray
) -> list[int]:
    """Cut units longer than `longest` into equal parts, each cut moved to the quietest moment
    within a quarter of a part.
    """
    result = []
    for start, end in zip(starts, [*starts[1:], n_samples], strict=True):
        result.append(start)
        while (n_parts := -(-(end - result[-1]) // longest)) > 1:
            part = (end - result[-1]) / n_parts
            reach = min(part / 4, longest - part)
            ideal = result[-1] + part
            first = int((ideal - reach) // ENVELOPE_SAMPLES) + 1
            last = int((ideal + reach) // ENVELOPE_SAMPLES) - 1
            cut = (
                _quiet_sample(first, min(last, len(energy) - 1), energy, quietest)
                if first <= last
                else round(ideal)
            )
            result.append(cut)
    return result
