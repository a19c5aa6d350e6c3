"""What lies between the thread that computes and those of the audio device.

    worker ──► write(block, tail)          fill(out) ◄── device

        taken │ ahead: blocks that are certain │ tail: what plays if no block comes in time
              └► position

Blocks are never copied while the lock is held, and never changed: `fill` only notes what it takes.
Who comes first decides. If the device had to take from the tail, the next block is refused, since
it was made to follow the blocks before it; `run_on` says how much of the tail has become certain,
so that a block can be made that follows this.
"""

import threading
from collections import deque

import numpy as np

FADE_SAMPLES = 256  # 6 ms at 44.1 kHz: at both ends of a gap


class OutputRing:
    """Blocks for the output of a device, float32, (any, channels), in time order.

    One thread writes and another one takes.

    Attributes
    ----------
    position : int
        Samples taken so far, without those of gaps.
    ahead : int
        Samples that are certain and not yet taken.
    late : int
        Times that the device took from the tail.
    underruns : int
        Times that the device had nothing to play. Around such a gap the sound is faded.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.position = 0
        self.ahead = 0
        self.late = 0
        self.underruns = 0
        self._lock = threading.Lock()
        self._blocks: deque[np.ndarray] = deque()
        self._tail = np.empty((0, channels), np.float32)
        self._ran_on = 0  # samples of the tail taken since it was written
        self._has_begun = False
        self._is_finished = False
        self._is_gap = False
        self._gain = 1.0

    def write(self, block: np.ndarray, tail: np.ndarray) -> bool:
        """Add a block, and what plays after it if nothing else comes in time.

        Returns False, and changes nothing, if the device has taken from the tail meanwhile: call
        `run_on`. The ring keeps both arrays; do not change them.
        """
        with self._lock:
            if self._ran_on:
                return False
            self._blocks.append(block)
            self.ahead += len(block)
            self._tail = tail
            self._has_begun = True
            return True

    def run_on(self, least: int = 0) -> int:
        """Make the part of the tail certain that was taken, and more until `least` are ahead.

        Returns the number of samples that have become certain, 0 if there was no need; the next
        block must follow them.
        """
        with self._lock:
            taken = self._ran_on
            self._ran_on = 0
            until = taken + min(max(least - self.ahead, 0), len(self._tail) - taken)
            if until > taken:
                self._blocks.append(self._tail[taken:until])
                self.ahead += until - taken
            self._tail = self._tail[until:]
            return until

    def finish(self) -> int:
        """Take note that nothing more comes: the tail is faded out, then there is silence.

        Returns how many samples of the tail were taken before, as `run_on`.
        """
        with self._lock:
            taken = self._ran_on
            last = self._tail[taken : taken + FADE_SAMPLES]
            gains = np.linspace(1, 0, len(last), endpoint=False, dtype=np.float32)
            self._blocks.append(last * gains[:, np.newaxis])
            self.ahead += len(last)
            self._tail = self._tail[:0]
            self._ran_on = 0
            self._is_finished = True
            return taken

    def fill(self, out: np.ndarray) -> int:
        """Fill an array, float32, (n, channels), with the next samples.

        Returns how many of them come from the tail.
        """
        with self._lock:
            pieces = self._take_blocks(len(out))
            n_certain = sum(map(len, pieces))
            tail, left = self._take_tail(len(out) - n_certain)
        at = 0
        for piece in (*pieces, tail):
            out[at : at + len(piece)] = piece
            at += len(piece)
        out[at:] = 0
        if len(out) and (self._gain < 1 or left < FADE_SAMPLES):
            self._fade(out, n_certain, n_certain + len(tail) + left - FADE_SAMPLES)
        return len(tail)

    def _take_blocks(self, n_samples: int) -> list[np.ndarray]:
        pieces: list[np.ndarray] = []
        wanted = min(n_samples, self.ahead)
        self.ahead -= wanted
        self.position += wanted
        if wanted:
            self._is_gap = False
        while wanted:
            block = self._blocks.popleft()
            if len(block) > wanted:
                self._blocks.appendleft(block[wanted:])
                block = block[:wanted]
            pieces.append(block)
            wanted -= len(block)
        return pieces

    def _take_tail(self, n_samples: int) -> tuple[np.ndarray, int]:
        """Return samples of the tail, and how many more of it there are."""
        if self._is_finished or not self._has_begun or not n_samples:
            return self._tail[:0], FADE_SAMPLES
        tail = self._tail[self._ran_on : self._ran_on + n_samples]
        if len(tail) and not self._ran_on:
            self.late += 1
        self._ran_on += len(tail)
        self.position += len(tail)
        left = len(self._tail) - self._ran_on
        if left < FADE_SAMPLES and not self._is_gap:
            self._is_gap = True
            self.underruns += 1
        return tail, left

    def _fade(self, out: np.ndarray, n_certain: int, fades_at: int) -> None:
        """Fade in what is certain after a gap, and fade out the tail before one."""
        falls_at = min(max(fades_at, n_certain), len(out))
        gains = np.empty(len(out), np.float32)
        rising = np.arange(1, falls_at + 1) / FADE_SAMPLES
        np.minimum(self._gain + rising, 1, out=gains[:falls_at])
        last = self._gain if falls_at == 0 else float(gains[falls_at - 1])
        falling = np.arange(1, len(out) - falls_at + 1) / FADE_SAMPLES
        np.maximum(last - falling, 0, out=gains[falls_at:])
        self._gain = float(gains[-1])
        out *= gains[:, np.newaxis]


class InputRing:
    """What a device has heard, float32, (any, channels), until it is read.

    Attributes
    ----------
    waiting : int
        Samples not yet read.
    overruns : int
        Times that samples were lost: more than `capacity` waited, and the oldest were dropped.
    """

    def __init__(self, capacity: int, channels: int) -> None:
        self.overruns = 0
        self._capacity = capacity
        self._lock = threading.Lock()
        self._blocks: deque[np.ndarray] = deque()
        self.waiting = 0
        self._nothing = np.empty((0, channels), np.float32)

    def write(self, block: np.ndarray) -> None:
        """Add a copy of the next samples."""
        kept = block.copy()
        with self._lock:
            self._blocks.append(kept)
            self.waiting += len(kept)
            if self.waiting > self._capacity:
                self.overruns += 1
            while self.waiting > self._capacity:
                self.waiting -= len(self._blocks.popleft())

    def read(self) -> np.ndarray:
        """Return all samples that wait, and forget them."""
        with self._lock:
            blocks = list(self._blocks)
            self._blocks.clear()
            self.waiting = 0
        return np.concatenate(blocks) if blocks else self._nothing
