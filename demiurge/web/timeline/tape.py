"""The sound of a plan, in pieces of a file that only grows: an edit adds the piece that it changed
and takes the rest over.

    tape        |....A....|........B........|..C..|        samples, in the order in which they were made
    recording    A[0:3]  C  B[2:9]                         pieces of it, in the order in which they are heard

A recording never changes, so whoever reads one is not disturbed by an edit, which makes another.
"""

import os
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audio.decibels import to_amplitude
from audio.pcm import PCM_24_SCALE
from files.errors import ParameterError
from playback.diff import Change
from playback.levels import SAFE_PEAK_DB

BLOCK_SAMPLES = 4096  # of which the highest and lowest are remembered
READ_SAMPLES = 1 << 18  # read at a time
SPARE_SAMPLES = (
    1 << 24
)  # of a tape may be of no use any more before what is of use moves to another
SILENCE = -1


class Piece(NamedTuple):
    """Samples on a tape from `at` on; or of silence."""

    at: int
    n_samples: int


class Tape:
    """Samples in a file without a name, which goes away with the last recording on it.

    Several threads may read.
    """

    def __init__(self, channels: int, folder: Path) -> None:
        """Begin an empty tape.

        Raises
        ------
        ParameterError
            If there can be no file in `folder`.
        """
        self.channels = channels
        self.n_samples = 0
        self._folder = folder
        # by number of the block
        self._highest = dict[int, float]()
        self._lowest = dict[int, float]()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with the tape
        except OSError as error:
            raise self._unwritable(error) from error
        self._handle = file.fileno()
        weakref.finalize(self, file.close)

    def append(self, blocks: Iterable[np.ndarray]) -> Piece:
        """Keep blocks of samples, (any, channels), as one piece."""
        start = at = -(-self.n_samples // BLOCK_SAMPLES) * BLOCK_SAMPLES
        waiting = np.empty((0, self.channels), np.float32)
        for block in blocks:
            waiting = np.concatenate([waiting, block])
            whole = len(waiting) // BLOCK_SAMPLES * BLOCK_SAMPLES
            self._write(waiting[:whole], at)
            at = at + whole
            waiting = waiting[whole:]
        self._write(waiting, at)
        self.n_samples = at + len(waiting)
        return Piece(start, self.n_samples - start)

    def read_into(self, out: np.ndarray, at: int) -> None:
        """Fill `out`, float32, C-order, (n_samples, channels), from `at` on."""
        rest = out.data.cast("B") if out.size else memoryview(b"")
        offset = at * self.channels * out.itemsize
        while rest:
            if not (n_read := os.preadv(self._handle, [rest], offset)):
                raise EOFError(f"the tape ends before sample {at + len(out)}")
            rest = rest[n_read:]
            offset = offset + n_read

    def extremes(self, at: int, n_samples: int) -> tuple[float, float]:
        """The highest and the lowest of some samples."""
        first = -(-at // BLOCK_SAMPLES)
        last = (at + n_samples) // BLOCK_SAMPLES
        if first >= last:
            return self._measure(at, n_samples)
        known = [(self._highest[block], self._lowest[block]) for block in range(first, last)]
        edges = (
            (at, first * BLOCK_SAMPLES - at),
            (last * BLOCK_SAMPLES, at + n_samples - last * BLOCK_SAMPLES),
        )
        highest, lowest = zip(*known, *(self._measure(*edge) for edge in edges), strict=True)
        return max(highest), min(lowest)

    def _measure(self, at: int, n_samples: int) -> tuple[float, float]:
        samples = np.empty((n_samples, self.channels), np.float32)
        self.read_into(samples, at)
        return float(samples.max(initial=0)), float(samples.min(initial=0))

    def _write(self, samples: np.ndarray, at: int) -> None:
        for start in range(0, len(samples), BLOCK_SAMPLES):
            block = samples[start : start + BLOCK_SAMPLES]
            number = (at + start) // BLOCK_SAMPLES
            self._highest[number] = float(block.max())
            self._lowest[number] = float(block.min())
        rest = np.ascontiguousarray(samples).data.cast("B") if samples.size else memoryview(b"")
        offset = at * self.channels * samples.itemsize
        try:
            while rest:
                n_written = os.pwrite(self._handle, rest, offset)
                rest = rest[n_written:]
                offset = offset + n_written
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ParameterError:
        return ParameterError(
            f"{self._folder}: the sound cannot be kept there ({error.strerror}); make room, then"
            " try again"
        )


class Recording:
    """Sound in pieces of a tape, float32."""

    def __init__(self, tape: Tape, pieces: Iterable[Piece]) -> None:
        self.tape = tape
        self.pieces = [piece for piece in pieces if piece.n_samples]
        self._ends = list(accumulate(piece.n_samples for piece in self.pieces))

    @property
    def n_samples(self) -> int:
        return self._ends[-1] if self._ends else 0

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples [start, stop), float32, (stop - start, channels)."""
        out = np.zeros((stop - start, self.tape.channels), np.float32)
        done = 0
        for piece in self._cut(start, stop):
            if piece.at != SILENCE:
                self.tape.read_into(out[done : done + piece.n_samples], piece.at)
            done += piece.n_samples
        return out

    def spliced(self, change: Change, anew: Piece) -> "Recording":
        """This one with a part of it made anew."""
        return Recording(
            self.tape,
            [*self._cut(0, change.start), anew, *self._cut(change.old_stop, self.n_samples)],
        ).condensed()

    def condensed(self) -> "Recording":
        """The same on a new tape, if too much of this one is of no use any more."""
        used = sum(piece.n_samples for piece in self.pieces if piece.at != SILENCE)
        if self.tape.n_samples < 2 * used + SPARE_SAMPLES:
            return self
        tape = Tape(self.tape.channels, self.tape._folder)
        return Recording(tape, [tape.append(self.blocks())])

    def blocks(self) -> Iterator[np.ndarray]:
        """All of it, in blocks of some length."""
        for start in range(0, self.n_samples, READ_SAMPLES):
            yield self.read(start, min(start + READ_SAMPLES, self.n_samples))

    @cached_property
    def gain_db(self) -> float:
        """What keeps it below full scale, as `playback.render` lowers what it writes."""
        extremes = [self.tape.extremes(*piece) for piece in self.pieces if piece.at != SILENCE]
        peak = max(
            (max(high / (1 - 1 / PCM_24_SCALE), -low) for high, low in extremes), default=0.0
        )
        return SAFE_PEAK_DB - 20 * float(np.log10(peak)) if peak > 1 else 0.0

    @property
    def gain(self) -> np.float32:
        """`gain_db` as a factor."""
        return np.float32(to_amplitude(self.gain_db))

    def peaks(self, n_samples: int) -> np.ndarray:
        """The highest of every so many samples of any channel, then the lowest, float32; as loud as
        it is heard.
        """
        size = max(READ_SAMPLES // n_samples, 1) * n_samples
        found = list[np.ndarray]()
        for start in range(0, self.n_samples, size):
            block = self.read(start, min(start + size, self.n_samples)).ravel()
            starts = np.arange(0, len(block), n_samples * self.tape.channels)
            found.append(
                np.stack([np.maximum.reduceat(block, starts), np.minimum.reduceat(block, starts)])
            )
        return np.concatenate([*found, np.empty((2, 0), np.float32)], axis=1).ravel() * self.gain

    def _cut(self, start: int, stop: int) -> Iterator[Piece]:
        """The pieces of [start, stop)."""
        number = bisect_right(self._ends, start)
        while start < stop:
            piece = self.pieces[number]
            skipped = start - (self._ends[number] - piece.n_samples)
            taken = min(piece.n_samples - skipped, stop - start)
            yield Piece(piece.at if piece.at == SILENCE else piece.at + skipped, taken)
            start = start + taken
            number = number + 1
