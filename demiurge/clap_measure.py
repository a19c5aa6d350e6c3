"""CLAP's vectors as descriptors: of the 10 s around every frame.

    signal   |····················································|
    windows  |====== 10 s ======|                                      one a second
               |====== 10 s ======|   …        |====== 10 s ======|    the last ends with the signal
    frames   between the middles of two windows: between their vectors, on a straight line

A signal of less than 10 s is one window.
"""

import numpy as np

from audio.resample import Resampling
from demiurge.model_descriptors import one_at_a_time
from synth.clap import Clap, unit_length, window_starts

HOP_SECONDS = 1.0  # between windows: CLAP computes ten times as much as it hears


class ClapMeasure:
    """Measures one signal; see `db.model_descriptor.ModelMeasure`."""

    def __init__(self, clap: Clap, sample_rate: int, hop_length: int) -> None:
        self._clap = clap
        self._sample_rate = sample_rate
        self._hop_length = hop_length
        self._resampling = Resampling(sample_rate, clap.sample_rate)
        self._window = clap.window_samples
        self._hop = round(HOP_SECONDS * clap.sample_rate)
        self._n_samples = 0  # as given
        self._first = 0  # sample at CLAP's rate with which the buffer begins
        self._buffer = np.zeros(0, np.float32)
        self._vectors: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:
        self._n_samples += len(block)
        with one_at_a_time():
            self._take(self._resampling.add(block))

    def finish(self) -> np.ndarray:
        with one_at_a_time():
            self._take(self._resampling.finish())
            n_samples = self._first + len(self._buffer)
            starts = window_starts(n_samples, self._window, self._hop)
            for start in starts[len(self._vectors) :]:
                self._measure(start)
        middles = np.array(starts) + min(n_samples, self._window) / 2
        return self._of_frames(middles / self._clap.sample_rate)

    def _take(self, block: np.ndarray) -> None:
        """Measure all windows that are not the last, and keep what the last may need."""
        self._buffer = np.concatenate([self._buffer, block])
        stop = self._first + len(self._buffer)
        while (start := len(self._vectors) * self._hop) + self._window < stop:
            self._measure(start)
        needed = max(min(start, stop - self._window), 0)
        self._buffer = self._buffer[max(needed - self._first, 0) :]
        self._first = max(needed, self._first)

    def _measure(self, start: int) -> None:
        window = self._buffer[start - self._first :][: self._window]
        self._vectors.append(self._clap.window(window))

    def _of_frames(self, middles: np.ndarray) -> np.ndarray:
        """Return the vector at the middle of each frame, given those of windows, in seconds."""
        vectors = np.stack(self._vectors)
        n_frames = -(-self._n_samples // self._hop_length)
        edges = np.minimum(np.arange(n_frames + 1) * self._hop_length, self._n_samples)
        wanted = (edges[:-1] + edges[1:]) / 2 / self._sample_rate
        places = np.interp(wanted, middles, np.arange(len(middles)))
        before = places.astype(np.int64)
        after = np.minimum(before + 1, len(vectors) - 1)
        share = (places - before)[:, None]
        return unit_length((1 - share) * vectors[before] + share * vectors[after])
