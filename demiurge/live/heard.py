"""What sounded lately, of the input and of the session itself, as a sequence of units."""

from collections import deque

import numpy as np

MOST_STEPS = 1024  # of the input: 24 s of frames, two minutes of sixteenth notes
MOST_OWN_STEPS = 256
OWN_SECONDS = 6.0  # of what was played, after what was heard, which it must not supersede

_Steps = deque[tuple[np.ndarray, int, bool]]  # and whether it is quiet


class Heard:
    """The latest steps of the input, and of the session: descriptors and length of each."""

    def __init__(self, n_descriptors: int, sample_rate: int) -> None:
        self._n_descriptors = n_descriptors
        self._most_own = OWN_SECONDS * sample_rate
        self._input: _Steps = deque(maxlen=MOST_STEPS)
        self._own: _Steps = deque(maxlen=MOST_OWN_STEPS)

    def add_input(self, row: np.ndarray, n_samples: int, *, is_quiet: bool) -> None:
        """Take note of a step of the input while it sounds: raw descriptors (n_descriptors,)."""
        self._input.append((row, n_samples, is_quiet))

    def add_own(self, row: np.ndarray, n_samples: int) -> None:
        """Take note of a step that the session plays."""
        self._own.append((row, n_samples, False))

    def listen_again(self) -> None:
        """Forget what the session has played, since the input sounds again."""
        self._own.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._input.clear()
        self._own.clear()

    def until_now(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the input's steps, without the silence at their end, and what was played lately.

        Returns
        -------
        rows : ndarray, float32, shape (steps, n_descriptors), raw
        step_samples : ndarray, int64, shape (steps,)
        """
        heard = list(self._input)
        while heard and heard[-1][2]:
            heard.pop()
        own = list(self._own)
        if heard:
            lasting = np.cumsum([n_samples for _, n_samples, _ in own[::-1]])
            own = own[len(own) - int(np.searchsorted(lasting, self._most_own)) :]
        steps = heard + own
        rows = np.array([row for row, _, _ in steps], np.float32)
        lengths = np.array([n_samples for _, n_samples, _ in steps], np.int64)
        return rows.reshape(len(steps), self._n_descriptors), lengths
