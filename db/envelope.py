"""The energy envelope of a signal: where it is quiet, and where it rises most steeply."""

import numpy as np

ENVELOPE_SAMPLES = 64  # samples in a block, 1.5 ms at 44.1 kHz: shorter than any audible attack
ATTACK_BLOCKS = 8  # blocks compared on either side of an attack, 12 ms
BACK_BLOCKS = 16  # a unit begins at most this many blocks before the steepest rise, 23 ms
# a block within this factor (3 dB) of the quietest one's energy is as good; the latest is taken
QUIET = 2.0


class Envelope:
    """The energy of each block of `ENVELOPE_SAMPLES`, and the sample in it nearest to zero.

    Add the whole signal, then call `finish` before using anything else.
    """

    def __init__(self) -> None:
        self._rest = np.empty(0, np.float32)
        self._energies: list[np.ndarray] = []
        self._nearest_to_zero: list[np.ndarray] = []

    def add(self, samples: np.ndarray) -> None:
        """Add the next samples, float32, shape (n_samples,)."""
        signal = np.concatenate([self._rest, samples])
        whole = len(signal) // ENVELOPE_SAMPLES * ENVELOPE_SAMPLES
        blocks = signal[:whole].reshape(-1, ENVELOPE_SAMPLES)
        self._rest = signal[whole:]
        self._energies.append(np.einsum("bs,bs->b", blocks, blocks))
        self._nearest_to_zero.append(np.abs(blocks).argmin(axis=1).astype(np.uint8))

    def finish(self) -> None:
        """Join the blocks that were added."""
        self.energy = np.concatenate(self._energies)
        self.nearest_to_zero = np.concatenate(self._nearest_to_zero)

    @property
    def n_blocks(self) -> int:
        return len(self.energy)

    def start_of_attack(self, first_sample: int, last_sample: int) -> int:
        """Return the last quiet sample before the steepest rise between two samples."""
        ends = (first_sample // ENVELOPE_SAMPLES, last_sample // ENVELOPE_SAMPLES)
        first, last = np.clip(ends, 0, self.n_blocks)
        if last - first < 1:
            return 0
        steepest = first + self._steepest_rise(first, last)
        return self.quiet_sample(max(steepest - BACK_BLOCKS, 0), steepest)

    def _steepest_rise(self, first: int, last: int) -> int:
        """Return the block, counted from `first`, at which the energy rises by most decibels."""
        padded = np.pad(
            self.energy[max(first - ATTACK_BLOCKS, 0) : last + ATTACK_BLOCKS],
            (max(ATTACK_BLOCKS - first, 0), ATTACK_BLOCKS),
        )
        cumulated = np.concatenate([[0.0], np.cumsum(padded, dtype=np.float64)])
        around = np.arange(last - first) + ATTACK_BLOCKS
        before = cumulated[around] - cumulated[around - ATTACK_BLOCKS]
        after = cumulated[around + ATTACK_BLOCKS] - cumulated[around]
        noise = 1e-3 * max(float(after.max()), 1e-12)
        return int(np.argmax(np.log(after + noise) - np.log(before + noise)))

    def attacks_near(self, samples: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """Find the steepest rise within `reach` samples of each of several samples.

        Returns
        -------
        attacks : ndarray, float64, shape (n,), in samples
        rises : ndarray, float64, shape (n,)
            How much the energy rises there, as a natural logarithm.
        """
        n = self.n_blocks
        around = int(reach / ENVELOPE_SAMPLES)
        near = (samples / ENVELOPE_SAMPLES).astype(np.int64)[:, None]
        blocks = np.clip(near + np.arange(-around, around + 1), 0, n)
        cumulated = np.concatenate([[0.0], np.cumsum(self.energy, dtype=np.float64)])
        here = cumulated[blocks]
        before = here - cumulated[np.maximum(blocks - ATTACK_BLOCKS, 0)]
        after = cumulated[np.minimum(blocks + ATTACK_BLOCKS, n)] - here
        noise = 1e-3 * np.maximum(after.max(axis=1, keepdims=True), 1e-12)
        rises = np.log(after + noise) - np.log(before + noise)
        steepest = rises.argmax(axis=1)
        row = np.arange(len(samples))
        return blocks[row, steepest] * float(ENVELOPE_SAMPLES), rises[row, steepest]

    def quiet_sample(self, first: int, last: int) -> int:
        """Return a quiet sample in the blocks from `first` to `last`.

        It is the sample nearest to zero in the latest block that is about as quiet as the quietest.
        """
        energy = self.energy[first : last + 1]
        block = first + int(np.flatnonzero(energy <= QUIET * energy.min())[-1])
        return block * ENVELOPE_SAMPLES + int(self.nearest_to_zero[block])
