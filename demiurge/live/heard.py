"""What sounded lately, of the input or of the session itself, as a sequence of units."""

from collections import deque

import numpy as np

MOST_STEPS = 256  # 6 s of frames, half a minute of sixteenth notes


class Heard:
    """The latest steps: their descriptors, and how long each lasted."""

    def __init__(self) -> None:
        self._rows: deque[np.ndarray] = deque(maxlen=MOST_STEPS)
        self._lengths: deque[int] = deque(maxlen=MOST_STEPS)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: np.ndarray, n_samples: int) -> None:
        """Take note of a step: raw descriptors (n_descriptors,)."""
        self._rows.append(row)
        self._lengths.append(n_samples)

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()
        self._lengths.clear()

    @property
    def rows(self) -> np.ndarray:
        """Raw descriptors, float32, (steps, n_descriptors)."""
        return np.stack(self._rows).astype(np.float32)

    @property
    def step_samples(self) -> np.ndarray:
        """Length of each step, int64, (steps,)."""
        return np.array(self._lengths, np.int64)
