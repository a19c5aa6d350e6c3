import io
import time

import numpy as np
import pytest
import soundfile as sf

from audio.containers.flac_frames import crc_8, crc_16, find_last_frame
from audio.decoder import Decoder
from audio.read import open_audio, probe, read_audio
from files.errors import AudioError
from tests.audio.containers.made_files import (
    ID3V1,
    RATE,
    encoded,
    flac_without_total,
    id3,
    sweep,
)

SOUND = np.stack([sweep(3), sweep(3)[::-1]], axis=1)
WHOLE = encoded(SOUND, "FLAC", subtype="PCM_16")
UNKNOWN = flac_without_total(WHOLE)
READ_TO_THE_END = ("its header states no length: read to the end of the file",)


def read(folder, content):
    (folder / "x.flac").write_bytes(content)
    samples = read_audio(folder / "x.flac").samples
    info = probe(folder / "x.flac")
    assert len(samples) == info.n_samples
    return samples, info.warnings


def expected(folder):
    (folder / "whole.flac").write_bytes(WHOLE)
    return sf.read(folder / "whole.flac", dtype="float32")[0]


def test_checksums_are_those_of_the_standard():
    assert crc_8(b"123456789") == 0xF4
    assert crc_16(b"123456789") == 0xFEE8


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_S8"])
@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000, 12345])
@pytest.mark.parametrize("n_samples", [1, 4096, 70_000])
def test_unknown_length_is_that_of_the_frames(tmp_path, subtype, rate, n_samples):
    content = encoded(SOUND[:n_samples, 0], "FLAC", rate, subtype=subtype)
    samples, warnings = read(tmp_path, flac_without_total(content))
    assert (len(samples), warnings) == (n_samples, READ_TO_THE_END)
    np.testing.assert_array_equal(samples, read(tmp_path, content)[0])
    assert read(tmp_path, content)[1] == ()


def test_unknown_length_is_seekable(tmp_path):
    assert len(read(tmp_path, UNKNOWN)[0]) == len(SOUND)
    assert probe(tmp_path / "x.flac").seekable


def test_unknown_length_and_a_last_frame_that_is_incomplete(tmp_path):
    samples, warnings = read(tmp_path, UNKNOWN[:-100])
    assert len(samples) == len(SOUND) // 4096 * 4096
    np.testing.assert_array_equal(samples, expected(tmp_path)[: len(samples)])
    assert warnings == (
        "its header states no length, and its last frame is incomplete: it may have been cut off",
    )


def test_cut_file_is_refused(tmp_path):
    with pytest.raises(AudioError, match=r"x\.flac: (truncated|damaged)"):
        read(tmp_path, WHOLE[:-100])
    with pytest.raises(AudioError, match=r"truncated, its header promises 9000000 samples"):
        read(tmp_path, flac_without_total(WHOLE, 9_000_000))


def test_length_that_is_too_small_is_told(tmp_path):
    samples, warnings = read(tmp_path, flac_without_total(WHOLE, 1000))
    np.testing.assert_array_equal(samples, expected(tmp_path))
    assert warnings == (
        f"its header states 1000 samples, but {len(SOUND)} are there: all were read",
    )


@pytest.mark.parametrize("tag", [id3((b"TIT2", b"\0x")), id3((b"TIT2", b"\0x"), footer=True)])
def test_tags_around_are_no_sound(tmp_path, tag):
    samples, warnings = read(tmp_path, tag + WHOLE + ID3V1)
    np.testing.assert_array_equal(samples, expected(tmp_path))
    assert warnings == ()
    samples, warnings = read(tmp_path, tag + UNKNOWN + ID3V1)
    np.testing.assert_array_equal(samples, expected(tmp_path))


@pytest.mark.parametrize("first", [WHOLE, UNKNOWN])
def test_files_one_after_the_other_are_all_read(tmp_path, first):
    samples, warnings = read(tmp_path, first + WHOLE)
    np.testing.assert_array_equal(samples, np.concatenate([expected(tmp_path)] * 2))
    assert warnings[0] == "2 FLAC files one after the other: all were read"


@pytest.mark.parametrize("quiet", [1, 1e-3])
def test_long_files_one_after_the_other_are_all_read(tmp_path, quiet):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 500_000).astype(np.float32)
    first = encoded(quiet * noise, "FLAC", subtype="PCM_16")
    second = encoded(noise, "FLAC", subtype="PCM_16")
    assert read(tmp_path, second)[1] == ()
    samples, warnings = read(tmp_path, first + second)
    assert len(samples) == 2 * len(noise)
    assert warnings == ("2 FLAC files one after the other: all were read",)


def test_altered_frame_is_refused(tmp_path):
    content = bytearray(WHOLE)
    content[len(content) // 2] ^= 0x55
    (tmp_path / "x.flac").write_bytes(content)
    with (
        pytest.raises(AudioError, match=r"damaged, it cannot be decoded after sample \d+;"),
        open_audio(tmp_path / "x.flac") as (_, blocks),
    ):
        list(blocks)


def test_header_alone_is_refused(tmp_path):
    for n_bytes in (5, 41, 60):
        with pytest.raises(AudioError, match=r"x\.flac: "):
            read(tmp_path, UNKNOWN[:n_bytes])


def test_rate_is_kept(tmp_path):
    read(tmp_path, UNKNOWN)
    assert probe(tmp_path / "x.flac").sample_rate == RATE


@pytest.mark.parametrize("content", [WHOLE, UNKNOWN])
@pytest.mark.parametrize("smallest", [16, len(SOUND) % 4096])
def test_smallest_block_that_is_that_of_the_last_one(tmp_path, content, smallest):
    samples, _ = read(tmp_path, content[:8] + smallest.to_bytes(2, "big") + content[10:])
    np.testing.assert_array_equal(samples, expected(tmp_path))
    with Decoder(tmp_path / "x.flac") as decoder:
        decoder.seek(100_000)
        np.testing.assert_array_equal(decoder.read(50), samples[100_000:100_050])


def test_search_for_the_last_frame_is_the_checksum_of_each_candidate():
    data = WHOLE + bytes(100)
    for cut in (0, 99, 50_000):
        end = len(data) - cut
        frame = find_last_frame(io.BytesIO(data), 42, end, 4096)
        assert frame.is_complete == (crc_16(data[frame.start : end]) == 0) == (cut < 50_000)


def test_zeros_in_the_place_of_the_end_are_found_quickly(tmp_path):
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (RATE * 12, 2))
    content = encoded(noise, "FLAC", subtype="PCM_16")
    (tmp_path / "x.flac").write_bytes(content[:-900_000] + bytes(900_000))
    begin = time.process_time()
    with pytest.raises(AudioError, match="truncated"):
        read_audio(tmp_path / "x.flac")
    assert time.process_time() - begin < 3  # seconds
