"""The sound of a step, readable from before its start to beyond its end: plain from its source, or
transformed.
"""

import numpy as np

from audio.decibels import to_amplitude
from playback.plan import Plan, Step
from playback.sources import Sound
from playback.transform import transform

MARGIN_SECONDS = 0.25  # of source sound around a unit that is transformed with it


class Voice:
    """A run of a plan as a stretch of sound.

    Attributes
    ----------
    before, after : int
        Samples there are before the run's first and behind its last.
    """

    def __init__(self, run: Step, sound: Sound, plan: Plan) -> None:
        self.run = run
        self._sound = sound
        self._channels = plan.channels
        self._gain = np.float32(to_amplitude(run.gain_db))
        length = sound.length(run.source)
        self.before = run.start_sample
        self.after = length - run.end_sample
        if run.reverse:
            self.before, self.after = self.after, self.before
        self._made = self._transformed(plan.sample_rate) if run.is_resampled else None
        self._made_from = -self.before

    def read(self, out: np.ndarray, offset: int) -> None:
        """Fill `out`, shape (n_samples, channels), with what sounds `offset` samples after the
        run's start; 0 elsewhere.
        """
        skipped = max(0, -self.before - offset)
        n = min(len(out), self.run.n_samples + self.after - offset) - skipped
        out[:skipped] = 0
        out[skipped + max(n, 0) :] = 0
        if n <= 0:
            return
        first = offset + skipped
        span = out[skipped : skipped + n]
        if (
            self._made is not None
            and self._made_from <= first
            and first + n <= self._made_from + len(self._made)
        ):
            span[:] = self._made[first - self._made_from :][:n]
            return
        self._read_source(span, first)

    def read_ahead(self, reach: int) -> None:
        """If the run is so short that what surrounds its two ends meets, read all of it at once."""
        if self._made is None and self.run.n_samples <= 2 * reach:
            first = max(-reach, -self.before)
            last = self.run.n_samples + min(reach, self.after)
            made = np.empty((last - first, self._channels), np.float32)
            self.read(made, first)
            self._made = made
            self._made_from = first

    def _read_source(self, span: np.ndarray, first: int) -> None:
        run = self.run
        if run.reverse:
            self._sound.read_into(span, run.source, run.end_sample - first - len(span))
            span[:] = span[::-1].copy()
        else:
            self._sound.read_into(span, run.source, run.start_sample + first)
        if self._gain != 1:
            span *= self._gain

    def _transformed(self, sample_rate: int) -> np.ndarray:
        """The unit and a margin of what surrounds it, transposed and stretched."""
        run = self.run
        margin = round(MARGIN_SECONDS * sample_rate)
        lead = min(margin, self.before)
        trail = min(margin, self.after)
        samples = np.empty(
            (lead + run.end_sample - run.start_sample + trail, self._channels), np.float32
        )
        self._read_source(samples, -lead)
        self.before, self.after = (round(n * run.stretch) for n in (lead, trail))
        n_out = self.before + run.n_samples + self.after
        return transform(
            samples,
            sample_rate=sample_rate,
            stretch=run.stretch,
            transpose=run.transpose,
            n_out=n_out,
        )
