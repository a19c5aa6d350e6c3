"""AIFF, AU, CAF and Wave64."""

import struct

import numpy as np
import pytest

from audio.read import probe, read_audio
from files.errors import AudioError
from tests.audio.containers.made_files import chunk, encoded, id3, sweep

SOUND = sweep(1)
N_BYTES = 2 * len(SOUND)
UNKNOWN = ("its header states no length: read to the end of the file",)


def read(folder, content):
    (folder / "x.aiff").write_bytes(content)
    samples = read_audio(folder / "x.aiff").samples
    info = probe(folder / "x.aiff")
    assert len(samples) == info.n_samples
    assert info.seekable
    return samples[:, 0], info.warnings


def replaced(content, at, layout, value):
    changed = bytearray(content)
    struct.pack_into(layout, changed, at, value)
    return bytes(changed)


AIFF = encoded(SOUND, "AIFF", subtype="PCM_16")
AIFC = encoded(SOUND, "AIFF", subtype="FLOAT")
AU = encoded(SOUND, "AU", subtype="PCM_16")
LITTLE_AU = encoded(SOUND, "AU", subtype="PCM_16", endian="LITTLE")
CAF = encoded(SOUND, "CAF", subtype="PCM_16")
W64 = encoded(SOUND, "W64", subtype="PCM_16")


@pytest.mark.parametrize("content", [AIFF, AIFC, AU, LITTLE_AU, CAF, W64])
def test_healthy_file(tmp_path, content):
    samples, warnings = read(tmp_path, content)
    assert len(samples) == len(SOUND)
    np.testing.assert_allclose(samples, SOUND, atol=1e-4)
    assert warnings == ()


@pytest.mark.parametrize("content", [AIFF, AU, CAF, W64, encoded(SOUND, "WAV")])
def test_tag_in_front_is_passed_over(tmp_path, content):
    whole, _ = read(tmp_path, content)
    samples, warnings = read(tmp_path, id3((b"TIT2", b"\0first")) + content)
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()


@pytest.mark.parametrize("content", [AIFF, AIFC])
def test_aiff_that_was_written_to_a_pipe_is_whole(tmp_path, content):
    whole, _ = read(tmp_path, content)
    frames_at = content.index(b"COMM") + 10
    size_at = content.index(b"SSND") + 4
    for frames, size in ((0x3F800000, 0x7F000008), (0, 0), (0xFFFFFFFF, 0xFFFFFFFF)):
        streamed = replaced(content, frames_at, ">I", frames)
        streamed = replaced(streamed, size_at, ">I", size)
        end = size_at + 12 + len(whole) * (4 if content is AIFC else 2)
        samples, warnings = read(tmp_path, streamed[:end])
        np.testing.assert_array_equal(samples, whole)
        assert warnings == UNKNOWN


def test_aiff_with_other_sizes(tmp_path):
    whole, _ = read(tmp_path, AIFF)
    for form in (0, 4, 1 << 30, 0xFFFFFFFF):
        samples, warnings = read(tmp_path, replaced(AIFF, 4, ">I", form))
        np.testing.assert_array_equal(samples, whole)
        assert warnings == ()
    frames_at = AIFF.index(b"COMM") + 10
    samples, warnings = read(tmp_path, replaced(AIFF, frames_at, ">I", 1000))
    np.testing.assert_array_equal(samples, whole)
    assert warnings == (
        f"its header states 1000 samples, but {len(SOUND)} are there: all were read",
    )
    with pytest.raises(AudioError, match=f"promises {len(SOUND) + 1} samples but {len(SOUND)} are"):
        read(tmp_path, replaced(AIFF, frames_at, ">I", len(SOUND) + 1))


def test_aiff_with_chunks_around(tmp_path):
    whole, _ = read(tmp_path, AIFF)
    note = chunk(b"ANNO", b"a note", order=">")
    samples, warnings = read(tmp_path, AIFF[:12] + note + AIFF[12:] + note)
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()
    with pytest.raises(AudioError, match="it has no SSND chunk"):
        read(tmp_path, AIFF[: AIFF.index(b"SSND")])
    common = AIFF.index(b"COMM")
    with pytest.raises(AudioError, match="it has no COMM chunk"):
        read(tmp_path, AIFF[:common] + b"XXXX" + AIFF[common + 4 :])


@pytest.mark.parametrize(("content", "order"), [(AU, ">"), (LITTLE_AU, "<")])
def test_au(tmp_path, content, order):
    whole, _ = read(tmp_path, content)
    samples, warnings = read(tmp_path, replaced(content, 8, order + "I", 0xFFFFFFFF))
    np.testing.assert_array_equal(samples, whole)
    assert warnings == UNKNOWN
    samples, warnings = read(tmp_path, content + b"more")
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ("4 bytes after its samples were left out",)
    with pytest.raises(
        AudioError, match=f"promises {N_BYTES} bytes of samples but {N_BYTES - 1} a"
    ):
        read(tmp_path, content[:-1])


def test_caf(tmp_path):
    whole, _ = read(tmp_path, CAF)
    at = CAF.index(b"data") + 4
    end = at + 8 + 4 + N_BYTES
    samples, warnings = read(tmp_path, replaced(CAF, at, ">q", -1)[:end])
    np.testing.assert_array_equal(samples, whole)
    assert warnings == UNKNOWN
    with pytest.raises(AudioError, match="truncated, its header promises"):
        read(tmp_path, CAF[: end - 1])
    with pytest.raises(AudioError, match="begins no chunk"):
        read(tmp_path, replaced(CAF, 12, ">q", -5))


@pytest.mark.parametrize("stated", [0, 23, (1 << 64) - 1, 0xFFFFFFFF])
def test_w64_of_unknown_length(tmp_path, stated):
    whole, _ = read(tmp_path, W64)
    samples, warnings = read(tmp_path, replaced(W64, W64.index(b"data") + 16, "<Q", stated))
    np.testing.assert_array_equal(samples, whole)
    assert warnings == UNKNOWN


def test_what_follows_the_samples_of_w64_is_no_sound(tmp_path):
    whole, _ = read(tmp_path, W64)
    samples, warnings = read(tmp_path, W64 + b"junk" * 20)
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ("80 bytes after its samples are no chunk: they were left out",)
    name = b"summ" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
    samples, warnings = read(tmp_path, W64 + name + struct.pack("<Q", 32) + bytes(8))
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()


def test_w64_that_is_cut_off_or_damaged_is_refused(tmp_path):
    with pytest.raises(
        AudioError, match=f"promises {N_BYTES} bytes of samples but {N_BYTES - 2} a"
    ):
        read(tmp_path, W64[:-2])


def test_caf_that_goes_on_after_its_stated_samples(tmp_path):
    at = CAF.index(b"data") + 4
    _, warnings = read(tmp_path, replaced(CAF, at, ">q", 4004))
    assert warnings[0].endswith("bytes after its samples are no chunk: they were left out")


def test_aiff_that_goes_on_after_its_stated_samples(tmp_path):
    at = AIFF.index(b"SSND") + 4
    content = replaced(replaced(AIFF, at, ">I", 4008), AIFF.index(b"COMM") + 10, ">I", 2000)
    samples, warnings = read(tmp_path, content)
    assert len(samples) == 2000
    assert warnings[0].endswith("bytes after its samples are no chunk: they were left out")


def test_aifc_of_logarithmic_bytes_may_state_16_bits(tmp_path):
    content = encoded(SOUND, "AIFF", subtype="ULAW")
    whole, _ = read(tmp_path, content)
    samples, warnings = read(tmp_path, replaced(content, content.index(b"COMM") + 14, ">H", 16))
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()
