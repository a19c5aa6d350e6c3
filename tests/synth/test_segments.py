"""Segments of a dataset, and its training and validation split."""

from collections import Counter

import numpy as np
import pytest
import torch

from files.errors import ParameterError
from synth.dataset import AudioDataset, AudioFile
from synth.mel import MelSettings
from synth.segments import VALIDATION_SHARE, Segments, split_files


def made(*n_frames, hop=4, n_mels=2):
    """Recordings whose every sample and mel value is the number of its frame, from 1."""
    files = [AudioFile(f"{i}.wav", sum(n_frames[:i]), n) for i, n in enumerate(n_frames)]
    settings = MelSettings(sample_rate=400, n_fft=16, hop_length=hop, n_mels=n_mels, f_max=200.0)
    numbers = np.arange(1, sum(n_frames) + 1, dtype=np.float32)
    mels = np.repeat(numbers[:, None], n_mels, axis=1)
    return AudioDataset(settings, tuple(files), {}, "made", {}, np.repeat(numbers, hop), mels)


@pytest.mark.parametrize("n_frames", [(100,), (7, 64, 65, 8, 9), (8, 16), (1, 300)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_every_frame_comes_out_in_every_epoch(n_frames, batch_size):
    dataset = made(*n_frames)
    segments = Segments(dataset, dataset.files, 8)
    for epoch in range(5):
        seen = Counter()
        for audio, mel in segments.batches(np.random.default_rng(epoch), batch_size):
            assert audio.shape == (batch_size, 32)
            assert mel.shape == (batch_size, 2, 8)
            assert audio.dtype == mel.dtype == torch.float32
            numbers = audio.reshape(batch_size, 8, 4)
            assert (numbers == numbers[:, :, :1]).all()
            heard = numbers[:, :, 0] > 0
            torch.testing.assert_close(mel[:, 0][heard], numbers[:, :, 0][heard])
            assert (mel[:, 0][~heard] == dataset.settings.silence).all()
            seen.update(numbers[:, :, 0].flatten().tolist())
        assert set(seen) - {0.0} == set(range(1, sum(n_frames) + 1))


def test_segments_never_cross_from_one_recording_into_the_next():
    dataset = made(20, 21, 22)
    files = [dataset.files[0], dataset.files[2]]
    for audio, _ in Segments(dataset, files, 8).batches(np.random.default_rng(0), 1):
        first = int(audio[0, 0])
        last = int(audio[0, -1])
        assert last - first == 7
        assert last <= 20 or first > 41


def test_short_recordings_are_followed_by_silence_and_counted():
    dataset = made(3, 8, 30, 7)
    segments = Segments(dataset, dataset.files, 8)
    assert segments.n_padded == 2
    ((audio, mel),) = Segments(dataset, dataset.files[:1], 8).batches(np.random.default_rng(0), 1)
    assert audio[0].reshape(8, 4)[:, 0].tolist() == [1, 2, 3, 0, 0, 0, 0, 0]
    assert mel[0, 0].tolist() == pytest.approx([1, 2, 3, *[dataset.settings.silence] * 5])


def test_epochs_differ_in_order_and_offset_and_the_seed_decides():
    dataset = made(100, 50)
    segments = Segments(dataset, dataset.files, 8)
    a, b, c = (segments.starts(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert a == b != c
    assert {start for file, start in a} != {start for file, start in c}
    assert abs(len(a) - (13 + 7)) <= 2


def test_the_last_batch_is_filled_up_with_the_first_segments():
    dataset = made(8, 8, 8)
    whole = [
        audio[:, 0]
        for audio, _ in Segments(dataset, dataset.files, 8).batches(np.random.default_rng(0), 5)
    ]
    assert len(whole) == 1
    numbers = whole[0].tolist()
    assert sorted(numbers[:3]) == [1, 9, 17]
    assert numbers[3:] == numbers[:2]


@pytest.mark.parametrize("number", [2, 3])
def test_shares_of_processes_are_disjoint_and_together_whole(number):
    dataset = made(*[8] * 4 * number)
    segments = Segments(dataset, dataset.files, 8)
    shares = [
        torch.cat(
            [
                audio[:, 0]
                for audio, _ in segments.batches(np.random.default_rng(3), 2, share=(rank, number))
            ]
        ).tolist()
        for rank in range(number)
    ]
    assert [len(share) for share in shares] == [4] * number
    assert sorted(number for share in shares for number in share) == [
        1 + 8 * i for i in range(4 * number)
    ]


def test_skipped_batches_are_those_before():
    dataset = made(100, 50)
    segments = Segments(dataset, dataset.files, 8)
    whole = list(segments.batches(np.random.default_rng(0), 3))
    for skip in range(len(whole) + 1):
        rest = list(segments.batches(np.random.default_rng(0), 3, skip=skip))
        assert len(rest) == len(whole) - skip
        for (a, _), (b, _) in zip(rest, whole[skip:], strict=True):
            assert torch.equal(a, b)


def test_split_is_disjoint_whole_and_by_seed():
    dataset = made(*[50] * 40)
    train, validation = split_files(dataset, 8, random_seed=0)
    assert len(validation) == 40 * VALIDATION_SHARE
    assert sorted([*train, *validation], key=lambda e: e.start_frame) == list(dataset.files)
    assert split_files(dataset, 8, random_seed=0) == (train, validation)
    assert any(split_files(dataset, 8, random_seed=seed)[1] != validation for seed in (1, 2, 3))


def test_split_holds_out_at_least_a_segment_and_no_more_than_two_minutes():
    train, validation = split_files(made(5, 5, 5, 5, 5), 9, random_seed=0)
    assert sum(file.n_frames for file in validation) == 10
    assert len(train) == 3
    rate = made(1).settings.frame_rate
    for seconds, number in (
        (60, 12),
        (20, 6),
        (19, 7),
    ):  # ends of ten seconds; whole ones where that is the half
        train, validation = split_files(made(*[int(seconds * rate)] * 200), 9, random_seed=0)
        assert len(validation) == number
        assert len({file.name for file in validation}) == number
        assert sum(file.n_frames for file in validation) == pytest.approx(120 * rate, abs=number)


def test_one_file_is_split_by_time():
    (train,), (validation,) = split_files(made(100), 8, random_seed=0)
    assert (train.start_frame, train.n_frames, validation.start_frame, validation.n_frames) == (
        0,
        92,
        92,
        8,
    )
    (train,), (validation,) = split_files(made(1000), 8, random_seed=1)
    assert (train.n_frames, validation.n_frames) == (950, 50)


@pytest.mark.parametrize("seed", range(8))
def test_of_long_recordings_only_the_end_is_validation(seed):
    """30 000 frames are five minutes here; a twentieth of all, 3 001 frames, is wanted."""
    dataset = made(30_000, 20, 30_000)
    train, validation = split_files(dataset, 8, random_seed=seed)
    assert (
        sum(file.n_frames for file in validation) == 3001
    )  # with the short one, where it is among them
    parts = sorted([*train, *validation], key=lambda file: file.start_frame)
    assert [file.start_frame for file in parts] == np.cumsum(
        [0, *(file.n_frames for file in parts)]
    )[:-1].tolist()
    assert sum(file.n_frames for file in parts) == dataset.n_frames
    ends = {file.start_frame + file.n_frames for file in dataset.files}
    assert {file.start_frame + file.n_frames for file in validation} <= ends


def test_one_recording_is_left_to_train_on():
    train, validation = split_files(made(9, 9), 9, random_seed=0)
    assert len(train) == len(validation) == 1


def test_too_little_audio_says_how_much_is_needed():
    with pytest.raises(
        ParameterError,
        match=r"0\.15 s of audio are too little: at least 0\.16 s are needed, one segment to",
    ):
        split_files(made(15), 8, random_seed=0)
    split_files(made(16), 8, random_seed=0)
