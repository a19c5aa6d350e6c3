"""How long the next unit lasts: as long as it is, or until the next part of a beat."""

import math

from demiurge.live.background import Background
from demiurge.live.beat_clock import BeatClock
from demiurge.live.controls import Controls
from demiurge.live.corpus import Corpus
from demiurge.live.listener import Listener
from demiurge.timing import ENOUGH, Tempos

ON_TIME_SECONDS = 0.03  # how far from its place in the beat a unit may end without being cut
TRANSPOSED_SECONDS = 0.25  # what short units that are transposed are played on for at least
LOOK_SECONDS = 1.0  # between two looks for the input's pulse
MOST_MISSES = 4  # looks without a pulse, until there is none any more


class Timekeeper:
    """The tempo, and the lengths of units that come of it.

    The tempo is the knob's; if that is 0, an external clock's; else the input's, if enough of the
    corpus is at it. It counts for units that are parts of beats; all others are as long as they
    are.
    """

    def __init__(self, corpus: Corpus, controls: Controls, background: Background) -> None:
        settings = corpus.database.settings
        self._sample_rate = settings.sample_rate
        self._units = corpus.database.units
        self._controls = controls
        self._background = background
        self._tempos = Tempos(corpus.database) if settings.is_metrical else None
        self._longest = round(settings.max_unit_ms * settings.sample_rate / 1000)
        self._step_samples = corpus.step_samples
        self._varies = settings.units_vary
        self._clock = BeatClock(settings.sample_rate, max(settings.beat_parts, 1))
        self._looked = 0
        self._misses = 0  # looks without a pulse, one after the other

    @property
    def tempo(self) -> float:
        """Beats per minute; 0 if there is no pulse."""
        return self._clock.tempo

    def beats(self, sample: int) -> float:
        """Return the number of beats before a sample; 0 without a pulse."""
        return self._clock.beats(sample) if self.tempo else 0.0

    def keep(self, now: int, listener: Listener | None, drift: int) -> None:
        """Take the tempo that counts from sample `now` on.

        `drift` is by how many samples the output has come to be ahead of the input.
        """
        if self._tempos is None:
            return
        tempo = self._controls.knobs.tempo or self._controls.clock_bpm
        if tempo or listener is None:
            self._clock.set_tempo(tempo, now)
            return
        if now - self._looked >= LOOK_SECONDS * self._sample_rate:
            self._looked = now
            self._background.start("pulse", listener.pulse)
        pulse = self._background.take("pulse")
        if pulse is None:
            return
        tempo = self._tempo_like(pulse.tempo)
        self._misses = 0 if tempo else self._misses + 1
        if not tempo and self._misses < MOST_MISSES:
            return
        self._clock.set_tempo(tempo, now)
        if tempo:
            self._clock.follow(pulse.beat_sample + drift)

    def _tempo_like(self, tempo: float) -> float:
        """Return the tempo of the input, or twice or half of it; 0 if the corpus has none like it.

        Its units would have to be cut at every step.
        """
        if not tempo or self._tempos is None:
            return 0.0
        level, _ = self._tempos.choose_level(tempo)
        return level if self._tempos.share(level) >= ENOUGH else 0.0

    def next_length(self, at: int) -> tuple[int, int | None]:
        """Return how long a unit that begins at a sample may last, and its part of a beat."""
        if not self._varies:
            n_units = 1
            if self._controls.knobs.transpose:
                n_units = math.ceil(TRANSPOSED_SECONDS * self._sample_rate / self._step_samples)
            return n_units * self._step_samples, None
        if not self.tempo:
            return self._longest, None
        part = self._clock.part_in_beat(self._clock.nearest(at))
        return max(self._clock.end_after(at) - at, 1), part

    def length_of(self, position: int, wanted: int) -> int:
        """Return how long a unit is played where `wanted` samples are given to it."""
        left = int(self._units.samples_left[position])
        if not self._varies:
            return min(wanted, left)
        whole = int(self._units.n_samples[position])
        if not self.tempo:
            return min(wanted, whole)
        is_on_time = abs(whole - wanted) <= ON_TIME_SECONDS * self._sample_rate
        return whole if is_on_time else min(wanted, left)

    def rest_samples(self, wanted: int) -> int:
        """Return how long to rest where a unit could last for `wanted` samples."""
        return wanted if self._varies and self.tempo else self._step_samples
