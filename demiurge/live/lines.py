"""All voices of a session together."""

from collections.abc import Iterator

import numpy as np

from demiurge.live.corpus import Corpus
from demiurge.live.knobs import MOST_VOICES
from demiurge.live.line import Line
from playback.options import CrossfadeOptions
from playback.steps import Step


class Lines:
    """As many lines as there can be voices; those that are not asked for rest."""

    def __init__(self, corpus: Corpus, crossfade: CrossfadeOptions) -> None:
        self._channels = corpus.channels
        self._lines = [
            Line(
                corpus.database,
                corpus.reader,
                voice,
                channels=corpus.channels,
                crossfade=crossfade,
            )
            for voice in range(MOST_VOICES)
        ]

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    @property
    def next_at(self) -> int:
        """The sample at which the next unit of the first voice begins."""
        return self._lines[0].next_at

    @property
    def are_resting(self) -> bool:
        """Whether nothing plays."""
        return all(line.is_resting for line in self._lines)

    def others(self, line: Line) -> tuple[int, ...]:
        """Return the units that all but one play."""
        return tuple(other.past.last for other in self._lines if other is not line)

    def mark(self) -> None:
        """Let `take_back` return to this moment."""
        for line in self._lines:
            line.mark()

    def take_back(self) -> None:
        """Forget what was played since the last `mark`."""
        for line in self._lines:
            line.take_back()

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the sum of all, float32, (stop - start, channels); see `Line.read`."""
        block = np.zeros((stop - start, self._channels), np.float32)
        for line in self._lines:
            block += line.read(start, stop)
        return block

    def preview(self, start: int, stop: int) -> np.ndarray:
        """Return the sum of what would sound if nothing were chosen; see `Line.preview`."""
        block = np.zeros((stop - start, self._channels), np.float32)
        for line in self._lines:
            block += line.preview(start, stop)
        return block

    def run_on(self, start: int, stop: int) -> list[tuple[Step, int]]:
        """Play what `preview` gave; return the steps, each with the unit that runs on."""
        steps: list[tuple[Step, int]] = []
        for line in self._lines:
            if line.can_run_on:
                unit = line.past.last
                steps += [(step, unit) for step in line.run_on(stop)]
            else:
                line.rest(max(stop - line.next_at, 1))
            line.read(start, stop)
        return steps

    def rest_until_phase(self, phase: int, step_samples: int) -> None:
        """Rest until units begin at `phase` and multiples of a step after it."""
        for line in self._lines:
            line.rest((phase - line.next_at) % step_samples)
