"""What sounded lately, of the input or of the session itself, as a sequence of units."""

from collections import deque

import numpy as np

SILENT_DB = -60.0
MOST_STEPS = 256  # 6 s of frames, half a minute of sixteenth notes


class Heard:
    """The latest steps: their descriptors, how long each lasted, and how loud it was."""

    def __init__(self, n_descriptors: int) -> None:
        self._n_descriptors = n_descriptors
        self._steps: deque[tuple[np.ndarray, int, float]] = deque(maxlen=MOST_STEPS)

    def add(self, row: np.ndarray, n_samples: int, level_db: float = 0.0) -> None:
        """Take note of a step: raw descriptors (n_descriptors,), its length and its level."""
        self._steps.append((row, n_samples, level_db))

    def clear(self) -> None:
        """Forget everything."""
        self._steps.clear()

    def until_silence(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the steps, without the silence at their end.

        Returns
        -------
        rows : ndarray, float32, shape (steps, n_descriptors), raw
        step_samples : ndarray, int64, shape (steps,)
        """
        steps = list(self._steps)
        while steps and steps[-1][2] < SILENT_DB:
            steps.pop()
        rows = np.array([row for row, _, _ in steps], np.float32)
        lengths = np.array([n_samples for _, n_samples, _ in steps], np.int64)
        return rows.reshape(len(steps), self._n_descriptors), lengths
