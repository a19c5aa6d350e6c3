import os

import numpy as np
import pytest
import soundfile as sf

from audio.read import open_audio, probe, read_audio, read_mono
from files.errors import AudioError

RATE = 44100


def write(path, samples, rate=RATE, **options):
    sf.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize(
    ("name", "seekable"),
    [("x.wav", True), ("x.flac", True), ("x.aiff", True), ("x.ogg", False), ("x.mp3", False)],
)
def test_formats_are_read(tmp_path, tabla, name, seekable):
    path = write(tmp_path / name, tabla)
    assert (probe(path).sample_rate, probe(path).channels, probe(path).seekable) == (
        RATE,
        1,
        seekable,
    )
    mono, _ = read_mono(path)
    assert np.corrcoef(mono[: len(tabla)], tabla[: len(mono)])[0, 1] > 0.95
    np.testing.assert_array_equal(read_audio(path).samples[:, 0], mono)


def test_mono_is_the_mean_of_any_number_of_channels(tmp_path):
    samples = np.stack([np.full(100, v, np.float32) for v in (0.1, 0.2, 0.6)], axis=1)
    mono, info = read_mono(write(tmp_path / "x.wav", samples, subtype="FLOAT"))
    assert info.channels == 3
    np.testing.assert_allclose(mono, 0.3, atol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_mono_of_stereo_is_the_mean_exactly(tmp_path, tabla, subtype):
    path = write(
        tmp_path / "x.wav", np.stack([tabla, np.roll(tabla, 999)], axis=1), subtype=subtype
    )
    samples = read_audio(path).samples
    np.testing.assert_array_equal(read_mono(path)[0], (samples[:, 0] + samples[:, 1]) / 2)


def test_misleading_extension_is_read_by_content(tmp_path, tabla):
    write(tmp_path / "x.wav", tabla).rename(tmp_path / "x.mp3")
    np.testing.assert_array_equal(read_mono(tmp_path / "x.mp3")[0], tabla)


def test_one_sample_is_audio(tmp_path):
    assert len(read_mono(write(tmp_path / "x.wav", np.array([0.5], np.float32)))[0]) == 1


@pytest.mark.parametrize(
    "name", ["x.wav", "x.aiff", "x.flac", "x.ogg", "x.mp3", "x.w64", "x.rf64", "x.au"]
)
def test_truncated_file_is_refused(tmp_path, tabla, name):
    options = {"format": "RF64"} if name == "x.rf64" else {}
    path = write(tmp_path / name, tabla, **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(AudioError, match=r"x\.\w+: (truncated|damaged).*(copy or )?export"):
        read_mono(path)


def test_streamed_wav_without_a_length_is_not_called_truncated(tmp_path, tabla):
    path = write(tmp_path / "x.wav", tabla, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_mono(path)[0], tabla)


@pytest.mark.parametrize("size", [0, 2**64 - 1])
def test_streamed_w64_without_a_length_is_not_called_truncated(tmp_path, tabla, size):
    path = write(tmp_path / "x.w64", tabla, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[16:24] = size.to_bytes(8, "little")  # after the 16 bytes that say "riff"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_mono(path)[0], tabla)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes; re-export"),
        (
            b"hello world" * 99,
            "not readable as audio .it is text.; give an audio file",
        ),
        (bytes(range(256)) * 99, "not readable as audio"),
        (b"RIFF\x00\x00\x00\x00WAVE", "x.wav: "),
    ],
)
def test_unreadable_file_is_refused(tmp_path, content, message):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(AudioError, match=message):
        probe(tmp_path / "x.wav")


def test_file_without_samples_is_refused(tmp_path):
    with pytest.raises(AudioError, match="0 samples; re-export the file or remove it"):
        probe(write(tmp_path / "x.wav", np.zeros((0, 1))))


def test_file_of_more_samples_than_can_be_meant_is_refused(tmp_path, tabla, monkeypatch):
    monkeypatch.setattr("audio.read.MAX_SAMPLES", len(tabla) - 1)
    with pytest.raises(
        AudioError,
        match="the header promises 44100 samples, the limit is 44099; split or re-export",
    ):
        probe(write(tmp_path / "x.wav", tabla))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1e11, 3e38])
@pytest.mark.parametrize("read", [read_audio, read_mono])
def test_samples_that_are_no_sound_are_refused(tmp_path, bad, read):
    samples = np.zeros((100, 2), np.float32)
    samples[7, 1] = bad
    with pytest.raises(
        AudioError, match="1 sample is NaN, infinite or beyond 1e.10, the first at sample 7; repair"
    ):
        read(write(tmp_path / "x.wav", samples, subtype="FLOAT"))


def test_samples_that_are_no_sound_are_counted_from_the_start_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("audio.read.BLOCK_SAMPLES", 50)
    samples = np.zeros((200, 2), np.float32)
    samples[[60, 61, 170], 1] = np.nan
    path = write(tmp_path / "x.wav", samples, subtype="FLOAT")
    with pytest.raises(
        AudioError, match="3 samples are NaN, infinite or beyond 1e.10, the first at sample 60;"
    ):
        read_mono(path)
    with (
        pytest.raises(
            AudioError, match="2 samples are NaN, infinite or beyond 1e.10, the first at sample 60;"
        ),
        open_audio(path) as (_, blocks),
    ):
        list(blocks)  # those of the first bad block: nothing is read after it


def test_aac_is_named_with_the_way_to_convert(tmp_path):
    (tmp_path / "x.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(4000))
    with pytest.raises(AudioError, match="ffmpeg -i x.m4a x.flac"):
        probe(tmp_path / "x.m4a")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match="no such audio file"):
        probe(tmp_path / "x.wav")


def test_folder_and_pipe_are_called_what_they_are(tmp_path):
    with pytest.raises(AudioError, match="a folder, not a file; give an audio file on disk"):
        probe(tmp_path)
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(AudioError, match="x.wav: a named pipe, not a file; give an audio file on"):
        probe(tmp_path / "x.wav")


def test_blocks_of_many_channels_are_short(tmp_path):
    sf.write(tmp_path / "x.wav", np.zeros((20_000, 1024), np.int16), 8000)
    with open_audio(tmp_path / "x.wav") as (_, blocks):
        assert [len(block) for block in blocks] == [1 << 14, 20_000 - (1 << 14)]
