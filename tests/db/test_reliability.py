"""What a database goes through: killed writers, full disks, hostile files, odd corpora."""

import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from db.verify import verify
from files.errors import DatabaseError, ParameterError
from tests.db.rows import read_frames
from tests.kills import KILLS, fork_server

BUILDS = 10 * KILLS  # that are killed, of each kind of units


def content(path) -> dict[str, tuple]:
    """All that a database says of its sources, apart from where it keeps it."""
    database = Database(path)
    units = database.units
    frames = read_frames(path)
    return {
        source.path: (
            source.sample_rate,
            source.channels,
            source.n_samples,
            database.source_descriptors(i).tobytes(),
            frames[source.path].tobytes(),
            units.n_samples[units.source == i].tobytes(),
        )
        for i, source in enumerate(database.sources)
    }


def build_with_many_commits(corpus, path, units):
    import db.writer

    db.writer.COMMIT_SECONDS = 0.002
    build_database(corpus, path, settings=DescriptorSettings(units=units))


@pytest.mark.slow
@pytest.mark.parametrize("units", ["frame", "onset"])
def test_builder_killed_at_any_moment_loses_nothing_and_ends_alike(tmp_path, tabla, units):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rng = np.random.default_rng(0)
    for i in range(120):
        first = int(rng.integers(20000))
        sf.write(
            corpus / f"{i:03d}.wav", tabla[first : first + int(rng.integers(5000, 24000))], 44100
        )
    build_database(corpus, tmp_path / "whole", settings=DescriptorSettings(units=units))
    whole = content(tmp_path / "whole")
    n_bytes = size_of_rows(tmp_path / "whole")
    context = fork_server()
    moments = random.Random(1)
    kills = 0
    committed_at_death = []
    path = tmp_path / "db"
    before = {}
    started = time.perf_counter()
    process = context.Process(target=build_with_many_commits, args=(corpus, path, units))
    process.start()
    process.join()
    seconds = time.perf_counter() - started  # as long as a build takes on this machine, now
    shutil.rmtree(path)
    while kills < BUILDS:
        process = context.Process(target=build_with_many_commits, args=(corpus, path, units))
        process.start()
        if kills % 2:
            process.join(moments.uniform(0.005, 0.6 * seconds))
        else:  # on a busy machine a build may be killed at its start each time, but not here
            wait_for_rows(process, path, moments.uniform(0, 0.1) * n_bytes)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.join()
        found = {}
        if (path / "manifest.sqlite").exists() and has_settings(path):
            found = content(path)  # every row is checked against its checksum
        assert found.items() <= whole.items()
        assert before.keys() <= found.keys()  # what was committed is still there
        committed_at_death.append(len(found))
        before = found
        if len(found) == len(whole):  # complete: start again from nothing
            build_database(corpus, path)
            assert content(path) == whole
            shutil.rmtree(path)
            before = {}
    build_database(corpus, path, settings=DescriptorSettings(units=units))
    assert content(path) == whole
    assert verify(path).ok
    np.testing.assert_array_equal(
        Database(path).normaliser.mean, Database(tmp_path / "whole").normaliser.mean
    )
    assert len(set(committed_at_death)) > 2  # the kills did come at different moments


def size_of_rows(path) -> int:
    return sum(file.stat().st_size for file in path.glob("shards/*.f32"))


def wait_for_rows(process, path, n_bytes) -> None:
    """Wait until a build has written so many bytes more, or has ended."""
    enough = size_of_rows(path) + n_bytes
    while process.is_alive() and size_of_rows(path) < enough:
        time.sleep(0.001)


def has_settings(path) -> bool:
    connection = sqlite3.connect(path / "manifest.sqlite")
    try:
        return connection.execute("SELECT 1 FROM config").fetchone() is not None
    except sqlite3.OperationalError:  # not even its tables
        return False
    finally:
        connection.close()


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
from db.build import build_database
from files.errors import DemiurgeError
import db.writer

db.writer.COMMIT_SECONDS = 0.0
try:
    build_database(sys.argv[1], sys.argv[2], executor="serial")
except DemiurgeError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.parametrize("limit", [2_000, 40_000, 70_000, 90_000])
def test_full_disk_is_said_and_what_was_committed_stays(tmp_path, tabla, limit):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i in range(30):
        sf.write(corpus / f"{i:02d}.wav", tabla[: 20000 + 500 * i], 44100)
    arguments = [sys.executable, "-c", FULL_DISK, str(corpus), str(tmp_path / "db"), str(limit)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stderr
    assert "cannot be written" in result.stdout
    build_database(corpus, tmp_path / "whole")
    if (tmp_path / "db" / "manifest.sqlite").exists() and has_settings(tmp_path / "db"):
        assert content(tmp_path / "db").items() < content(tmp_path / "whole").items()
    build_database(corpus, tmp_path / "db")  # there is room again
    assert content(tmp_path / "db") == content(tmp_path / "whole")
    assert verify(tmp_path / "db").ok


@pytest.mark.accounts
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_said_and_can_still_be_read(corpus, tmp_path):
    build_database(corpus, tmp_path / "db")
    for folder in (tmp_path / "db", tmp_path / "db" / "shards"):
        folder.chmod(0o555)
    try:
        assert len(content(tmp_path / "db")) == 4
        with pytest.raises((DatabaseError, ParameterError), match="cannot be written"):
            build_database(corpus, tmp_path / "db")
    finally:
        for folder in (tmp_path / "db", tmp_path / "db" / "shards"):
            folder.chmod(0o755)


def test_a_reader_sees_one_moment_while_a_writer_works(corpus, tmp_path, tabla):
    build_database(corpus, tmp_path / "db")
    reader = Database(tmp_path / "db")
    sf.write(corpus / "a" / "x.wav", tabla[:30000], 44100)
    sf.write(corpus / "new.wav", tabla, 44100)
    build_database(corpus, tmp_path / "db")
    assert len(reader.sources) == 4
    assert len(reader.descriptors) == len(reader.units)
    assert len(Database(tmp_path / "db").sources) == 5


def wav_header(rate: int, channels: int, n_bytes: int, bits: int = 16) -> bytes:
    block = channels * bits // 8
    body = struct.pack(
        "<HHIIHH", 1, channels, rate & 0xFFFFFFFF, (rate * block) & 0xFFFFFFFF, block & 0xFFFF, bits
    )
    return (
        b"RIFF"
        + struct.pack("<I", 36 + n_bytes & 0xFFFFFFFF)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + body
        + b"data"
        + struct.pack("<I", n_bytes & 0xFFFFFFFF)
    )


def hostile_files(folder, tabla):
    """Every file in it is bad; name -> what its message must say."""
    rng = np.random.default_rng(0)
    for suffix in (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus", ".caf", ".au", ".w64"):
        (folder / f"noise{suffix}").write_bytes(rng.bytes(5000))
    (folder / "rate0.wav").write_bytes(wav_header(0, 1, 2000) + bytes(2000))
    (folder / "rate10M.wav").write_bytes(wav_header(10_000_000, 1, 2000) + bytes(2000))
    (folder / "huge.wav").write_bytes(wav_header(44100, 1, 0xEFFFF000 - 1) + bytes(2000))
    ds64 = struct.pack("<QQQI", 1 << 42, 1 << 41, 1 << 40, 0)
    riff = b"RF64" + b"\xff" * 4 + b"WAVEds64" + struct.pack("<I", 28) + ds64
    body = struct.pack("<HHIIHH", 1, 1, 44100, 88200, 2, 16)
    (folder / "huge64.wav").write_bytes(
        riff + b"fmt " + struct.pack("<I", 16) + body + b"data" + b"\xff" * 4 + bytes(2000)
    )
    au = b".snd" + struct.pack(">IIIII", 24, 0x6FFFFFFF, 3, 44100, 1)
    (folder / "huge.au").write_bytes(au + bytes(2000))
    sf.write(folder / "cut.wav", tabla, 44100)
    (folder / "cut.wav").write_bytes((folder / "cut.wav").read_bytes()[:9999])
    for suffix in ("flac", "ogg"):
        sf.write(folder / f"flip.{suffix}", np.tile(tabla, 3), 44100)
        content = bytearray((folder / f"flip.{suffix}").read_bytes())
        content[len(content) // 2 : len(content) // 2 + 3000] = rng.bytes(3000)
        (folder / f"flip.{suffix}").write_bytes(content)
    (folder / "empty.wav").touch()
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_hostile_files_are_named_and_harm_nothing(tmp_path, tabla, executor):
    folder = tmp_path / "hostile"
    folder.mkdir()
    hostile_files(folder, tabla)
    bad = {name for name in os.listdir(folder) if name != "folder.wav"}
    sf.write(folder / "good.wav", tabla, 44100)
    sf.write(folder / "line\nbreak.wav", tabla, 44100)
    sf.write(folder / "wide.wav", np.tile(tabla[:2000, None], (1, 256)), 44100)
    with open(os.fsencode(folder) + b"/caf\xe9.wav", "wb") as file:
        file.write((folder / "good.wav").read_bytes())
    (folder / "deep").mkdir()
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "deep" / "itself").symlink_to("itself")
    started = time.monotonic()
    report = build_database(folder, tmp_path / "db", executor=executor, jobs=2)
    assert time.monotonic() - started < 60
    failed = dict(report.failed)
    assert set(failed) - {"flip.ogg", "flip.flac"} == bad - {"flip.ogg", "flip.flac"} | {
        "caf\\udce9.wav"
    }
    assert all(len(message) > 15 and ";" in message for message in failed.values()), failed
    database = Database(tmp_path / "db")
    assert {"good.wav", "line\nbreak.wav", "wide.wav"} <= {s.path for s in database.sources}
    assert np.isfinite(database.descriptors).all()
    assert verify(tmp_path / "db", check_files=False).ok


def peak_of(code: str) -> int:
    """Peak resident memory of a Python process, bytes."""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return int(result.stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_archive_or_a_file(tmp_path, tabla):
    for name, minutes, files in (("small", 1, 4), ("many", 1, 24), ("long", 30, 1)):
        (tmp_path / name).mkdir()
        for i in range(files):
            with sf.SoundFile(tmp_path / name / f"{i}.wav", "w", 44100, 2, "PCM_16") as file:
                for _ in range(60 * minutes):
                    file.write(np.stack([tabla, tabla], axis=1))
    code = (
        "import re\nfrom db.build import build_database\n"
        "build_database({0!r}, {0!r} + '.db', jobs=2)\n"
        "print(1024 * int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]))"
    )
    small, many, long = (
        peak_of(code.format(str(tmp_path / name))) for name in ("small", "many", "long")
    )
    assert many < small + (40 << 20)
    assert long < small + (
        150 << 20
    )  # the mel bands of half an hour wait in memory, those of more on disk
    assert max(small, many, long) < 700 << 20


@pytest.mark.parametrize("units", ["frame", "onset", "beat/4", "fixed:100"])
@pytest.mark.parametrize(
    "kind", ["one file", "one unit", "one sample", "identical", "silent", "constant"]
)
def test_degenerate_corpora_are_built_searched_and_played(tmp_path, tabla, units, kind):
    from demiurge.pipeline import render_mosaic
    from query.options import PathOptions
    from query.settings import SearchSettings

    folder = tmp_path / "c"
    folder.mkdir()
    sounds = {
        "one file": [tabla],
        "one unit": [tabla[:700]],
        "one sample": [tabla[9000:9001]],
        "identical": [tabla] * 3,
        "silent": [np.zeros(30000, np.float32)] * 2,
        "constant": [np.full(30000, 0.25, np.float32)] * 2,
    }[kind]
    for i, samples in enumerate(sounds):
        sf.write(folder / f"{i}.wav", samples, 44100)
    settings = DescriptorSettings(
        units=units, descriptors=("mfcc", "spectral", "chroma", "loudness")
    )
    assert len(build_database(folder, tmp_path / "db", settings=settings).added) == len(sounds)
    database = Database(tmp_path / "db")
    assert np.isfinite(database.normaliser.apply(database.descriptors)).all()
    assert verify(tmp_path / "db").ok
    sf.write(tmp_path / "target.wav", tabla[:9000], 44100)
    search = SearchSettings(path=PathOptions(continuity=0.5))
    (result,) = render_mosaic(
        tmp_path / "target.wav", tmp_path / "db", tmp_path / "o.wav", search=search
    )
    samples, _ = sf.read(tmp_path / "o.wav")
    assert np.isfinite(samples).all()
    assert result.summary.n_samples == 9000
