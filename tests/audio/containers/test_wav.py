import struct

import numpy as np
import pytest
import soundfile as sf

from audio.read import probe, read_audio, read_mono
from files.errors import AudioError
from tests.audio.containers.made_files import (
    RATE,
    chunk,
    encoded,
    integers,
    mp3,
    pcm_format,
    sweep,
    wav,
    without_count,
)

SOUND = sweep()
DATA = integers(SOUND)
UNKNOWN = ("its header states no length: read to the end of the file",)


def read(folder, content, name="x.wav"):
    (folder / name).write_bytes(content)
    samples, info = read_mono(folder / name)
    assert len(samples) == info.n_samples == probe(folder / name).n_samples
    return samples, info


def expected(data=DATA):
    return np.frombuffer(data, "<i2") / np.float32(32768)


@pytest.mark.parametrize(
    ("stated", "riff"),
    [
        (0x7FFFF000, 0x7FFFF024),  # SoX
        (0x7FFFFFFF, 0x80000023),  # LAME
        (0x80000000, 0x80000024),  # arecord
        (0xFFFFFFFF, 0xFFFFFFFF),  # FFmpeg, FLAC
        (0xFFFFFFDB, 0xFFFFFFFF),
        (0x7FFFFFD8, 0x7FFFFFFC),
        (0, 0),
        (0, 36),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_that_was_written_to_a_pipe_is_whole(tmp_path, stated, riff, channels):
    content = wav(DATA, stated=stated, riff=riff, channels=channels)
    (tmp_path / "x.wav").write_bytes(content)
    samples = read_audio(tmp_path / "x.wav").samples
    np.testing.assert_array_equal(samples.ravel(), expected())
    assert probe(tmp_path / "x.wav").warnings == UNKNOWN


def test_begun_sample_at_the_end_of_a_pipe_is_left_out(tmp_path):
    content = wav(DATA, stated=0xFFFFFFFF, channels=2)[:-1]
    assert len(read(tmp_path, content)[0]) == len(DATA) // 4 - 1


@pytest.mark.parametrize("stated", [len(DATA) + 2, 10 * len(DATA), 0x7E000000])
def test_wav_that_is_cut_off_is_refused(tmp_path, stated):
    with pytest.raises(AudioError, match=f"x.wav: truncated, its header promises {stated} bytes"):
        read(tmp_path, wav(DATA, stated=stated))


def test_comment_like_a_log_is_a_comment(tmp_path):
    comment = b"INFO" + chunk(b"ICMT", b"log of my converter:\n data : 999 (should be 5)\n\0")
    samples, info = read(tmp_path, wav(DATA, before=chunk(b"LIST", comment)))
    np.testing.assert_array_equal(samples, expected())
    assert info.warnings == ()


@pytest.mark.parametrize("riff", [0, 4, 1 << 30, 0xFFFFFFFF])
def test_size_of_the_whole_does_not_count(tmp_path, riff):
    samples, info = read(tmp_path, wav(DATA, riff=riff))
    np.testing.assert_array_equal(samples, expected())
    assert info.warnings == ()


def test_chunk_after_the_samples_is_no_sound(tmp_path):
    odd = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"abc"))
    samples, info = read(tmp_path, wav(DATA, after=odd + chunk(b"bext", bytes(7))))
    np.testing.assert_array_equal(samples, expected())
    assert info.warnings == ()
    samples, info = read(tmp_path, wav(DATA, after=odd[:-6]))
    np.testing.assert_array_equal(samples, expected())
    assert info.warnings == ("a chunk after its samples is cut off; all samples are there",)


def test_what_is_no_chunk_after_the_samples_is_left_out_and_told(tmp_path):
    samples, info = read(tmp_path, wav(DATA, after=bytes(range(128, 228))))
    np.testing.assert_array_equal(samples, expected())
    assert info.warnings == ("100 bytes after its samples are no chunk: they were left out",)


def test_missing_byte_after_a_chunk_of_odd_size_is_added(tmp_path):
    note = b"note" + struct.pack("<I", 3) + b"abc"  # and no byte to fill it up
    samples, info = read(tmp_path, wav(DATA, before=note))
    np.testing.assert_array_equal(samples, expected())
    assert info.n_samples == len(SOUND)


def test_more_than_4_gib_are_read_whole(tmp_path):
    n_bytes = (1 << 32) + len(DATA)
    path = tmp_path / "long.wav"
    with open(path, "wb") as file:
        file.write(wav(DATA, riff=len(DATA) + 36))
        file.truncate(44 + n_bytes)  # a hole, which takes no space
    info = probe(path)
    assert info.n_samples == n_bytes // 2
    assert info.warnings == (
        f"it holds more than 4 GiB, but its header states {len(DATA)} bytes: all of it was read",
    )


def test_mp3_in_wav_has_the_length_of_its_frames(tmp_path):
    frames = without_count(mp3(SOUND))
    made = struct.pack("<HHIIHHH", 0x55, 1, RATE, 16000, 1152, 0, 12)
    made += struct.pack("<HIHHH", 1, 2, 1152, 1, 1105)
    inner = b"WAVE" + chunk(b"fmt ", made) + chunk(b"fact", struct.pack("<I", len(SOUND)))
    content = b"RIFF" + struct.pack("<I", len(inner) + 8) + inner + chunk(b"data", frames)
    samples, info = read(tmp_path, content)
    assert info.format == "MP3"
    assert len(samples) == -(-len(SOUND) // 1152) * 1152 + 1152  # and the encoder's delay
    assert np.corrcoef(samples[1105 : 1105 + len(SOUND)], SOUND)[0, 1] > 0.99


def test_big_endian_wav_of_unknown_length(tmp_path):
    swapped = np.frombuffer(DATA, "<i2").astype(">i2").tobytes()
    inner = b"WAVE" + chunk(b"fmt ", pcm_format(order=">"), order=">")
    content = b"RIFX\0\0\0\0" + inner + chunk(b"data", swapped, 0xFFFFFFFF, order=">")
    np.testing.assert_array_equal(read(tmp_path, content)[0], expected())


def test_extensible_wav_of_unknown_length(tmp_path):
    content = bytearray(encoded(SOUND, "WAVEX", subtype="PCM_24"))
    whole = read(tmp_path, bytes(content))[0]
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    samples, info = read(tmp_path, bytes(content))
    np.testing.assert_array_equal(samples, whole)
    assert info.warnings == UNKNOWN


def rf64(ds64_size):
    content = bytearray(encoded(SOUND, "RF64", subtype="PCM_16"))
    at = content.index(b"ds64") + 16
    n_bytes = struct.unpack_from("<Q", content, at)[0]
    struct.pack_into("<Q", content, at, ds64_size)
    return bytes(content), n_bytes


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, (1 << 64) - 1])
def test_rf64_of_unknown_length(tmp_path, stated):
    content, n_bytes = rf64(stated)
    samples, info = read(tmp_path, content)
    assert len(samples) == n_bytes // 2 == len(SOUND)
    assert info.warnings == UNKNOWN


def test_rf64_that_is_cut_off_is_refused(tmp_path):
    with pytest.raises(AudioError, match="truncated, its header promises 5000000000 bytes"):
        read(tmp_path, rf64(5_000_000_000)[0])


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ULAW"])
@pytest.mark.parametrize("read_whole", [read_audio, lambda path: read_mono(path)[0]])
def test_other_encodings_are_read(tmp_path, subtype, read_whole):
    sf.write(tmp_path / "x.wav", SOUND[::5], 8000, subtype=subtype)
    found = read_whole(tmp_path / "x.wav")
    samples = found if isinstance(found, np.ndarray) else found.samples[:, 0]
    assert 0 <= len(samples) - len(SOUND[::5]) < 2000  # blocks are filled up
    assert np.corrcoef(samples[: len(SOUND[::5])], SOUND[::5])[0, 1] > 0.9


def test_file_without_samples_is_refused(tmp_path):
    with pytest.raises(AudioError, match="0 samples"):
        read(tmp_path, wav(b"", after=chunk(b"LIST", b"INFOx")))
    with pytest.raises(AudioError, match="it has no data chunk"):
        read(tmp_path, wav(DATA)[:36])
    with pytest.raises(AudioError, match="byte 36 begins no chunk"):
        read(tmp_path, wav(DATA)[:36] + bytes(40))


@pytest.mark.parametrize("stated", [len(DATA), 0xFFFFFFFF])
def test_bw64_is_read_as_rf64_is(tmp_path, stated):
    sizes = struct.pack("<QQQI", 0, len(DATA), len(DATA) // 2, 0)
    head = b"BW64" + b"\xff" * 4 + b"WAVE" + chunk(b"ds64", sizes) + chunk(b"fmt ", pcm_format())
    samples, info = read(tmp_path, head + chunk(b"data", DATA, stated))
    np.testing.assert_array_equal(samples, expected())
    assert info.warnings == ()


@pytest.mark.parametrize("start", [bytes(64), b"~~~~}}}}" * 8])
def test_size_of_0_in_front_of_silence_or_of_what_reads_like_a_name(tmp_path, start):
    data = start + DATA[:20_000]
    samples, info = read(tmp_path, wav(data, stated=0, riff=0))
    np.testing.assert_array_equal(samples, expected(data))
    assert info.warnings == UNKNOWN


def test_other_encodings_are_named(tmp_path):
    content = bytearray(wav(DATA))
    struct.pack_into("<H", content, content.index(b"fmt ") + 8, 0x2001)
    with pytest.raises(AudioError, match="x.wav: is DTS in WAV, which is not decoded; convert it"):
        read(tmp_path, bytes(content))
