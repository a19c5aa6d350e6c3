"""The nearest passage, against a search by hand."""

import numpy as np

from synth.dataset import AudioDataset, AudioFile
from synth.nearest_passage import STEP_FRAMES, Gap, fill_gaps
from tests.synth.toys import MEL


def dataset(*lengths):
    starts = np.cumsum([0, *lengths])
    files = tuple(AudioFile(f"{n}.wav", int(starts[n]), length) for n, length in enumerate(lengths))
    mels = np.random.default_rng(0).normal(size=(sum(lengths), MEL.n_mels)).astype(np.float32)
    return AudioDataset(MEL, files, {}, "", {}, np.zeros(0, np.float32), mels)


def test_passage_whose_surroundings_are_those_of_the_gap_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr("synth.nearest_passage.BLOCK_PASSAGES", 3)
    data = dataset(200, 90)
    rng = np.random.default_rng(1)
    gaps, expected = [], []
    for file, start in ((0, 0), (0, 7 * STEP_FRAMES), (1, 10 * STEP_FRAMES)):
        passage = data.mel_of(data.files[file], start, start + 30).copy()
        expected.append(passage[:, 10:20].copy())
        passage[:, 10:20] = 0
        gaps.append(Gap(passage + 0.1 * rng.normal(size=passage.shape), 10))
    np.testing.assert_array_equal(fill_gaps(gaps, data), expected)


def test_nearest_is_that_of_all_passages_compared_one_by_one():
    data = dataset(61, 20, 30)  # the second is too short
    gap = Gap(np.random.default_rng(2).normal(size=(MEL.n_mels, 30)), 8)
    passages = [
        data.mel_of(file, start, start + 30)
        for file in data.files
        for start in range(0, file.n_frames - 29, STEP_FRAMES)
    ]
    ends = np.r_[0:8, 22:30]
    distances = [np.square((p - gap.mel)[:, ends]).sum() for p in passages]
    best = passages[int(np.argmin(distances))]
    np.testing.assert_array_equal(fill_gaps([gap], data)[0], best[:, 8:22])


def test_a_file_does_not_fill_its_own_gaps_and_nothing_fits_is_nan():
    data = dataset(100, 60)
    passage = data.mel_of(data.files[0], 8, 38)
    own, other = fill_gaps([Gap(passage, 10, "0.wav"), Gap(passage, 10, "1.wav")], data)
    assert not np.array_equal(own, passage[:, 10:20])
    np.testing.assert_array_equal(other, passage[:, 10:20])
    assert np.isnan(fill_gaps([Gap(passage, 10, "0.wav")], dataset(100))[0]).all()
