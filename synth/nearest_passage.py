"""Find the passage of a folder of audio that fits best into a gap, to be copied there."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from synth.dataset import AudioDataset, AudioFile

STEP_FRAMES = 4  # between passages that are compared, 46 ms at 22.05 kHz / 256
BLOCK_PASSAGES = 512  # compared at a time: 30 MB


@dataclass(frozen=True)
class Gap:
    """A gap in log-mel `mel` (n_mels, frames), between `context` frames at each end.

    A passage to fill it is not taken from the file called `name`.
    """

    mel: np.ndarray
    context: int
    name: str | None = None

    @property
    def surroundings(self) -> np.ndarray:
        """What is on both sides, (n_mels * 2 * context,)."""
        return _surroundings(self.mel[None], self.context)[0]


def fill_gaps(gaps: list[Gap], dataset: AudioDataset) -> list[np.ndarray]:
    """Return for each gap the passage with the nearest surroundings, by Euclidean distance.

    Parameters
    ----------
    gaps : list of Gap
        Of equal shapes and contexts, in the mel settings of the dataset.

    Returns
    -------
    list of ndarray, float32, shape (n_mels, frames - 2 * context)
        Without its surroundings. NaN where no file is long enough.
    """
    n_mels, frames = gaps[0].mel.shape
    context = gaps[0].context
    wanted = np.stack([gap.surroundings for gap in gaps])
    nearest = np.full(len(gaps), np.inf)
    found = np.full((len(gaps), n_mels, frames - 2 * context), np.nan, np.float32)
    for file in dataset.files:
        may_use = np.array([gap.name != file.name for gap in gaps])
        for passages in _passages(dataset, file, frames):
            others = _surroundings(passages, context)
            # |a - b|² - |a|², which has the same order for a gap
            distances = (others**2).sum(axis=1) - 2 * wanted @ others.T
            distances[~may_use] = np.inf
            best = distances.argmin(axis=1)
            least = distances[np.arange(len(gaps)), best]
            is_nearer = least < nearest
            nearest[is_nearer] = least[is_nearer]
            found[is_nearer] = passages[best[is_nearer], :, context : frames - context]
    return list(found)


def _passages(dataset: AudioDataset, file: AudioFile, frames: int) -> Iterator[np.ndarray]:
    """Yield passages of a file in blocks, each (n, n_mels, frames)."""
    starts = np.arange(0, file.n_frames - frames + 1, STEP_FRAMES)
    for block in np.split(starts, range(BLOCK_PASSAGES, len(starts), BLOCK_PASSAGES)):
        if len(block):
            mel = np.array(dataset.mel_of(file, int(block[0]), int(block[-1]) + frames))
            cut = np.lib.stride_tricks.sliding_window_view(mel, frames, axis=1)
            yield cut[:, ::STEP_FRAMES].transpose(1, 0, 2)


def _surroundings(passages: np.ndarray, context: int) -> np.ndarray:
    """(n, n_mels, frames) -> (n, n_mels * 2 * context), without the middle."""
    ends = np.concatenate([passages[..., :context], passages[..., -context:]], axis=2)
    return ends.reshape(len(passages), -1)
