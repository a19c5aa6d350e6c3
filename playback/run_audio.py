"""Read the audio of a run, from before its start to past its end, transformed if necessary."""

from collections.abc import Sequence

import numpy as np

from audio.decibels import to_amplitude
from playback.plan import Plan
from playback.runs import Ramp
from playback.sources import SampleReader
from playback.steps import Step
from playback.transform import transform

MARGIN_SECONDS = 0.25  # of the source on either side of a run, transformed with it


class RunAudio:
    """The audio of a run, which is given as one step, and the ramps of its gain.

    Attributes
    ----------
    before, after : int
        Number of samples that can be read before the run's start and after its end.
    """

    def __init__(
        self, step: Step, reader: SampleReader, plan: Plan, ramps: Sequence[Ramp] = ()
    ) -> None:
        self.step = step
        self._reader = reader
        self._channels = plan.channels
        self._gain = np.float32(to_amplitude(step.gain_db))
        self._course = gain_course(ramps, plan.sample_rate) if ramps else None
        until_end = reader.length(step.source) - step.end_sample
        self.before = until_end if step.reverse else step.start_sample
        self.after = step.start_sample if step.reverse else until_end
        # samples in memory: those of transformed runs, and of short runs once read; without gain
        self._loaded: np.ndarray | None = None
        self._loaded_from = 0
        if step.is_resampled:
            self._transform(plan.sample_rate)

    def read(self, out: np.ndarray, offset: int, *, steady_from: int | None = None) -> None:
        """Fill `out`, shape (n_samples, channels), from `offset` samples after the run's start.

        Samples without audio become 0. The gain stays as it is just before `steady_from`, also
        counted from the run's start, if that is given.
        """
        skipped = max(0, -self.before - offset)
        n = min(len(out), self.step.n_samples + self.after - offset) - skipped
        part = out
        if n < len(out):
            out[:skipped] = 0
            out[skipped + max(n, 0) :] = 0
            part = out[skipped : skipped + n]
        if n <= 0:
            return
        first = offset + skipped
        loaded = self._loaded_part(first, n)
        if loaded is None:
            self._read_source(part, first)
        else:
            part[:] = loaded
        self._apply_gain(part, first, steady_from)

    def read_ahead(self, reach: int) -> None:
        """Read a run in one go if the zones of `reach` samples around its two ends meet."""
        if self._loaded is None and self.step.n_samples <= 2 * reach:
            first = max(-reach, -self.before)
            last = self.step.n_samples + min(reach, self.after)
            loaded = np.empty((last - first, self._channels), np.float32)
            self._read_source(loaded, first)
            self._loaded = loaded
            self._loaded_from = first

    def _loaded_part(self, first: int, n: int) -> np.ndarray | None:
        """Return samples from memory; None unless all of them are there."""
        if self._loaded is None or first < self._loaded_from:
            return None
        part = self._loaded[first - self._loaded_from :][:n]
        return part if len(part) == n else None

    def _read_source(self, out: np.ndarray, first: int) -> None:
        step = self.step
        if step.reverse:
            self._reader.read_into(out, step.source, step.end_sample - first - len(out))
            out[:] = out[::-1].copy()
        else:
            self._reader.read_into(out, step.source, step.start_sample + first)

    def _apply_gain(self, out: np.ndarray, first: int, steady_from: int | None = None) -> None:
        """Scale samples in place; a ramp depends on how far each is from the run's start."""
        if self._course:
            middles = np.arange(first, first + len(out)) + 0.5
            if steady_from is not None:
                middles = np.minimum(middles, steady_from - 0.5)
            gains = np.interp(middles, *self._course).astype(np.float32)
            for channel in range(out.shape[1]):  # faster than to broadcast over channels
                out[:, channel] *= gains
        elif self._gain != 1:
            out *= self._gain

    def _transform(self, sample_rate: int) -> None:
        """Transpose and stretch the whole run, with a margin of its source on either side."""
        step = self.step
        margin = round(MARGIN_SECONDS * sample_rate)
        lead = min(margin, self.before)
        trail = min(margin, self.after)  # below 0 where rounding goes past the source's end
        n_samples = lead + step.end_sample - step.start_sample + trail
        samples = np.empty((n_samples, self._channels), np.float32)
        self._read_source(samples, -lead)
        if not self._course:  # with ramps, in the time of the output
            self._apply_gain(samples, -lead)
            self._gain = np.float32(1)
        self.before = round(lead * step.stretch)
        self.after = max(0, round(trail * step.stretch))
        self._loaded = transform(
            samples,
            sample_rate=sample_rate,
            stretch=step.stretch,
            transpose=step.transpose,
            n_out=self.before + step.n_samples + self.after,
        )
        self._loaded_from = -self.before


def gain_course(ramps: Sequence[Ramp], sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places in samples from the run's start and the gains there, joined by lines."""
    places: list[int] = []
    gains: list[float] = []
    for ramp in ramps:
        half = ramp.half(sample_rate)
        places += (ramp.offset - half, ramp.offset + half)
        gains += (to_amplitude(ramp.before_db), to_amplitude(ramp.after_db))
    return np.array(places, np.float64), np.array(gains)
