"""What is known of the input: its descriptors, its level, whether it sounds, and its pulse.

samples ──► repaired, without DC, mono ──► the database's rate ──► frames (`db.live_description`)
"""

import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from audio.channels import to_mono
from db.beat_grid import BeatGrid
from db.database import Database
from db.descriptors.chroma import DESCRIPTOR as CHROMA
from db.descriptors.frames import Frames
from db.descriptors.loudness import DESCRIPTOR as LOUDNESS
from db.live_description import FrameStream, describe_step
from db.settings import DescriptorSettings
from db.track_beats import track_beats
from demiurge.live.meters import FLOOR_DB
from demiurge.live.resampling import DeviceResampling

KEPT_SECONDS = 12.0  # of frames and samples
DC_HZ = 5.0  # what lies below is left out
SILENCE_DB = -65.0  # LUFS: the input is silent if it stays below, or far below its loudest
RANGE_DB = 30.0  # how far that is: the noise of a room is not sound
FALL_DB = 0.2  # of the loudest, in a second
SOUND_DB = 5.0  # above silence, the input begins to sound
SILENT_SECONDS = 0.5
CHROMA_SECONDS = 1.0
TRACKED_SECONDS = 8.0  # in which a pulse is looked for
LEAST_PULSE = 0.25  # of confidence
LEAST_DC = 1e-20  # below, it is 0: a decay without end would soon be slow to compute


@dataclass(frozen=True)
class Pulse:
    """The pulse of the input.

    Attributes
    ----------
    tempo : float
        Beats per minute; 0 if there is none.
    beat_sample : float
        Where a beat is, in samples of the input at the database's rate.
    """

    tempo: float = 0.0
    beat_sample: float = 0.0


class Listener:
    """Listens to an input of a rate, for a database of some settings.

    Attributes
    ----------
    n_heard : int
        Samples so far, at the database's rate.
    repaired : int
        Samples that were not finite.
    loudness_db : float
        Of the latest frame, in LUFS.
    is_quiet : bool
        Whether the latest frame is silence.
    is_silent : bool
        Whether the input has been quiet for half a second, or has not sounded yet.

    Raises
    ------
    ParameterError
        If an input cannot be described as the settings want.
    """

    def __init__(
        self,
        settings: DescriptorSettings,
        *,
        sample_rate: int,
        database: Database | None = None,
    ) -> None:
        """Take the database whose frames tell how derivatives are guessed."""
        self.n_heard = 0
        self.repaired = 0
        self.loudness_db = FLOOR_DB
        self.is_quiet = True
        self.is_silent = True
        self._settings = settings
        self._stream = FrameStream(settings)
        if database is not None:
            self._stream.fit(database)
        self._resampling: DeviceResampling | None = None
        if sample_rate != settings.sample_rate:
            self._resampling = DeviceResampling(sample_rate, settings.sample_rate, 1)
        self._pole = math.exp(-2 * math.pi * DC_HZ / sample_rate)
        self._dc = np.zeros(1)
        kept = math.ceil(KEPT_SECONDS * settings.sample_rate / settings.hop_length)
        self._frames: deque[np.ndarray] = deque(maxlen=kept)
        self._chroma: deque[np.ndarray] = deque(
            maxlen=max(round(CHROMA_SECONDS * settings.sample_rate / settings.hop_length), 1)
        )
        self._samples: deque[np.ndarray] = deque()
        self._n_kept = 0
        self._lock = threading.Lock()  # of the samples: `pulse` is called from another thread
        self._quiet_samples = 0
        self._loudest_db = FLOOR_DB
        self._silence = self._describe_silence()

    def _describe_silence(self) -> np.ndarray:
        """Return a frame of silence; what is loaded when first needed is loaded now."""
        CHROMA.measure(Frames(np.zeros(self._settings.n_fft, np.float32), self._settings))
        silence = np.zeros(self._settings.n_fft + self._settings.hop_length, np.float32)
        return FrameStream(self._settings).add(silence)[0]

    def hear(self, block: np.ndarray) -> None:
        """Take the next samples, (n, channels), of any kind of float."""
        samples = self._clean(block)
        if self._resampling is not None:
            samples = self._resampling.add(samples[:, None])[:, 0]
        if not len(samples):
            return
        self._keep(samples)
        for frame in self._stream.cut(samples):
            self._frames.append(self._stream.describe(frame))
            self._measure(frame)

    def _clean(self, block: np.ndarray) -> np.ndarray:
        """Return a block in mono, repaired and without DC, float32, (n,)."""
        is_finite = np.isfinite(block)
        if not is_finite.all():
            self.repaired += int((~is_finite).sum())
            block = np.where(is_finite, block, 0)
        mono = to_mono(np.clip(block, -1, 1).astype(np.float32))
        filtered, self._dc = lfilter([1, -1], [1, -self._pole], mono, zi=self._dc)
        if abs(self._dc[0]) < LEAST_DC:
            self._dc[0] = 0
        return filtered.astype(np.float32)

    def _keep(self, samples: np.ndarray) -> None:
        most = KEPT_SECONDS * self._settings.sample_rate
        with self._lock:
            self.n_heard += len(samples)
            self._samples.append(samples)
            self._n_kept += len(samples)
            while self._n_kept - len(self._samples[0]) > most:
                self._n_kept -= len(self._samples.popleft())

    def _measure(self, frame: Frames) -> None:
        """Measure level and pitch classes of a frame, whatever the database describes."""
        self.loudness_db = float(LOUDNESS.measure(frame)[0, 0])
        self._chroma.append(CHROMA.measure(frame)[0])
        seconds = self._settings.hop_length / self._settings.sample_rate
        self._loudest_db = max(self._loudest_db - FALL_DB * seconds, self.loudness_db)
        silence = max(SILENCE_DB, self._loudest_db - RANGE_DB)
        self.is_quiet = self.loudness_db <= silence
        if self.loudness_db > silence + SOUND_DB:
            self.is_silent = False
        self._quiet_samples += self._settings.hop_length
        if not self.is_quiet:
            self._quiet_samples = 0
        if self._quiet_samples >= SILENT_SECONDS * self._settings.sample_rate:
            self.is_silent = True

    def _latest(self, n_samples: int) -> tuple[np.ndarray, int]:
        """Return the latest samples, float32, (n_samples,), and `n_heard` at their end."""
        with self._lock:
            parts = list(self._samples)
            n_heard = self.n_heard
        return np.concatenate([*parts, np.empty(0, np.float32)])[-n_samples:], n_heard

    def target(self, n_samples: int) -> np.ndarray:
        """Return what describes the latest samples as a unit, float32, (n_descriptors,)."""
        n_frames = max(round(n_samples / self._settings.hop_length), 1)
        if not self._frames:
            return describe_step(self._silence[None], self._settings)
        before = 0 if self._settings.units == "frame" else self._settings.delta_width // 2
        n_rows = min(n_frames + before, len(self._frames))
        rows = np.array([self._frames[-number] for number in range(n_rows, 0, -1)])
        if before:
            rows = self._stream.revised(rows)
        return describe_step(rows[-n_frames:], self._settings)

    @property
    def chroma(self) -> np.ndarray:
        """Mean of the pitch classes in the last second, float32, (12,)."""
        if not self._chroma:
            return np.zeros(12, np.float32)
        return np.mean(self._chroma, axis=0)

    def pulse(self) -> Pulse | None:
        """Return the pulse of the last seconds, from any thread; this takes some 20 ms.

        None if not enough was heard lately to tell.
        """
        rate = self._settings.sample_rate
        n_samples = round(TRACKED_SECONDS * rate)
        samples, n_heard = self._latest(n_samples)
        if self.is_silent or len(samples) < n_samples:
            return None
        grid: BeatGrid = track_beats(samples, self._settings)
        if grid.confidence < LEAST_PULSE:
            return Pulse()
        beats = grid.after(n_samples, 1, count=2)
        tempo = 60 * rate / float(beats[1] - beats[0])
        return Pulse(tempo, n_heard - n_samples + float(beats[0]))
