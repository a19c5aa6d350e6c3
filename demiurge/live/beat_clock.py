"""The beats of a session: where parts of beats begin, at a tempo that may change."""

import math

CORRECTION = 0.2  # of the distance to beats that are heard, at each of them
LEAST_BPM = 20.0
MOST_BPM = 400.0


class BeatClock:
    """Parts of beats in samples of the output; part 0 begins where the tempo was first set.

    Attributes
    ----------
    tempo : float
        Beats per minute; 0 if there is none.
    """

    def __init__(self, sample_rate: int, parts: int) -> None:
        self._sample_rate = sample_rate
        self._parts = parts
        self._anchor = 0.0  # the sample at which part `_index` begins
        self._index = 0
        self.tempo = 0.0

    @property
    def part_samples(self) -> float:
        """Length of a part of a beat, in samples."""
        return 60 * self._sample_rate / (self.tempo * self._parts)

    def set_tempo(self, tempo: float, now: int) -> None:
        """Change the tempo from `now` on, without a jump of the phase; 0 ends the pulse."""
        if tempo:
            tempo = min(max(tempo, LEAST_BPM), MOST_BPM)
        if tempo == self.tempo:
            return
        if not self.tempo:
            self._anchor = now
            self._index = 0
        elif tempo:
            part = self.nearest(now)
            place = self.begin_of(part)
            rest = (now - place) / self.part_samples
            self.tempo = tempo
            self._anchor = now - rest * self.part_samples
            self._index = part
        self.tempo = tempo

    def follow(self, beat_sample: float) -> None:
        """Move a little towards a beat that was heard or will be, at a sample of the output."""
        beat = self.part_samples * self._parts
        off = (beat_sample - self.begin_of(0)) % beat
        if off > beat / 2:
            off -= beat
        self._anchor += CORRECTION * off

    def nearest(self, sample: int) -> int:
        """Return the number of the part that begins nearest to a sample."""
        return self._index + round((sample - self._anchor) / self.part_samples)

    def begin_of(self, part: int) -> float:
        """Return where a part begins, in samples."""
        return self._anchor + (part - self._index) * self.part_samples

    def beats(self, sample: int) -> float:
        """Return the number of beats since part 0."""
        return (sample - self.begin_of(0)) / (self.part_samples * self._parts)

    def part_in_beat(self, part: int) -> int:
        """Return a part's number within its beat, from 0."""
        return part % self._parts

    def end_after(self, at: int) -> int:
        """Return where the part after the one nearest to `at` begins, in whole samples."""
        return math.floor(self.begin_of(self.nearest(at) + 1) + 0.5)
