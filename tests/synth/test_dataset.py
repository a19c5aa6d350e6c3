"""Folders of audio as training sees them: decoded and kept, cut into segments, split."""

import errno
import os
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
import torch

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from synth.dataset import AudioDataset, AudioFile, open_dataset
from synth.mel import MelSettings, log_mel
from synth.segments import VALIDATION_SHARE, Segments, split_files

MEL = MelSettings(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20, f_max=4000.0)
RATE = 44100


@pytest.fixture
def folder(tmp_path, tabla):
    """Seven seconds in every form that matters: rates, channels, lossy formats, a folder within, a
    click.
    """
    folder = tmp_path / "audio"
    (folder / "in").mkdir(parents=True)
    sf.write(folder / "a.wav", tabla, RATE)
    sf.write(folder / "b.flac", resample(tabla, RATE, 48000), 48000)
    sf.write(folder / "c.ogg", np.stack([tabla, 0 * tabla], axis=1), RATE)
    sf.write(folder / "d.mp3", np.stack([tabla, tabla], axis=1), RATE)
    sf.write(folder / "in" / "e.wav", resample(tabla, RATE, 8000), 8000)
    sf.write(folder / "f.wav", tabla[5000:5040], RATE)
    shutil.copy(CORPUS_DIR / "loop_breakbeat.ogg", folder / "in" / "g.ogg")
    return folder


def made(*n_frames, hop=4, n_mels=2):
    """Recordings whose every sample and mel value is the number of its frame, from 1."""
    files = [AudioFile(f"{i}.wav", sum(n_frames[:i]), n) for i, n in enumerate(n_frames)]
    settings = MelSettings(sample_rate=400, n_fft=16, hop_length=hop, n_mels=n_mels, f_max=200.0)
    numbers = np.arange(1, sum(n_frames) + 1, dtype=np.float32)
    mels = np.repeat(numbers[:, None], n_mels, axis=1)
    return AudioDataset(settings, tuple(files), {}, "made", {}, np.repeat(numbers, hop), mels)


def test_every_form_of_audio_becomes_mono_at_one_rate(folder, tabla):
    dataset = open_dataset(folder, MEL)
    names = [file.name for file in dataset.files]
    assert names == ["a.wav", "b.flac", "c.ogg", "d.mp3", "f.wav", "in/e.wav", "in/g.ogg"]
    assert dataset.left_out == {}
    assert dataset.n_frames == sum(file.n_frames for file in dataset.files)
    assert dataset.seconds == pytest.approx(5 * 1.0 + 1.905, abs=0.2)
    expected = resample(tabla, RATE, 8000)
    by_name = {file.name: dataset.audio_of(file) for file in dataset.files}
    for name, gain, tolerance in (
        ("a.wav", 1, 1e-3),
        ("b.flac", 1, 5e-3),
        ("c.ogg", 0.5, 0.1),
        ("in/e.wav", 1, 1e-3),
    ):
        np.testing.assert_allclose(by_name[name][:7900], gain * expected[:7900], atol=tolerance)
    assert len(by_name["f.wav"]) == 64


def test_mels_are_those_of_the_audio(folder):
    dataset = open_dataset(folder, MEL)
    for file in dataset.files:
        audio, info = read_mono(folder / file.name)
        expected = log_mel(resample(audio, info.sample_rate, 8000), MEL)
        assert len(dataset.audio_of(file)) == 64 * file.n_frames
        np.testing.assert_array_equal(dataset.mel_of(file), expected)
    file = dataset.files[-1]
    np.testing.assert_array_equal(dataset.mel_of(file, 7, 19), dataset.mel_of(file)[:, 7:19])
    np.testing.assert_array_equal(
        dataset.audio_of(file, 7, 19), dataset.audio_of(file)[7 * 64 : 19 * 64]
    )


def test_what_cannot_be_used_is_left_out_by_name(folder, tabla):
    sf.write(folder / "quiet.wav", 1e-5 * tabla, RATE, subtype="FLOAT")
    sf.write(folder / "nan.wav", np.full(999, np.nan), RATE, subtype="FLOAT")
    (folder / "text.wav").write_text("not audio")
    (folder / "empty.wav").touch()
    (folder / "song.m4a").write_bytes(b"\0" * 99)
    (folder / "cut.wav").write_bytes((folder / "a.wav").read_bytes()[:5000])
    (folder / "lost.wav").symlink_to(folder / "nowhere.wav")
    told = []
    dataset = open_dataset(
        folder, MEL, progress=lambda done, total, name: told.append((done, total, name))
    )
    assert len(dataset.files) == 7
    reasons = {
        "quiet.wav": "silent; nothing can be learnt",
        "nan.wav": "999 samples are NaN",
        "text.wav": "not readable as audio",
        "empty.wav": "0 bytes",
        "song.m4a": "AAC and WMA are not readable",
        "cut.wav": "truncated",
        "lost.wav": "no such audio",
    }
    assert set(dataset.left_out) == set(reasons)
    assert all(reason in dataset.left_out[name] for name, reason in reasons.items())
    assert [done for done, _, _ in told] == list(range(14))
    assert told[0] == (0, 14, "decoding 1 of 14: a.wav")


def test_decoded_once_and_again_only_when_something_changes(folder, tabla, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        "synth.dataset.read_mono", lambda path: decoded.append(path.name) or read_mono(path)
    )
    first = open_dataset(folder, MEL)
    assert len(decoded) == 7
    again = open_dataset(str(folder), MEL)
    assert len(decoded) == 7
    assert (again.identity, again.files) == (first.identity, first.files)
    np.testing.assert_array_equal(again.audio, first.audio)

    sf.write(folder / "a.wav", tabla[::-1], RATE)
    os.utime(folder / "a.wav", ns=(1, 1))
    changed = open_dataset(folder, MEL)
    assert changed.identity != first.identity
    assert len(decoded) == 14
    assert not np.array_equal(changed.audio_of(changed.files[0]), first.audio_of(first.files[0]))
    assert open_dataset(folder, replace(MEL, log="log10")).identity != changed.identity
    (folder / "d.mp3").unlink()
    assert len(open_dataset(folder, MEL).files) == 6


@pytest.mark.parametrize("lost", ["audio.f32", "mels.f32", "index.json"])
def test_a_cache_that_lost_a_file_is_made_again(folder, lost, decoded_folder):
    first = open_dataset(folder, MEL)
    (decoded_folder.parent / "recordings" / first.identity / lost).unlink()
    np.testing.assert_array_equal(open_dataset(folder, MEL).mels, first.mels)


def test_folders_not_used_for_longest_make_room(folder, tabla, decoded_folder):
    """Three folders are decoded, the first is used again, and there is room for two."""
    kept = decoded_folder.parent / "recordings"
    opened = []
    shutil.rmtree(kept, ignore_errors=True)
    for number in range(3):
        (folder.parent / str(number)).mkdir()
        sf.write(folder.parent / str(number) / "x.wav", tabla[: 20000 - number], RATE)
    for at, number in enumerate((0, 1, 0)):
        opened.append(kept / open_dataset(folder.parent / str(number), MEL).identity)
        os.utime(opened[-1], (at, at))
    size = sum(file.stat().st_size for file in opened[0].iterdir())
    room = int(2.5 * size)
    newest = kept / open_dataset(folder.parent / "2", MEL, max_cache_bytes=room).identity
    assert set(kept.iterdir()) == {opened[0], newest}
    last = open_dataset(folder, MEL, max_cache_bytes=1)  # too large, but in use
    assert set(kept.iterdir()) == {kept / last.identity}
    os.utime(kept / last.identity, (0, 0))
    open_dataset(folder, MEL)
    assert (kept / last.identity).stat().st_mtime > 1e9


def test_same_files_give_the_same_bytes(folder, decoded_folder):
    first = open_dataset(folder, MEL)
    kept = decoded_folder.parent / "recordings" / first.identity
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    shutil.rmtree(kept)
    open_dataset(folder, MEL)
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before
    assert set(before) == {"audio.f32", "mels.f32", "index.json"}


@pytest.mark.parametrize("where", ["first", "last"])
def test_full_disk_is_named_with_a_remedy_and_leaves_nothing_half(
    folder, decoded_folder, monkeypatch, where
):
    count = 0

    def full(*arguments):
        nonlocal count
        count += 1
        if where == "first" or count == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        return log_mel(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("synth.dataset.log_mel", full)
        with pytest.raises(
            ParameterError, match=r"cannot be written \(No space left on device\).*DEMIURGE_CACHE"
        ):
            open_dataset(folder, MEL)
    left = [
        file.name
        for file in (decoded_folder.parent / "recordings").glob("*/*")
        if file.name.startswith(".")
    ]
    assert left == []
    assert len(open_dataset(folder, MEL).files) == 7


def test_folders_without_audio_are_refused(tmp_path, tabla):
    with pytest.raises(
        ParameterError, match="nowhere: no such folder; give a folder of audio files"
    ):
        open_dataset(tmp_path / "nowhere", MEL)
    (tmp_path / "file.wav").touch()
    with pytest.raises(ParameterError, match="file.wav: is a file; give a folder of audio files"):
        open_dataset(tmp_path / "file.wav", MEL)
    (tmp_path / "file.wav").unlink()
    with pytest.raises(
        ParameterError, match="no audio files in it; give a folder of WAV, FLAC, OGG or MP3 files"
    ):
        open_dataset(tmp_path, MEL)
    sf.write(tmp_path / "x.wav", 0 * tabla, RATE)
    (tmp_path / "y.wav").write_text("no")
    for _ in range(2):
        with pytest.raises(
            ParameterError,
            match=r"none of its 2 audio files can be used \(x.wav: silent; .*y.wav: not",
        ):
            open_dataset(tmp_path, MEL)


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
