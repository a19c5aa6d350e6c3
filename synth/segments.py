"""Equal excerpts of recordings for training: every frame is heard in every epoch, and none in
training and judging both.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from files.errors import ParameterError
from synth.recordings import Recording, Recordings

HELD_OUT_SHARE = 0.05  # of the audio, judged on and never trained on, but
MAX_HELD_OUT_SECONDS = 120.0  # no more than this: more would only cost time
# held out of a recording, if that is not the half of it: of many, so that none stands for all
END_SECONDS = 10.0


def split_entries(
    recordings: Recordings, segment_frames: int, *, seed: int
) -> tuple[list[Recording], list[Recording]]:
    """Entries to train on and held-out ones: short recordings, chosen by the seed; of long ones,
    and of an only one, the end.

    Raises
    ------
    ParameterError
        If there is less audio than one segment for each part.
    """
    total = recordings.n_frames
    second = recordings.settings.frame_rate
    if total < 2 * segment_frames:
        raise ParameterError(
            f"{recordings.seconds:.2f} s of audio are too little: at least"
            f" {2 * segment_frames / second:.2f} s are needed, one segment to train on and one to"
            " judge; add recordings"
        )
    wanted = max(min(HELD_OUT_SHARE * total, MAX_HELD_OUT_SECONDS * second), segment_frames)
    if len(recordings.entries) == 1:
        (only,) = recordings.entries
        cut = total - int(wanted)
        return [Recording(only.name, 0, cut)], [Recording(only.name, cut, total - cut)]
    usual = int(END_SECONDS * second)
    most = int(MAX_HELD_OUT_SECONDS * second)
    n_long = sum(entry.n_frames > 2 * usual for entry in recordings.entries)
    longest = max(usual, -int(-wanted // max(n_long, 1)), segment_frames)
    train = list(recordings.entries)
    validation = []
    n_validation = 0
    for index in np.random.default_rng(seed).permutation(len(recordings.entries)):
        entry = recordings.entries[index]
        end = min(longest, max(int(wanted) - n_validation, usual), most - n_validation)
        rest = entry.n_frames - max(end, segment_frames)
        if entry.n_frames > 2 * longest or (n_validation + entry.n_frames > most and rest > 0):
            train[train.index(entry)] = Recording(entry.name, entry.start_frame, rest)
            entry = Recording(entry.name, entry.start_frame + rest, entry.n_frames - rest)
        elif len(train) > 1:
            train.remove(entry)
        else:
            break
        validation.append(entry)
        n_validation += entry.n_frames
        if n_validation >= int(wanted):
            break
    return train, validation


class Segments:
    """Segments of `n_frames` frames.

    Recordings that are shorter are followed by silence, and counted in `n_padded`.
    """

    def __init__(self, recordings: Recordings, entries: Sequence[Recording], n_frames: int) -> None:
        self.recordings = recordings
        self.entries = entries
        self.n_frames = n_frames
        self.n_padded = sum(entry.n_frames < n_frames for entry in entries)

    def places(self, rng: np.random.Generator) -> list[tuple[Recording, int]]:
        """An epoch in random order: places a segment apart, from a random offset in each recording,
        that leave out no frame.
        """
        found = []
        for entry in self.entries:
            last = max(entry.n_frames - self.n_frames, 0)
            shift = int(rng.integers(self.n_frames)) if last else 0
            starts = np.arange(-shift, entry.n_frames, self.n_frames).clip(0, last)
            found += [(entry, int(start)) for start in np.unique(starts)]
        return [found[i] for i in rng.permutation(len(found))]

    def batches(
        self,
        rng: np.random.Generator,
        batch_size: int,
        *,
        skip: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch: of `share` = (rank, number) processes each gets its own part of
        every batch.

        The last batch is filled up with the first segments. Yields audio (batch, n_frames *
        hop_length) and log-mel (batch, n_mels, n_frames).
        """
        places = self.places(rng)
        rank, number = share
        whole = batch_size * number
        n_batches = -(-len(places) // whole)
        places = [places[i % len(places)] for i in range(n_batches * whole)]
        for index in range(skip, n_batches):
            start = index * whole + rank * batch_size
            yield self.cut(places[start : start + batch_size])

    def cut(self, places: Sequence[tuple[Recording, int]]) -> tuple[Tensor, Tensor]:
        """Audio and log-mel at each (recording, first frame), shapes as above."""
        settings = self.recordings.settings
        audio = np.zeros((len(places), self.n_frames * settings.hop_length), np.float32)
        mel = np.full((len(places), settings.n_mels, self.n_frames), settings.silence, np.float32)
        for row, (entry, start) in enumerate(places):
            stop = min(start + self.n_frames, entry.n_frames)
            samples = self.recordings.audio_of(entry, start, stop)
            audio[row, : len(samples)] = samples
            mel[row, :, : stop - start] = self.recordings.mel_of(entry, start, stop)
        return torch.from_numpy(audio), torch.from_numpy(mel)
