"""Training and validation split of a dataset, and the segments of an epoch.

Every frame is seen in every epoch, and none is in both parts of the split.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from files.errors import ParameterError
from synth.dataset import AudioDataset, AudioFile

VALIDATION_SHARE = 0.05  # of the audio
MAX_VALIDATION_SECONDS = 120.0  # at most; more would only cost time
END_SECONDS = 10.0  # from the end of a long file: many ends are better than one whole file


def split_files(
    dataset: AudioDataset, segment_frames: int, *, random_seed: int
) -> tuple[list[AudioFile], list[AudioFile]]:
    """Split a dataset into training and validation files.

    For validation, short files are taken whole, chosen by the random seed; of long files, or of a
    single one, only the end is taken.

    Raises
    ------
    ParameterError
        If there is less audio than one segment for each part.
    """
    total = dataset.n_frames
    second = dataset.settings.frame_rate
    if total < 2 * segment_frames:
        raise ParameterError(
            f"{dataset.seconds:.2f} s of audio are too little: at least"
            f" {2 * segment_frames / second:.2f} s are needed, one segment to train on and one for"
            " validation; add audio"
        )
    wanted = max(min(VALIDATION_SHARE * total, MAX_VALIDATION_SECONDS * second), segment_frames)
    if len(dataset.files) == 1:
        start, end = _cut(dataset.files[0], total - int(wanted))
        return [start], [end]
    return _split_many(dataset, segment_frames, wanted, random_seed)


def _split_many(
    dataset: AudioDataset, segment_frames: int, wanted: float, random_seed: int
) -> tuple[list[AudioFile], list[AudioFile]]:
    """Move files, or their ends, to validation until it has `wanted` frames."""
    second = dataset.settings.frame_rate
    usual = int(END_SECONDS * second)
    most = int(MAX_VALIDATION_SECONDS * second)
    n_long = sum(file.n_frames > 2 * usual for file in dataset.files)
    longest = max(usual, -int(-wanted // max(n_long, 1)), segment_frames)
    n_wanted = int(wanted)
    train = list(dataset.files)
    validation: list[AudioFile] = []
    n_validation = 0
    for index in np.random.default_rng(random_seed).permutation(len(dataset.files)):
        file = dataset.files[index]
        end = min(longest, max(n_wanted - n_validation, usual), most - n_validation)
        rest = file.n_frames - max(end, segment_frames)
        if file.n_frames > 2 * longest or (n_validation + file.n_frames > most and rest > 0):
            start, end_of_file = _cut(file, rest)
            train[train.index(file)] = start
            file = end_of_file
        elif len(train) > 1:
            train.remove(file)
        else:
            break
        validation.append(file)
        n_validation += file.n_frames
        if n_validation >= n_wanted:
            break
    return train, validation


def _cut(file: AudioFile, n_frames: int) -> tuple[AudioFile, AudioFile]:
    """Cut a file into its first `n_frames` frames and the rest."""
    start = AudioFile(file.name, file.start_frame, n_frames)
    end = AudioFile(file.name, file.start_frame + n_frames, file.n_frames - n_frames)
    return start, end


class Segments:
    """Segments of `n_frames` frames of some files of a dataset.

    Shorter files are padded with silence, and counted in `n_padded`.
    """

    def __init__(self, dataset: AudioDataset, files: Sequence[AudioFile], n_frames: int) -> None:
        self.dataset = dataset
        self.files = files
        self.n_frames = n_frames
        self.n_padded = sum(file.n_frames < n_frames for file in files)

    def starts(self, rng: np.random.Generator) -> list[tuple[AudioFile, int]]:
        """Return (file, first frame) of an epoch's segments in random order.

        Segments lie side by side from a random offset in each file, so that none is left out.
        """
        found = []
        for file in self.files:
            last = max(file.n_frames - self.n_frames, 0)
            shift = int(rng.integers(self.n_frames)) if last else 0
            starts = np.arange(-shift, file.n_frames, self.n_frames).clip(0, last)
            found += [(file, int(start)) for start in np.unique(starts)]
        return [found[i] for i in rng.permutation(len(found))]

    def batches(
        self,
        rng: np.random.Generator,
        batch_size: int,
        *,
        skip: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch, the last one filled up with the first segments.

        Parameters
        ----------
        skip : int
            Batches left out at the start.
        share : (int, int)
            Rank and world size: each process gets its own part of every batch.

        Yields
        ------
        Audio (batch, n_frames * hop_length) and log-mel (batch, n_mels, n_frames).
        """
        starts = self.starts(rng)
        rank, world_size = share
        whole = batch_size * world_size
        n_batches = -(-len(starts) // whole)
        starts = [starts[i % len(starts)] for i in range(n_batches * whole)]
        for index in range(skip, n_batches):
            first = index * whole + rank * batch_size
            yield self.cut(starts[first : first + batch_size])

    def cut(self, starts: Sequence[tuple[AudioFile, int]]) -> tuple[Tensor, Tensor]:
        """Return audio and log-mel at each (file, first frame), shapes as in `batches`."""
        settings = self.dataset.settings
        audio = np.zeros((len(starts), self.n_frames * settings.hop_length), np.float32)
        mel = np.full((len(starts), settings.n_mels, self.n_frames), settings.silence, np.float32)
        for row, (file, start) in enumerate(starts):
            stop = min(start + self.n_frames, file.n_frames)
            samples = self.dataset.audio_of(file, start, stop)
            audio[row, : len(samples)] = samples
            mel[row, :, : stop - start] = self.dataset.mel_of(file, start, stop)
        return torch.from_numpy(audio), torch.from_numpy(mel)
