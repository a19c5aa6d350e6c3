"""Spans of files against one whole decode of them, and every way in which a source can be another
than the plan's.
"""

import errno
import os
import re
import shutil
import struct

import numpy as np
import pytest
import soundfile as sf

from audio import decoded
from audio.channels import fit_channels
from audio.read import open_audio, probe, read_audio
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR
from files.errors import AudioError, ParameterError, PlanError
from files.hashing import hash_file
from playback.open_files import RawFile, open_in_place
from playback.open_plan import open_plan
from playback.plan import Plan, Step
from playback.sources import OPEN_FILES, SourceReader, sources_of

pytestmark = pytest.mark.accounts

RATE = 44100
STARTS = (0, 12345, 7, 43101, 20000, 1)  # back and forth
SPAN = 999

IN_PLACE = {
    "16.wav": {"subtype": "PCM_16"},
    "24.wav": {"subtype": "PCM_24"},
    "32.wav": {"subtype": "PCM_32"},
    "8.wav": {"subtype": "PCM_U8"},
    "float.wav": {"subtype": "FLOAT"},
    "double.wav": {"subtype": "DOUBLE"},
    "mulaw.wav": {"subtype": "ULAW"},
    "16x.wav": {"format": "WAVEX", "subtype": "PCM_16"},
    "24x.wav": {"format": "WAVEX", "subtype": "PCM_24"},
    "floatx.wav": {"format": "WAVEX", "subtype": "FLOAT"},
    "rifx.wav": {"subtype": "PCM_16", "endian": "BIG"},
    "64.wav": {"format": "RF64", "subtype": "PCM_16"},
    "16.aiff": {"subtype": "PCM_16"},
    "24.aiff": {"subtype": "PCM_24"},
    "little.aiff": {"subtype": "PCM_16", "endian": "LITTLE"},
    "float.aiff": {"subtype": "FLOAT"},
    "16.caf": {"subtype": "PCM_16"},
    "16.flac": {"subtype": "PCM_16"},
    "24.flac": {"subtype": "PCM_24"},
}


def read(reader: SourceReader, source: str, start: int, n: int, channels: int = 1) -> np.ndarray:
    out = np.full((n, channels), np.nan, np.float32)
    reader.read_into(out, source, start)
    return out


def make_plan(root, *spans, sources=None) -> Plan:
    """Of (source, start, n_samples), one after the other."""
    at = np.cumsum([0, *(n for _, _, n in spans)])
    steps = tuple(
        Step(i, source, start, n, int(at[i])) for i, (source, start, n) in enumerate(spans)
    )
    return Plan(RATE, 1, {"id": "x", "root": str(root)}, steps, sources=sources or {})


def problems(root, plan: Plan) -> dict[str, str]:
    with SourceReader(root, sample_rate=RATE, channels=1) as reader:
        return reader.prepare(plan)


def stamp(path) -> dict:
    return {
        "hash": hash_file(path),
        "bytes": path.stat().st_size,
        "modified_ns": path.stat().st_mtime_ns,
    }


@pytest.fixture
def stereo(tabla) -> np.ndarray:
    return np.stack([tabla, np.roll(tabla, 999)], axis=1)


@pytest.fixture
def never_decoding(monkeypatch):
    def refuse_to(*_):
        raise AssertionError("decoded, where it could have been read in place")

    monkeypatch.setattr(decoded.DecodedCache, "entry", refuse_to)


@pytest.mark.parametrize("name", IN_PLACE)
def test_spans_are_exact_and_read_in_place(tmp_path, stereo, never_decoding, name):
    sf.write(tmp_path / name, stereo, RATE, **IN_PLACE[name])
    whole = read_audio(tmp_path / name).samples
    with SourceReader(tmp_path, sample_rate=RATE, channels=2) as reader:
        assert reader.prepare(make_plan(tmp_path, (name, 0, 99))) == {}
        assert reader.length(name) == RATE
        for start in STARTS:
            np.testing.assert_array_equal(
                read(reader, name, start, SPAN, 2), whole[start : start + SPAN]
            )


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.opus"])
def test_what_is_decoded_equals_one_whole_decode(tmp_path, stereo, name):
    rate = 48000 if name == "a.opus" else RATE
    sf.write(
        tmp_path / name,
        stereo,
        rate,
        **({"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}),
    )
    whole = read_audio(tmp_path / name).samples
    with SourceReader(tmp_path, sample_rate=rate, channels=2) as reader:
        assert reader.length(name) == len(whole)
        for start in STARTS:
            np.testing.assert_array_equal(
                read(reader, name, start, SPAN, 2), whole[start : start + SPAN]
            )


@pytest.mark.parametrize("name", ["loop_industrial.ogg", "tabla_re.ogg"])
def test_bundled_sounds_equal_one_whole_decode(name):
    whole = read_audio(CORPUS_DIR / name).samples
    with SourceReader(CORPUS_DIR, sample_rate=RATE, channels=whole.shape[1]) as reader:
        np.testing.assert_array_equal(read(reader, name, 0, len(whole), whole.shape[1]), whole)
        np.testing.assert_array_equal(read(reader, name, 5000, 7, whole.shape[1]), whole[5000:5007])


@pytest.mark.parametrize(
    ("name", "rate"), [("a.wav", 48000), ("a.flac", 22050), ("a.aiff", 96000), ("a.ogg", 32000)]
)
def test_other_rates_equal_the_whole_file_resampled(tmp_path, stereo, name, rate):
    sf.write(tmp_path / name, stereo, rate)
    whole = resample(read_audio(tmp_path / name).samples, rate, RATE)
    with SourceReader(tmp_path, sample_rate=RATE, channels=2) as reader:
        assert reader.length(name) == len(whole)
        for start in (0, 9876, 7):
            np.testing.assert_array_equal(
                read(reader, name, start, SPAN, 2), whole[start : start + SPAN]
            )


def test_flac_is_decoded_only_where_much_of_it_is_played(tmp_path, tabla, monkeypatch):
    sf.write(tmp_path / "a.flac", np.tile(tabla, 4), RATE)
    decode = decoded.DecodedCache._decode
    made = []
    monkeypatch.setattr(
        decoded.DecodedCache, "_decode", lambda *given: made.append(given[1].name) or decode(*given)
    )
    for n_reads, expected in ((9, []), (10, ["a.flac"])):  # ten seeks take as long as four seconds
        with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
            reader.prepare(
                make_plan(tmp_path, *[("a.flac", i * 1000, 500) for i in range(n_reads)])
            )
            np.testing.assert_array_equal(
                read(reader, "a.flac", 99_999, 50)[:, 0], np.tile(tabla, 4)[99_999:100_049]
            )
        assert made == expected


def test_sources_that_may_be_played_soon_are_decoded_and_their_problems_told(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla, RATE)
    sf.write(tmp_path / "b.flac", tabla, RATE)
    sf.write(tmp_path / "c.wav", tabla, RATE)
    stamps = {"a.wav": stamp(tmp_path / "a.wav"), "c.wav": stamp(tmp_path / "a.wav")}
    stamps["c.wav"]["bytes"] += 1
    seen = []
    cache = decoded.DecodedCache(tmp_path / "cache")
    with SourceReader(tmp_path, sample_rate=RATE, channels=1, cache=cache) as reader:
        found = reader.prepare_sources(
            ["c.wav", "a.wav", "b.flac", "none.wav", "a.wav"],
            lambda *told: seen.append(told[:2]),
            stamps=stamps,
        )
        assert found == {"c.wav": "not the file that the plan was made from", "none.wav": "missing"}
        assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
        assert len(list((tmp_path / "cache").iterdir())) == 1
        np.testing.assert_array_equal(read(reader, "b.flac", 7, 99)[:, 0], tabla[7:106])


@pytest.mark.parametrize("sizes", [(1,), (3, 4), (7, 11, 2), (0, 5)])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_wav_with_chunks_before_its_samples(tmp_path, tabla, never_decoding, subtype, sizes):
    sf.write(tmp_path / "plain.wav", tabla, RATE, subtype=subtype)
    plain = (tmp_path / "plain.wav").read_bytes()
    extra = b"".join(
        b"junk" + struct.pack("<I", n) + b"data"[: n % 5] + bytes(n - n % 5 + n % 2) for n in sizes
    )
    at = plain.index(b"fmt ")
    (tmp_path / "a.wav").write_bytes(
        plain[:4]
        + struct.pack("<I", len(plain) - 8 + len(extra))
        + plain[8:at]
        + extra
        + plain[at:]
    )
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        np.testing.assert_array_equal(read(reader, "a.wav", 0, RATE)[:, 0], tabla)
    file = open_in_place(tmp_path / "a.wav", probe(tmp_path / "a.wav"))
    file.close()
    assert isinstance(file, RawFile)


@pytest.mark.parametrize(
    ("name", "options"), [("gsm.wav", {"subtype": "GSM610"}), ("g721.au", {"subtype": "G721_32"})]
)
def test_encodings_without_seeking_are_decoded(tmp_path, tabla, name, options):
    sf.write(tmp_path / name, tabla, RATE, **options)
    with open_audio(tmp_path / name) as (_, blocks):
        whole = np.concatenate(list(blocks))
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        assert reader.prepare(make_plan(tmp_path, (name, 12345, SPAN))) == {}
        for start in STARTS:
            np.testing.assert_array_equal(
                read(reader, name, start, SPAN), whole[start : start + SPAN]
            )


@pytest.mark.parametrize(("given", "wanted"), [(1, 2), (2, 1), (2, 4), (6, 2), (3, 3)])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "24.wav"])
def test_channels_are_fitted(tmp_path, given, wanted, name):
    samples = np.arange(1, given + 1) / 16 * np.ones((50, 1))
    sf.write(tmp_path / name, samples, RATE, subtype="PCM_24" if name == "24.wav" else "PCM_16")
    with SourceReader(tmp_path, sample_rate=RATE, channels=wanted) as reader:
        row = read(reader, name, 3, 5, wanted)[4] * 16
    expected = {
        (1, 2): [1, 1],
        (2, 1): [1.5],
        (2, 4): [1, 2, 0, 0],
        (6, 2): [1, 2],
        (3, 3): [1, 2, 3],
    }
    np.testing.assert_array_equal(row, expected[given, wanted])


def test_fitting_what_fits_changes_nothing(stereo):
    assert fit_channels(stereo, 2) is stereo


def test_many_sources_do_not_exhaust_file_handles(tmp_path, tabla):
    for i in range(OPEN_FILES + 16):
        sf.write(tmp_path / f"{i}.wav", np.roll(tabla[:3000], i), RATE)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        for i in [*range(OPEN_FILES + 16)] * 2:
            np.testing.assert_array_equal(
                read(reader, f"{i}.wav", 5, 10)[:, 0], np.roll(tabla[:3000], i)[5:15]
            )
        if before:
            assert len(os.listdir("/proc/self/fd")) <= before + OPEN_FILES
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_read_beyond_the_end_is_refused_with_both_lengths(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla[:500], RATE)
    with (
        SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader,
        pytest.raises(
            PlanError,
            match=(
                r"a.wav: the plan plays samples 400 to 501, but the file has 500; it has changed"
                r" .*: restore it"
            ),
        ),
    ):
        read(reader, "a.wav", 400, 101)


def test_a_read_of_a_missing_file_says_where_it_was_looked_for(tmp_path):
    with (
        SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader,
        pytest.raises(
            PlanError, match=f"a.wav: not in the corpus folder {tmp_path}; .* with --root"
        ),
    ):
        reader.length("a.wav")


@pytest.mark.parametrize("name", ["a.wav", "24.wav", "a.aiff"])
def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path, tabla, name):
    sf.write(tmp_path / name, tabla, RATE, subtype="PCM_24" if name == "24.wav" else "PCM_16")
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        assert reader.length(name) == RATE
        os.truncate(tmp_path / name, 20_000)
        with pytest.raises(
            AudioError,
            match=f"{name}: samples 40000 to 41000 cannot be read, though .* 44100; it is damaged",
        ):
            read(reader, name, 40_000, 1000)


def test_samples_that_are_not_finite_are_refused_where_they_are(tmp_path, tabla):
    broken = tabla.copy()
    broken[10_000] = np.inf
    sf.write(tmp_path / "a.wav", broken, RATE, subtype="FLOAT")
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        np.testing.assert_array_equal(read(reader, "a.wav", 0, 10_000)[:, 0], tabla[:10_000])
        with pytest.raises(
            PlanError, match="a.wav: samples 9990 to 10090 are not all finite; repair the file"
        ):
            read(reader, "a.wav", 9990, 100)


def test_every_kind_of_problem_is_found_before_anything_sounds(tmp_path, tabla):
    for name in (
        "good.wav",
        "cut.wav",
        "short.wav",
        "other.wav",
        "other_size.wav",
        "touched.wav",
        "good.ogg",
        "cut.ogg",
    ):
        sf.write(tmp_path / name, tabla, RATE)
    names = ("good.wav", "other.wav", "other_size.wav", "touched.wav", "good.ogg")
    stamps = {name: stamp(tmp_path / name) for name in names}
    for name in ("cut.wav", "cut.ogg"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    sf.write(tmp_path / "short.wav", tabla[:500], RATE)
    sf.write(tmp_path / "other.wav", tabla[::-1], RATE)
    os.utime(tmp_path / "other.wav", ns=(1, 1))
    sf.write(tmp_path / "other_size.wav", tabla[:-1], RATE)
    os.utime(tmp_path / "touched.wav", ns=(1, 1))
    (tmp_path / "text.wav").write_text("no audio at all")
    (tmp_path / "folder.wav").mkdir()
    files = sorted(path.name for path in tmp_path.iterdir())
    plan = make_plan(tmp_path, *[(name, 0, 1024) for name in ("gone.wav", *files)], sources=stamps)
    found = problems(tmp_path, plan)
    assert {
        name: text.split(";")[0].split(",")[0].split(" (")[0] for name, text in found.items()
    } == {
        "gone.wav": "missing",
        "cut.ogg": "truncated",
        "cut.wav": "truncated",
        "folder.wav": "missing",
        "other.wav": "not the file that the plan was made from",
        "other_size.wav": "not the file that the plan was made from",
        "text.wav": "not readable as audio",
    }
    assert list(found) == [
        "gone.wav",
        *(name for name in files if name in found),
    ]  # in the plan's order


def test_a_cut_flac_is_named_though_its_header_promises_all(tmp_path, tabla):
    sf.write(tmp_path / "whole.flac", np.tile(tabla, 5), RATE)
    whole = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        few = make_plan(tmp_path, ("a.flac", 200_000, 1000))
        many = make_plan(tmp_path, *[("a.flac", 0, 10)] * 99)
        problem = reader.prepare(few)["a.flac"]  # it would be read in place
        assert re.match(r"truncated, its header promises 220500 samples but it ends after", problem)
        with pytest.raises(AudioError, match="a.flac: truncated, its header promises 220500"):
            read(reader, "a.flac", 200_000, 1000)
    assert problems(tmp_path, many)["a.flac"].startswith(("truncated", "damaged"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert problems(tmp_path, make_plan(tmp_path, ("a.wav", 0, 10))) == {"a.wav": "missing"}


def test_a_source_that_the_plan_does_not_stamp_is_taken_as_it_is(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla, RATE)
    assert problems(tmp_path, make_plan(tmp_path, ("a.wav", 0, 1024))) == {}


def test_an_untouched_file_is_not_read_through(tmp_path, tabla, monkeypatch):
    sf.write(tmp_path / "a.wav", tabla, RATE)
    plan = make_plan(tmp_path, ("a.wav", 0, 1024), sources={"a.wav": stamp(tmp_path / "a.wav")})
    monkeypatch.setattr("playback.source_checks.hash_file", lambda _: pytest.fail("hashed"))
    assert problems(tmp_path, plan) == {}


def test_a_copy_with_another_date_is_the_same_file(tmp_path, tabla):
    sf.write(tmp_path / "a.wav", tabla, RATE)
    plan = make_plan(tmp_path, ("a.wav", 0, 1024), sources={"a.wav": stamp(tmp_path / "a.wav")})
    (tmp_path / "moved").mkdir()
    shutil.copy(tmp_path / "a.wav", tmp_path / "moved" / "a.wav")  # shutil.copy dates it now
    assert problems(tmp_path / "moved", plan) == {}


def test_preparing_tells_how_far_it_is(tmp_path, tabla):
    names = [f"{i}.ogg" for i in range(5)]
    for name in names:
        sf.write(tmp_path / name, tabla[:5000], RATE)
    told = []
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        reader.prepare(
            make_plan(tmp_path, *[(name, 0, 10) for name in names]),
            lambda *given: told.append(given),
        )
    assert [(done, total) for done, total, _ in told] == [(i, 5) for i in range(1, 6)]
    assert sorted(what for _, _, what in told) == [f"reading {name}" for name in names]


def test_all_problems_are_named_at_once(tmp_path):
    plan = make_plan(tmp_path, *[(f"{i}.wav", 0, 9) for i in range(9)])
    missing = [f"  {i}.wav: missing" for i in range(9)]
    with pytest.raises(
        PlanError,
        match=f"^not all of the plan can be played from {tmp_path}; .*, .* --skip-missing:\n",
    ) as error:
        open_plan(plan)
    assert str(error.value).splitlines()[1:] == missing
    with pytest.raises(
        PlanError, match=f"^no step of the plan can be played from {tmp_path}; .* with --root:\n"
    ) as error:
        open_plan(plan, skip_missing=True)
    assert str(error.value).splitlines()[1:] == missing


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_header_is_read_once_until_the_file_changes(tmp_path, tabla, monkeypatch, name):
    probed = []
    monkeypatch.setattr(
        "playback.sources.probe", lambda path: probed.append(path.name) or probe(path)
    )
    sf.write(tmp_path / name, tabla, RATE)
    with SourceReader(tmp_path, sample_rate=RATE, channels=1) as reader:
        assert reader.prepare(make_plan(tmp_path, (name, 0, 99))) == {}
        read(reader, name, 0, 99)
    assert probed == [name]
    sf.write(tmp_path / name, np.stack([tabla, tabla])[:, :500].T, RATE)
    reader = SourceReader(tmp_path, sample_rate=RATE, channels=2)
    with reader:
        reader.prepare(make_plan(tmp_path, (name, 0, 99)))
        sf.write(tmp_path / name, tabla[:400], RATE)
        assert read(reader, name, 0, 99, 2).shape == (99, 2)
    assert probed == [name] * 3


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("drums/kikc.wav", "missing; did you mean kick.wav?"),
        ("drums/Kick.wav", "missing; did you mean kick.wav?"),
        ("drums/flute.ogg", "missing"),
        ("drums/snares", "missing"),  # a folder is no suggestion
        ("drum/kick.wav", "missing"),
    ],
)
def test_a_missing_file_is_looked_for_under_names_like_its_own(tmp_path, tabla, source, problem):
    (tmp_path / "drums" / "snare").mkdir(parents=True)
    (tmp_path / "drums" / "snares").mkdir()
    sf.write(tmp_path / "drums" / "kick.wav", tabla, RATE)
    assert problems(tmp_path, make_plan(tmp_path, (source, 0, 10))) == {source: problem}


def test_a_full_cache_is_no_fault_of_the_source(tmp_path, tabla, monkeypatch):
    def fail(file, blocks):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sf.write(tmp_path / "a.ogg", tabla, RATE)
    monkeypatch.setattr(decoded, "_write", fail)
    with pytest.raises(
        ParameterError,
        match=r"cannot be written \(No space left on device\); free some space there",
    ):
        problems(tmp_path, make_plan(tmp_path, ("a.ogg", 0, 10)))


def test_sources_come_in_the_order_in_which_they_are_heard():
    plan = make_plan(".", ("b", 0, 5), ("a", 0, 5), ("b", 9, 5), ("c", 0, 5))
    assert list(sources_of(plan)) == ["b", "a", "c"]


def test_sources_outside_are_only_played_if_asked_for_and_surely_the_same(tmp_path, tabla):
    (tmp_path / "corpus").mkdir()
    seed = tmp_path / "seed.wav"
    sf.write(seed, tabla, RATE)
    name = str(seed)
    plan = make_plan(tmp_path / "corpus", (name, 100, SPAN), sources={name: stamp(seed)})
    plan.save(tmp_path / "p.json")
    assert Plan.load(tmp_path / "p.json") == plan
    with pytest.raises(PlanError, match=r"seed\.wav: outside of the corpus folder"):
        open_plan(plan)
    with open_plan(plan, outside=True) as opened:
        assert len(read(opened.reader, name, 100, SPAN)) == SPAN
    reader = SourceReader(tmp_path / "corpus", sample_rate=RATE, channels=1)
    with pytest.raises(PlanError, match="not in the corpus folder"):
        reader.read_into(np.empty((SPAN, 1), np.float32), name, 0)
    before = seed.stat()
    sf.write(seed, tabla[::-1], RATE)
    os.utime(seed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert seed.stat().st_size == before.st_size
    with pytest.raises(PlanError, match="not the file that the plan was made from"):
        open_plan(plan, outside=True)
    with pytest.raises(PlanError, match="not the file that the plan was made from"):
        open_plan(make_plan(tmp_path / "corpus", (name, 100, SPAN)), outside=True)
