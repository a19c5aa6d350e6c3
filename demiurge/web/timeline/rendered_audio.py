"""Rendered audio of a plan, as pieces of a tape: an edit appends what changed and keeps the rest.

    tape     |....A....|........B........|..C..|    samples in the order in which they were rendered
    audio     A[0:3]  C  B[2:9]                     pieces of them in the order of the plan

Rendered audio is immutable: an edit makes a new one, and clients can still read the old one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import accumulate

import numpy as np

from audio.decibels import to_amplitude, to_decibels
from audio.pcm import PCM_24_SCALE
from demiurge.web.timeline.tape import SILENCE, Piece, Tape
from playback.diff import Change
from playback.levels import SAFE_PEAK_DB

READ_SAMPLES = 1 << 18  # at a time
SPARE_SAMPLES = 1 << 24  # that may be unused on a tape before the used ones are copied


class RenderedAudio:
    """Audio in pieces of a tape, float32."""

    def __init__(self, tape: Tape, pieces: Iterable[Piece], most_db: float = 0.0) -> None:
        """Make audio of pieces of a tape, whose gain is at most `most_db`."""
        self.tape = tape
        self._most_db = most_db
        self.pieces = [piece for piece in pieces if piece.n_samples]
        self._ends = list(accumulate(piece.n_samples for piece in self.pieces))

    @property
    def n_samples(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def channels(self) -> int:
        return self.tape.channels

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return samples [start, stop), float32, (stop - start, channels)."""
        out = np.zeros((stop - start, self.channels), np.float32)
        done = 0
        for piece in self._cut(start, stop):
            if piece.at != SILENCE:
                self.tape.read_into(out[done : done + piece.n_samples], piece.at)
            done += piece.n_samples
        return out

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all samples in blocks of bounded length."""
        for start in range(0, self.n_samples, READ_SAMPLES):
            yield self.read(start, min(start + READ_SAMPLES, self.n_samples))

    def spliced(self, change: Change, piece: Piece) -> "RenderedAudio":
        """Return this audio with the changed samples replaced by `piece`."""
        head = self._cut(0, change.start)
        tail = self._cut(change.old_stop, self.n_samples)
        return RenderedAudio(self.tape, [*head, piece, *tail])

    def condensed(self, spare_samples: int = SPARE_SAMPLES) -> "RenderedAudio":
        """Return the same audio, on a new tape if most of the old one is unused."""
        n_used = sum(piece.n_samples for piece in self.pieces if piece.at != SILENCE)
        if self.tape.n_samples < 2 * n_used + spare_samples:
            return self
        tape = self.tape.begin_another()
        return RenderedAudio(tape, [tape.append(self.blocks())])

    def at_most(self, gain_db: float) -> "RenderedAudio":
        """Return the same audio with this gain, or a lower one if it needs that."""
        return RenderedAudio(self.tape, self.pieces, gain_db)

    @cached_property
    def gain_db(self) -> float:
        """The gain that keeps it below full scale, 0 or less, as `playback.render` applies it."""
        extremes = [self.tape.extremes(*piece) for piece in self.pieces if piece.at != SILENCE]
        peaks = (max(high / (1 - 1 / PCM_24_SCALE), -low) for high, low in extremes)
        peak = max(peaks, default=0.0)
        own = SAFE_PEAK_DB - to_decibels(peak) if peak > 1 else 0.0
        return min(own, self._most_db)

    @property
    def gain(self) -> np.float32:
        """`gain_db` as a factor."""
        return np.float32(to_amplitude(self.gain_db))

    def peaks(self, n_samples: int) -> np.ndarray:
        """Return the highest value of every `n_samples` in any channel, then the lowest.

        They are float32, after `gain`.
        """
        size = max(READ_SAMPLES // n_samples, 1) * n_samples
        found = [np.empty((2, 0), np.float32)]
        for start in range(0, self.n_samples, size):
            block = self.read(start, min(start + size, self.n_samples)).ravel()
            starts = np.arange(0, len(block), n_samples * self.channels)
            highest = np.maximum.reduceat(block, starts)
            lowest = np.minimum.reduceat(block, starts)
            found.append(np.stack([highest, lowest]))
        return np.concatenate(found, axis=1).ravel() * self.gain

    def _cut(self, start: int, stop: int) -> Iterator[Piece]:
        """Yield the pieces of [start, stop)."""
        number = bisect_right(self._ends, start)
        while start < stop:
            piece = self.pieces[number]
            skipped = start - (self._ends[number] - piece.n_samples)
            n_taken = min(piece.n_samples - skipped, stop - start)
            at = piece.at if piece.at == SILENCE else piece.at + skipped
            yield Piece(at, n_taken)
            start += n_taken
            number += 1
