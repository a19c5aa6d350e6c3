"""A tape: samples in an append-only file, so that older audio on it stays readable."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from files.atomic import writing_errors

REMEDY = "free some space, then try again"
BLOCK_SAMPLES = 4096  # per block, whose highest and lowest values are kept in memory
SILENCE = -1


class Piece(NamedTuple):
    """`n_samples` on a tape, from `at` on; silence if `at` is `SILENCE`."""

    at: int
    n_samples: int


class Tape:
    """Samples in a nameless file, which is removed with the last audio on it.

    Several threads may read while one appends.
    """

    def __init__(self, channels: int, folder: Path) -> None:
        """Begin an empty tape.

        Raises
        ------
        ParameterError
            If no file can be made in `folder`.
        """
        self.channels = channels
        self.n_samples = 0
        self._folder = folder
        self._highest = dict[int, float]()  # by number of the block
        self._lowest = dict[int, float]()
        with writing_errors(folder, REMEDY):
            folder.mkdir(parents=True, exist_ok=True)
            # closed with the tape, by the finalizer
            file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._handle = file.fileno()
        weakref.finalize(self, file.close)

    def begin_another(self) -> "Tape":
        """Return an empty tape with the same channels and folder; raises as `Tape`."""
        return Tape(self.channels, self._folder)

    def append(self, blocks: Iterable[np.ndarray]) -> Piece:
        """Write blocks of samples, (any, channels), as one piece."""
        start = -(-self.n_samples // BLOCK_SAMPLES) * BLOCK_SAMPLES
        at = start
        waiting = np.empty((0, self.channels), np.float32)
        for block in blocks:
            waiting = np.concatenate([waiting, block])
            whole = len(waiting) // BLOCK_SAMPLES * BLOCK_SAMPLES
            self._write(waiting[:whole], at)
            at += whole
            waiting = waiting[whole:]
        self._write(waiting, at)
        self.n_samples = at + len(waiting)
        return Piece(start, self.n_samples - start)

    def read_into(self, out: np.ndarray, at: int) -> None:
        """Fill `out`, float32, C order, (n_samples, channels), from `at` on."""
        rest = out.data.cast("B") if out.size else memoryview(b"")
        offset = at * self.channels * out.itemsize
        while rest:
            n_read = os.preadv(self._handle, [rest], offset)
            if not n_read:
                raise EOFError(f"the tape ends before sample {at + len(out)}")
            rest = rest[n_read:]
            offset += n_read

    def extremes(self, at: int, n_samples: int) -> tuple[float, float]:
        """Return the highest and the lowest of some samples."""
        first = -(-at // BLOCK_SAMPLES)
        last = (at + n_samples) // BLOCK_SAMPLES
        if first >= last:
            return self._measure(at, n_samples)
        whole_blocks = [(self._highest[block], self._lowest[block]) for block in range(first, last)]
        head = self._measure(at, first * BLOCK_SAMPLES - at)
        tail = self._measure(last * BLOCK_SAMPLES, at + n_samples - last * BLOCK_SAMPLES)
        highest, lowest = zip(*whole_blocks, head, tail, strict=True)
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
        with writing_errors(self._folder, REMEDY):
            while rest:
                n_written = os.pwrite(self._handle, rest, offset)
                rest = rest[n_written:]
                offset += n_written
