"""Every format: exact samples, the same bytes, what it refuses, and a disk that is full."""

import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audio.formats import BITS, FORMATS, check_output_format
from audio.write import BLOCK_SAMPLES, AudioWriter
from demiurge.bundled import CORPUS_DIR
from files.errors import AudioError, ParameterError, PlanError

RATE = 44100
KINDS = [
    ("wav", None),
    ("wav", "16"),
    ("wav", "24"),
    ("wav", "float"),
    ("flac", None),
    ("flac", "16"),
    ("ogg", None),
]


def write(
    path: Path, *blocks: np.ndarray, rate: int = RATE, bits: str | None = None, **options
) -> Path:
    n_samples = sum(map(len, blocks))
    with AudioWriter(
        path, rate, blocks[0].shape[1], bits=bits, n_samples=n_samples, **options
    ) as writer:
        for block in blocks:
            writer.write(block)
    return path


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Two seconds of stereo between full scale, not on any grid of integers."""
    samples = np.concatenate(
        [
            sf.read(path, dtype="float32", always_2d=True)[0][:, 0]
            for path in sorted(CORPUS_DIR.rglob("*.ogg"))[:9]
        ]
    )
    samples = samples[: 2 * RATE] / np.abs(samples).max()
    return np.stack([samples, samples[::-1]], axis=1)


@pytest.mark.parametrize(
    ("suffix", "bits"),
    [("wav", "16"), ("wav", "24"), ("wav", "float"), ("flac", "16"), ("flac", "24")],
)
def test_16_bit_sources_come_back_exactly(tmp_path, tabla, suffix, bits):
    path = write(tmp_path / f"out.{suffix}", tabla[:, None], bits=bits)
    np.testing.assert_array_equal(sf.read(path, dtype="float32")[0], tabla)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_24_bit_samples_come_back_exactly_to_both_ends_of_the_scale(tmp_path, suffix):
    steps = np.array([-(2**23), -(2**23) + 1, -1, 0, 1, 2**22 + 3, 2**23 - 1], np.float64)
    samples = (steps / 2**23).astype(np.float32)[:, None]
    path = write(tmp_path / f"out.{suffix}", samples)
    assert sf.info(path).subtype == "PCM_24"
    np.testing.assert_array_equal(sf.read(path, dtype="float32")[0], samples[:, 0])


def test_float_passes_through_even_beyond_full_scale(tmp_path, music):
    path = write(tmp_path / "out.wav", music * 3, bits="float")
    assert sf.info(path).subtype == "FLOAT"
    np.testing.assert_array_equal(sf.read(path, dtype="float32")[0], music * 3)


def test_full_scale_takes_the_largest_integer(tmp_path):
    ends = np.array([[1.0], [-1.0]], np.float32)
    for bits, shift in {"16": 16, "24": 8}.items():
        stored = sf.read(write(tmp_path / f"{bits}.wav", ends, bits=bits), dtype="int32")[0]
        assert (stored >> shift).tolist() == [2 ** (31 - shift) - 1, -(2 ** (31 - shift))]


def test_16_bits_dither_with_triangular_noise(tmp_path):
    quarter = np.full((RATE, 1), 100.25 / 2**15, np.float32)
    steps = sf.read(write(tmp_path / "out.wav", quarter, bits="16"), dtype="int16")[0]
    assert set(steps) == {99, 100, 101}
    assert steps.mean() == pytest.approx(100.25, abs=0.01)
    assert steps.std() == pytest.approx(
        0.5, abs=0.01
    )  # triangular dither: a quarter step², whatever the sample


def test_silence_stays_silent_in_16_bits(tmp_path):
    assert not sf.read(write(tmp_path / "out.wav", np.zeros((999, 2), np.float32), bits="16"))[
        0
    ].any()


@pytest.mark.parametrize("n_samples", [1, 63, 4097, BLOCK_SAMPLES, BLOCK_SAMPLES + 1])
@pytest.mark.parametrize(("suffix", "bits"), KINDS)
def test_length_is_what_was_written(tmp_path, music, suffix, bits, n_samples):
    assert (
        len(sf.read(write(tmp_path / f"out.{suffix}", music[:n_samples], bits=bits))[0])
        == n_samples
    )


def test_ogg_sounds_like_what_was_written(tmp_path, music):
    path = write(tmp_path / "out.ogg", music)
    assert (sf.info(path).format, sf.info(path).subtype) == ("OGG", "VORBIS")
    assert np.square(sf.read(path)[0] - music).mean() < 0.01 * np.square(music).mean()


def test_ogg_takes_minutes_in_one_block(tmp_path, tabla):
    minutes = np.repeat(np.tile(tabla, 140)[:, None], 2, axis=1)
    assert sf.info(write(tmp_path / "out.ogg", minutes)).frames == len(minutes)


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 80000), max_size=8))
@pytest.mark.parametrize(("suffix", "bits"), KINDS)
def test_cutting_changes_no_byte(tmp_path, music, suffix, bits, cuts):
    samples = music[:80000]
    edges = [0, *sorted(cuts), 80000]
    parts = write(
        tmp_path / f"parts.{suffix}",
        *(samples[a:b] for a, b in pairwise(edges)),
        bits=bits,
        title="t",
    )
    whole = write(tmp_path / f"whole.{suffix}", samples, bits=bits, title="t")
    assert parts.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(("suffix", "bits"), [("wav", "float"), ("ogg", None)])
def test_the_clock_leaves_no_trace(tmp_path, music, suffix, bits, monkeypatch):
    path = write(tmp_path / f"out.{suffix}", music, bits=bits)
    kept = path.read_bytes()
    monkeypatch.setattr("audio.write.make_constant", lambda _: None)
    assert write(path, music, bits=bits).read_bytes() != kept


def test_wav_peak_chunk_has_no_date_even_behind_a_comment_that_names_it(tmp_path, music):
    content = write(
        tmp_path / "out.wav", music, bits="float", comment="PEAK data OggS"
    ).read_bytes()
    assert struct.unpack_from("<4sIII", content, content.rindex(b"PEAK\x18")) == (b"PEAK", 24, 1, 0)


def test_every_ogg_page_has_the_serial_and_its_checksum(tmp_path, music):
    content = write(tmp_path / "out.ogg", music).read_bytes()
    at = 0
    pages = 0
    while at < len(content):
        length = 27 + content[at + 26] + sum(content[at + 27 : at + 27 + content[at + 26]])
        page = bytearray(content[at : at + length])
        magic = page[:4]
        serial, number, checksum = struct.unpack_from("<III", page, 14)
        page[22:26] = bytes(4)
        assert (magic, serial, number, checksum) == (b"OggS", 1, pages, ogg_crc(bytes(page)))
        at = at + length
        pages = pages + 1
    assert at == len(content)
    assert pages > 5


def ogg_crc(page: bytes) -> int:
    """RFC 3533, bit by bit."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x104C11DB7 if crc >> 31 else 0)
    return crc


@pytest.mark.parametrize(("suffix", "bits"), KINDS)
def test_title_comment_and_software_are_kept(tmp_path, tabla, suffix, bits):
    path = write(
        tmp_path / f"x.{suffix}",
        tabla[:, None],
        bits=bits,
        title="Über uns",
        comment="seed 1, λ = 2",
    )
    with sf.SoundFile(path) as file:
        assert (file.title, file.comment) == ("Über uns", "seed 1, λ = 2")
        assert file.software.startswith("Demiurge")


def test_temporary_path_lends_neither_suffix_nor_name(tmp_path, tabla):
    path = write(tmp_path / ".next-x1", tabla[:, None], shown=tmp_path / "next.flac")
    with sf.SoundFile(path) as file:
        assert (file.format, file.title, file.comment) == ("FLAC", "", "")
    with pytest.raises(ParameterError, match="next.ogg: sample_rate=384000"):
        AudioWriter(tmp_path / ".next-x1", 384000, 1, n_samples=1, shown=tmp_path / "next.ogg")


def test_name_that_is_no_text_is_written(tmp_path, tabla):
    path = write(tmp_path / "out.wav", tabla[:, None], title="caf\udce9")
    with sf.SoundFile(path) as file:
        assert file.title == "caf?"


@pytest.mark.parametrize(("n_samples", "container"), [(RATE, "WAV"), (2**32 // 6, "RF64")])
def test_wav_beyond_4_gib_becomes_rf64(tmp_path, n_samples, container):
    path = tmp_path / "out.wav"
    with pytest.raises(ParameterError, match=f"100 samples were written of n_samples={n_samples}"):  # noqa: SIM117
        with AudioWriter(path, RATE, 2, n_samples=n_samples) as writer:
            writer.write(np.zeros((100, 2), np.float32))
    assert sf.info(path).format == container


@pytest.mark.parametrize("bits", ["16", "24", "float"])
def test_rf64_samples_are_exact(tmp_path, tabla, bits, monkeypatch):
    monkeypatch.setattr("audio.write.RIFF_BYTES", 1000)
    path = write(tmp_path / "out.wav", tabla[:, None], bits=bits, comment="long")
    assert sf.info(path).format == "RF64"
    np.testing.assert_array_equal(sf.read(path, dtype="float32")[0], tabla)
    with sf.SoundFile(path) as file:
        assert file.comment == "long"


@pytest.mark.parametrize(
    ("name", "bits", "options", "message"),
    [
        ("out.mp3", None, {}, "out.mp3: the suffix '.mp3' must be one of .wav, .flac, .ogg"),
        ("out", None, {}, "the suffix '' must be one of"),
        ("out.wav", "32", {}, "bits='32' must be one of 16, 24, float in WAV$"),
        (
            "out.flac",
            "float",
            {},
            "bits='float' must be one of 16, 24 in FLAC; float samples need .wav",
        ),
        (
            "out.ogg",
            "16",
            {},
            "bits='16' does not apply to OGG, since Vorbis has no bit depth; leave it out",
        ),
        (
            "out.flac",
            None,
            {"channels": 9},
            "channels=9 must be 1 to 8 in FLAC; write .wav, or use fewer channels",
        ),
        ("out.wav", None, {"channels": 0}, "channels=0 must be 1 to 1024"),
        (
            "out.flac",
            None,
            {"sample_rate": 655360},
            "sample_rate=655360 Hz must be 1 to 655350 in FLAC; write .wav",
        ),
        (
            "out.flac",
            None,
            {"sample_rate": 88211},
            "sample_rate=88211 Hz must be a multiple of 10 above 65535 in FLAC",
        ),
        (
            "out.ogg",
            None,
            {"sample_rate": 200001},
            "sample_rate=200001 Hz must be 1 to 200000 in OGG; write .wav",
        ),
        ("out.wav", None, {"sample_rate": 0}, "sample_rate=0 Hz must be 1 to"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(name, bits, options, message):
    with pytest.raises(ParameterError, match=message):
        check_output_format(name, bits, **options)


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [
        (".flac", 655350, 8),
        (".flac", 65535, 2),
        (".flac", 1, 1),
        (".ogg", 200000, 8),
        (".ogg", 1, 1),
        (".wav", 768000, 16),
    ],
)
def test_what_a_format_can_just_hold_is_written(tmp_path, suffix, rate, channels):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (5000, channels)).astype(np.float32)
    info = sf.info(write(tmp_path / f"out{suffix}", samples, rate=rate))
    assert (info.samplerate, info.channels, info.frames) == (rate, channels, 5000)


def test_suffix_in_capitals_is_known():
    assert check_output_format("A.FLAC", "16") is FORMATS[".flac"]


def test_bits_are_those_of_the_formats():
    known = {bits for found in FORMATS.values() for bits in found.encodings}
    assert known == {None, *BITS}


def test_bad_blocks_are_refused(tmp_path, tabla):
    samples = tabla[:1000, None].copy()
    samples[321] = np.nan
    with pytest.raises(PlanError, match="sample 1321 would not be finite"):
        write(tmp_path / "out.wav", tabla[:1000, None], samples, bits="float")
    samples[321] = -1.001
    for suffix in FORMATS:
        with pytest.raises(
            AudioError, match="sample 1321 is beyond full scale; lower the gain, or write float WAV"
        ):
            write(tmp_path / f"out{suffix}", tabla[:1000, None], samples)
    with pytest.raises(ParameterError, match=r"shape \(5, 2\) must have shape \(n_samples, 1\)"):
        write(tmp_path / "out.wav", tabla[:5, None], np.zeros((5, 2), np.float32))
    with pytest.raises(ParameterError, match="n_samples=0 must be at least 1"):
        write(tmp_path / "out.wav", tabla[:0, None])


def test_folder_that_is_not_there(tmp_path, tabla):
    with pytest.raises(
        ParameterError, match=r"no/out.wav: cannot be written \(No such file or directory\)"
    ):
        write(tmp_path / "no" / "out.wav", tabla[:, None])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("suffix", FORMATS)
def test_no_space_left_is_named(tmp_path, tabla, suffix):
    path = tmp_path / f"out{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(
        ParameterError,
        match=r"out.\w+: cannot be written \(No space left on device\); free some space",
    ):
        write(path, tabla[:, None])


FULL = """
import resource, signal, sys
import numpy as np
from files.errors import ParameterError
from audio.write import AudioWriter

path, bits, limit = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
samples = np.random.default_rng(0).uniform(-0.5, 0.5, (200000, 2)).astype(np.float32)
try:
    with AudioWriter(path, 44100, 2, bits=bits, n_samples=len(samples)) as writer:
        writer.write(samples)
except ParameterError as error:
    print(error)
"""


@pytest.mark.parametrize("left_out", [1, 1000, 0.5, 0.999, 1.0])
@pytest.mark.parametrize(
    ("suffix", "bits"), [("wav", "24"), ("wav", "float"), ("flac", "16"), ("ogg", None)]
)
def test_full_disk_is_told_wherever_it_strikes(tmp_path, suffix, bits, left_out):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (200000, 2)).astype(np.float32)
    path = write(tmp_path / f"out.{suffix}", samples, bits=bits)
    size = path.stat().st_size
    limit = size - left_out if isinstance(left_out, int) else int(size * (1 - left_out))
    done = subprocess.run(
        [sys.executable, "-c", FULL, path, bits or "", str(limit)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    expected = (
        f"{path}: cannot be written (File too large); raise the limit of ulimit -f, or choose a"
        " disk that holds files of this size"
    )
    assert (done.stdout.strip(), done.stderr) == (expected, "")


def test_same_samples_make_the_same_bytes_in_another_second(tmp_path, music):
    script = (
        "import sys, numpy as np; from audio.write import AudioWriter\nsamples ="
        " np.load(sys.argv[1])\nfor name in ('a.16.wav', 'a.24.wav', 'a.float.wav', 'a.16.flac',"
        " 'a.24.flac', 'a.ogg'):\n    bits = name.split('.')[1] if name.count('.') == 2 else None\n"
        "    with AudioWriter(sys.argv[2] + '/' + name, 44100, 2, bits=bits,"
        " n_samples=len(samples), comment='c') as writer:\n        writer.write(samples)\nfrom time"
        " import sleep; sleep(1.1)"
    )
    np.save(tmp_path / "samples.npy", music)
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        subprocess.run(
            [sys.executable, "-c", script, tmp_path / "samples.npy", tmp_path / folder],
            check=True,
            timeout=60,
        )
    written = sorted((tmp_path / "first").iterdir())
    assert len(written) == 6
    assert all(
        path.read_bytes() == (tmp_path / "second" / path.name).read_bytes() for path in written
    )
