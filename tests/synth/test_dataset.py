"""Folders of audio as training sees them, decoded and kept."""

import errno
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from synth.dataset import open_dataset
from synth.mel import MelSettings, log_mel

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
        "song.m4a": "it begins with zeros only",
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


def damaged_indexes(index):
    """Yield indexes that do not fit the files beside them."""
    first, *others = index["entries"]
    yield {}
    yield []
    yield {**index, "more": 1}
    yield {**index, "left_out": {"a.wav": 3}}
    yield {**index, "entries": others}
    for changes in (
        {"n_frames": first["n_frames"] + 1},
        {"n_frames": 1 << 62},
        {"n_frames": -1},
        {"n_frames": 1.5},
        {"start_frame": -1},
        {"start_frame": 1 << 50},
        {"name": None},
        {"name": "nowhere.wav"},
    ):
        yield {**index, "entries": [first | changes, *others]}


def test_a_damaged_cache_is_made_again(folder, decoded_folder):
    for name in ("b.flac", "c.ogg", "d.mp3", "in/g.ogg"):
        (folder / name).unlink()
    first = open_dataset(folder, MEL)
    mels = first.mels.copy()
    kept = decoded_folder.parent / "recordings" / first.identity
    good = json.loads((kept / "index.json").read_text())
    for index in damaged_indexes(good):
        (kept / "index.json").write_text(json.dumps(index))
        np.testing.assert_array_equal(open_dataset(folder, MEL).mels, mels)
        assert json.loads((kept / "index.json").read_text()) == good
    for name in ("audio.f32", "mels.f32"):
        (kept / name).write_bytes((kept / name).read_bytes()[:-4])
        np.testing.assert_array_equal(open_dataset(folder, MEL).mels, mels)
    (kept / "index.json").unlink()
    os.mkfifo(kept / "index.json")
    (kept / "mels.f32").unlink()
    (kept / "mels.f32").mkdir()
    np.testing.assert_array_equal(open_dataset(folder, MEL).mels, mels)


@pytest.mark.accounts
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told_and_used_once_it_may(folder):
    (folder / "in").chmod(0)
    (folder / "a.wav").chmod(0)
    dataset = open_dataset(folder, MEL)
    assert dataset.left_out["in"] == (
        "the folder cannot be read (Permission denied); check its permissions"
    )
    assert "Permission denied" in dataset.left_out["a.wav"]
    (folder / "in").chmod(0o755)
    (folder / "a.wav").chmod(0o644)
    assert open_dataset(folder, MEL).left_out == {}
    folder.chmod(0)
    with pytest.raises(ParameterError, match="the folder cannot be read .Permission denied.; ch"):
        open_dataset(folder, MEL)
    folder.chmod(0o755)


def test_a_folder_that_cannot_be_read_is_left_out_by_name(folder, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("/in"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("audio.scan.os.scandir", refuse)
    dataset = open_dataset(folder, MEL)
    reason = "the folder cannot be read (Permission denied); check its permissions"
    assert dataset.left_out["in"] == reason


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
