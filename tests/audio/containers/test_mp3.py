import time

import numpy as np
import pytest

from audio.read import open_audio, probe, read_audio, read_mono
from files.errors import AudioError
from tests.audio.containers.made_files import (
    FRAME,
    ID3V1,
    RATE,
    ape,
    id3,
    mp3,
    mp3_frames,
    silent_frames,
    sweep,
    without_count,
)

SOUND = sweep()
WHOLE = mp3(SOUND)
N_FRAMES = len(mp3_frames(WHOLE)) - 1
UNCOUNTED = without_count(WHOLE)
PICTURE = b"\0image/jpeg\0\3\0" + np.random.default_rng(1).integers(0, 255, 300_000, "u1").tobytes()


def read(folder, content):
    (folder / "x.mp3").write_bytes(content)
    samples, info = read_mono(folder / "x.mp3")
    assert len(samples) == info.n_samples == probe(folder / "x.mp3").n_samples
    return samples, info.warnings


@pytest.mark.parametrize("rate", [44100, 48000, 32000, 22050, 24000, 16000, 11025, 8000])
@pytest.mark.parametrize("channels", [1, 2])
def test_length_of_every_rate(tmp_path, rate, channels):
    sound = np.repeat(sweep(1, rate)[:, None], channels, axis=1)
    content = mp3(sound, rate)
    assert len(read(tmp_path, content)[0]) == len(sound)
    frames = mp3_frames(content)[1:]
    per_frame = FRAME if rate >= 32000 else FRAME // 2
    samples, warnings = read(tmp_path, b"".join(frames))
    assert (len(samples), warnings) == (len(frames) * per_frame, ())


def test_variable_bit_rate_without_a_count_is_whole(tmp_path):
    noise = np.random.default_rng(0).standard_normal(RATE) * 0.3
    t = np.arange(RATE * 10) / RATE
    sound = np.concatenate([noise, 0.001 * np.sin(2 * np.pi * 300 * t)]).astype(np.float32)
    frames = mp3_frames(mp3(sound, variable=True))[1:]
    samples, warnings = read(tmp_path, b"".join(frames))
    assert (len(samples), warnings) == (len(frames) * FRAME, ())
    assert len(samples) >= len(sound)


@pytest.mark.parametrize("artist", [b"Some Band", b"Information Society", b"Xing VBRI"])
def test_tag_is_no_count(tmp_path, artist):
    samples, warnings = read(tmp_path, id3((b"TPE1", b"\0" + artist)) + UNCOUNTED)
    assert (len(samples), warnings) == (N_FRAMES * FRAME, ())


@pytest.mark.parametrize("tag", [b"", id3((b"APIC", PICTURE)), id3((b"TIT2", b"\0x"), footer=True)])
def test_cut_file_is_refused_whatever_its_tag(tmp_path, tag):
    content = (tag + WHOLE)[: -len(WHOLE) * 4 // 10]
    with pytest.raises(AudioError, match=rf"x.mp3: truncated, its header promises {N_FRAMES} f"):
        read(tmp_path, content)


def test_last_frame_that_is_incomplete_is_told(tmp_path):
    samples, warnings = read(tmp_path, UNCOUNTED[:-50])
    assert len(samples) == (N_FRAMES - 1) * FRAME
    assert warnings == ("its last frame is incomplete: it may have been cut off",)


@pytest.mark.parametrize(
    "between", [b"", id3((b"TIT2", b"\0second")), ID3V1, ape(), ID3V1 + id3((b"TIT2", b"\0x"))]
)
def test_files_one_after_the_other_are_all_read(tmp_path, between):
    first, _ = read(tmp_path, WHOLE)
    samples, warnings = read(tmp_path, WHOLE + between + WHOLE)
    np.testing.assert_array_equal(samples, np.concatenate([first, first]))
    assert warnings == ("2 MP3 files one after the other: all were read",)


def test_uncounted_file_after_a_counted_one(tmp_path):
    samples, warnings = read(tmp_path, WHOLE + UNCOUNTED)
    assert len(samples) == len(SOUND) + N_FRAMES * FRAME
    assert warnings == ("2 MP3 files one after the other: all were read",)


def test_files_of_another_rate_are_refused(tmp_path):
    with pytest.raises(AudioError, match=r"its parts differ \(44100 Hz and 48000 Hz\); cut"):
        read(tmp_path, WHOLE + mp3(sweep(1, 48000), 48000))


def test_files_of_other_channels_are_all_read(tmp_path):
    samples, warnings = read(tmp_path, WHOLE + mp3(np.stack([SOUND, SOUND], axis=1)))
    assert len(samples) == 2 * len(SOUND)
    assert "its parts have 1 and 2 channels: read as 2" in warnings


def test_file_cut_off_in_front_of_another_is_refused(tmp_path):
    with pytest.raises(AudioError, match="truncated, its header promises"):
        read(tmp_path, WHOLE[: len(WHOLE) // 2] + WHOLE)


@pytest.mark.parametrize(
    "tail", [ID3V1, ape(), ape() + ID3V1, b"LYRICSBEGIN" + b"la" * 9 + b"000029LYRICS200" + ID3V1]
)
@pytest.mark.parametrize("content", [WHOLE, UNCOUNTED])
def test_tags_are_no_frames(tmp_path, capfd, tail, content):
    plain, _ = read(tmp_path, content)
    samples, warnings = read(tmp_path, id3((b"TIT2", b"\0x")) + content + tail)
    np.testing.assert_array_equal(samples, plain)
    assert warnings == ()
    assert capfd.readouterr().err == ""


def test_zeros_at_the_end(tmp_path, capfd):
    plain, _ = read(tmp_path, WHOLE)
    samples, warnings = read(tmp_path, WHOLE + bytes(5000))
    np.testing.assert_array_equal(samples, plain)
    assert warnings == ()
    samples, warnings = read(tmp_path, UNCOUNTED + bytes(5000))
    assert len(samples) == N_FRAMES * FRAME
    assert warnings == ("its last 5000 bytes are zeros: it may have been cut off",)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("junk", [b"\0" * 700, b"HTTP/1.1 200 OK\r\n" * 20, b"\xff\xfb" * 99])
def test_junk_is_left_out_and_told(tmp_path, capfd, junk):
    frames = mp3_frames(WHOLE)
    told = f"{len(junk)} bytes of it are no MPEG audio frames: left out"
    for content in (
        b"".join(frames[:20]) + junk + b"".join(frames[20:]),
        b"ICY 200 OK" + junk[10:] + WHOLE,
    ):
        samples, warnings = read(tmp_path, content)
        assert len(samples) == len(SOUND)
        assert warnings == (told,)
    assert capfd.readouterr().err == ""


def test_frame_that_is_damaged_inside_is_told_with_nothing_on_standard_error(tmp_path, capfd):
    noise = np.random.default_rng(0)
    frames = [frame[:6] + noise.bytes(len(frame) - 6) for frame in mp3_frames(UNCOUNTED)]
    samples, warnings = read(tmp_path, b"".join(frames))
    assert len(samples) == N_FRAMES * FRAME
    assert warnings == ("some of its frames are damaged: what is heard there may be wrong",)
    assert capfd.readouterr().err == ""


def recounted(number):
    at = WHOLE.index(b"Info") + 8
    return WHOLE[:at] + number.to_bytes(4, "big") + WHOLE[at + 4 :]


def test_count_that_includes_the_counting_frame(tmp_path):
    samples, warnings = read(tmp_path, recounted(N_FRAMES + 1))
    assert len(samples) == N_FRAMES * FRAME
    assert warnings == (
        f"its header states {N_FRAMES + 1} frames, but {N_FRAMES} are there: all were read",
    )


def test_count_that_is_too_small(tmp_path):
    samples, warnings = read(tmp_path, recounted(N_FRAMES // 2))
    assert len(samples) >= len(SOUND)
    assert len(warnings) == 1


def test_vbri_frame_is_no_sound(tmp_path):
    frames = mp3_frames(WHOLE)
    told = b"VBRI" + bytes(6) + len(WHOLE).to_bytes(4, "big") + N_FRAMES.to_bytes(4, "big")
    head = (frames[0][:4] + bytes(32) + told).ljust(len(frames[0]), b"\0")
    samples, warnings = read(tmp_path, head + b"".join(frames[1:]))
    assert (len(samples), warnings) == (N_FRAMES * FRAME, ())


@pytest.mark.parametrize(
    ("head", "size", "per_frame"),
    [
        (b"\xff\xfd\x80\xc4", 417, 1152),  # layer II, 128 kbit/s, mono
        (b"\xff\xfd\x80\x04", 417, 1152),  # stereo
        (b"\xff\xf5\x84\xc4", 384, 1152),  # MPEG-2 layer II, 64 kbit/s, 24 kHz
        (b"\xff\xff\x40\xc4", 136, 384),  # layer I, 128 kbit/s
        (b"\xff\xfb\x00\xc4", 1000, 1152),  # layer III, free format
    ],
)
def test_other_layers(tmp_path, head, size, per_frame):
    samples, warnings = read(tmp_path, silent_frames(head, size, 50))
    assert (len(samples), warnings) == (50 * per_frame, ())


def test_blocks_are_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("audio.read.BLOCK_SAMPLES", 1000)
    (tmp_path / "x.mp3").write_bytes(UNCOUNTED + WHOLE)
    whole = read_audio(tmp_path / "x.mp3").samples
    with open_audio(tmp_path / "x.mp3") as (info, blocks):
        np.testing.assert_array_equal(np.concatenate(list(blocks)), whole)
    assert not info.seekable


@pytest.mark.parametrize(
    "content",
    [
        np.random.default_rng(0).bytes(100_000),
        b"\xff\xfb\x90\xc4" * 3,
        b"\xff" * 50_000,
        b"\0\0\1" + UNCOUNTED[:417] + np.random.default_rng(1).bytes(9999),
        id3((b"APIC", PICTURE)),
        id3((b"APIC", PICTURE))[:1000],
    ],
)
def test_what_holds_no_frames_is_refused(tmp_path, content):
    with pytest.raises(AudioError, match=r"x\.mp3: (not readable as audio|truncated|damaged)"):
        read(tmp_path, content)


def test_zeros_in_front_are_left_out(tmp_path):
    samples, warnings = read(tmp_path, bytes(4096) + WHOLE)
    assert len(samples) == len(SOUND)
    assert warnings == ("4096 bytes of it are no MPEG audio frames: left out",)


def test_titles_of_a_radio_station_between_frames_take_no_time(tmp_path):
    radio = UNCOUNTED * (4_000_000 // len(UNCOUNTED))
    blocks = [radio[at : at + 8192] + b"\0" for at in range(0, 4_000_000, 8192)]
    (tmp_path / "x.mp3").write_bytes(b"".join(blocks))
    begin = time.process_time()
    warnings = probe(tmp_path / "x.mp3").warnings
    assert time.process_time() - begin < 3  # seconds
    assert warnings[-1].endswith("bytes of it are no MPEG audio frames: left out")


def test_frames_that_decode_to_huge_samples_are_told_and_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("audio.decoder.LOUDEST", 0.01)
    (tmp_path / "x.mp3").write_bytes(mp3(SOUND))
    samples, info = read_mono(tmp_path / "x.mp3")
    assert 0.01 < np.abs(samples).max() <= 1
    assert info.warnings == ("some of its frames are damaged: what is heard there may be wrong",)
