"""Describe a signal while it comes in: frame by frame, as soon as each window is complete.

The columns are those of the whole signal, given that nothing louder follows: the floor of MFCC is
80 dB below the loudest so far. Δ and ΔΔ look ahead, which cannot be done here:

    true Δ       frames t-4 … t+4        here   frames t-8 … t, weighted so that the true one is
                                                predicted best: by least squares over a corpus;
                                                without one, as if frame t were held
"""

from collections import deque

import numpy as np

from db.aggregate import unit_descriptors
from db.beat_grid import no_grid
from db.database import Database
from db.descriptors import DESCRIPTORS
from db.descriptors.frames import Frames
from db.settings import DescriptorSettings
from files.errors import ParameterError

FITTED_FRAMES = 20_000  # of a corpus, from which derivatives are learnt
RANDOM_SEED = 0


class FrameStream:
    """Frames of a mono signal at the settings' rate, as it comes in.

    Raises
    ------
    ParameterError
        If some of the descriptors are a model's.
    """

    def __init__(self, settings: DescriptorSettings) -> None:
        if settings.models:
            names = ", ".join(model.kind for model in settings.models)
            raise ParameterError(
                f"descriptors={','.join(settings.descriptors)}: an input cannot be described by"
                f" {names} while it comes in; play without an input, or build a database without"
                " them"
            )
        self._settings = settings
        centred = settings.window_centre == "span"
        first = (settings.hop_length // 2 if centred else 0) - settings.n_fft // 2
        self._buffer = np.zeros(max(-first, 0), np.float32)
        self._skip = max(first, 0)
        self._described = {name: _Described(name, settings) for name in settings.descriptors}

    def fit(self, database: Database) -> None:
        """Learn how to tell derivatives before they can be known, from the frames of a corpus."""
        rng = np.random.default_rng(RANDOM_SEED)
        parts: list[np.ndarray] = []
        for number in rng.permutation(len(database.sources)).tolist():
            parts.append(database.source_frames(number)[:FITTED_FRAMES])
            if sum(map(len, parts)) >= FITTED_FRAMES:
                break
        first = 0
        for described in self._described.values():
            stop = first + described.n_columns
            described.fit([part[:, first:stop] for part in parts])
            first = stop

    def add(self, block: np.ndarray) -> np.ndarray:
        """Take the next samples, float32, (n,); return the frames that are complete now.

        Returns
        -------
        ndarray, float32, shape (frames, len(settings.frame_names))
        """
        rows = [self.describe(frame) for frame in self.cut(block)]
        return np.array(rows, np.float32).reshape(-1, len(self._settings.frame_names))

    def cut(self, block: np.ndarray) -> list[Frames]:
        """Take the next samples; return each frame that is complete now by itself."""
        settings = self._settings
        skipped = min(self._skip, len(block))
        self._skip -= skipped
        self._buffer = np.concatenate([self._buffer, block[skipped:]])
        frames = []
        at = 0
        while at + settings.n_fft <= len(self._buffer):
            frames.append(Frames(self._buffer[at : at + settings.n_fft], settings))
            at += settings.hop_length
        self._skip += max(at - len(self._buffer), 0)
        self._buffer = self._buffer[at:]
        return frames

    def describe(self, frame: Frames) -> np.ndarray:
        """Return the columns of the next frame that `cut` gave, float32, (n_frame_names,)."""
        return np.concatenate([one.next(frame) for one in self._described.values()])

    def revised(self, rows: np.ndarray) -> np.ndarray:
        """Return the latest rows with derivatives that know the rows after them.

        Those of the last row stay. Half of `delta_width` rows at the start serve only as
        neighbours.
        """
        parts = []
        first = 0
        for described in self._described.values():
            stop = first + described.n_columns
            parts.append(described.revised(rows[:, first:stop]))
            first = stop
        return np.concatenate(parts, axis=1)


class _Described:
    """One descriptor of the frames of a signal."""

    def __init__(self, name: str, settings: DescriptorSettings) -> None:
        self._descriptor = DESCRIPTORS[name]
        self._settings = settings
        columns = settings.columns[name]
        self.n_columns = len(columns.names)
        self._n_static = len(columns.static_names)
        self._loudest: np.ndarray | None = None  # what was measured of the loudest frame
        self._lately: deque[np.ndarray] = deque(maxlen=settings.delta_width)  # static columns
        self._weights: np.ndarray | None = None  # of these, the oldest first, for each derivative

    def fit(self, parts: list[np.ndarray]) -> None:
        """Fit the weights on stretches of successive frames, (frames, n_columns)."""
        width = self._settings.delta_width
        if self._descriptor.derive is None:
            return
        n_derived = self.n_columns // self._n_static - 1
        windows: list[np.ndarray] = []
        wanted: list[np.ndarray] = []
        for part in parts:
            if len(part) < 2 * width:
                continue
            static = part[:, : self._n_static]
            scale = np.maximum(static.std(axis=0), 1e-6)
            view = np.lib.stride_tricks.sliding_window_view(static / scale, width, axis=0)
            windows.append((view - view[..., -1:]).reshape(-1, width))
            derived = part[width - 1 :, self._n_static :].reshape(-1, n_derived, self._n_static)
            wanted.append((derived / scale).transpose(0, 2, 1).reshape(-1, n_derived))
        if windows:
            x = np.concatenate(windows).astype(np.float64)
            y = np.concatenate(wanted).astype(np.float64)
            solution = np.linalg.lstsq(x[:, :-1], y, rcond=None)[0]  # (width - 1, derivatives)
            self._weights = np.concatenate([solution, -solution.sum(axis=0, keepdims=True)])

    def next(self, frame: Frames) -> np.ndarray:
        """Return the columns of the next frame, (n_columns,)."""
        measured = self._descriptor.measure(frame)
        if self._loudest is None or measured.max() > self._loudest.max():
            self._loudest = measured
        rows = self._descriptor.finish([self._loudest, measured], self._settings)
        row = rows[-1]
        if self._descriptor.derive is None:
            return row
        static = row[: self._n_static]
        self._lately.append(static)
        return np.concatenate([static, self._derived()])

    def _derived(self) -> np.ndarray:
        """Return the derivatives of the latest frame."""
        lately = np.array(self._lately)
        if self._weights is not None and len(lately) == len(self._weights):
            return (self._weights.T @ lately).ravel().astype(np.float32)
        return self._derive_held(lately)[-1, self._n_static :]

    def revised(self, rows: np.ndarray) -> np.ndarray:
        """Return rows as `FrameStream.revised`, (n, n_columns)."""
        if self._descriptor.derive is None:
            return rows
        return np.concatenate([self._derive_held(rows[:, : self._n_static])[:-1], rows[-1:]])

    def _derive_held(self, static: np.ndarray) -> np.ndarray:
        """Return all columns of successive frames, as if the last one were held."""
        assert self._descriptor.derive is not None
        held = np.repeat(static[-1:], self._settings.delta_width // 2, axis=0)
        rows = self._descriptor.derive(np.concatenate([static, held]), self._settings)
        return rows[: len(static)]


def describe_step(frames: np.ndarray, settings: DescriptorSettings) -> np.ndarray:
    """Return the descriptors of a unit that lasts for some frames, float32, (n_descriptors,).

    Its place in a beat is not known: these columns are those of no pulse.

    Parameters
    ----------
    frames : ndarray, float32, shape (n >= 1, len(settings.frame_names))
    """
    if settings.units == "frame":
        return frames[-1]
    n_samples = len(frames) * settings.hop_length
    grid = no_grid(n_samples, settings.sample_rate)
    return unit_descriptors(frames, np.array([n_samples]), settings, grid)[0]
