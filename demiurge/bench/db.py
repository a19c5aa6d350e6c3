"""Building, updating and opening a database, against the original's path and the usual ways."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from scipy.fft import rfft

from audio.read import open_mono
from audio.scan import find_audio
from db.analyse import Description
from db.build import build_database, configure
from db.database import Database
from db.descriptors.frames import frames_of
from db.settings import DescriptorSettings
from db.units import frame_lengths
from db.writer import SourceRow, Writer, writing
from demiurge.bench import SAMPLE_RATE, Result, medians
from files.hashing import hash_file

SETTINGS = DescriptorSettings(
    window_centre="start"
)  # the reference's frames, so that the results can be compared
SMALL_FILES = 2_000
SMALL_FILES_FULL = 20_000
UNITS = 100_000
UNITS_FULL = 1_000_000
SOURCE_UNITS = 500  # units per source of the database that is opened, 12 s
READ_UNITS = 512
# A process started from a large one counts the large one's memory in ru_maxrss; VmHWM starts anew.
PEAK_MEMORY = """
import os, re, resource, sys
from db.build import build_database
if __name__ == "__main__":
    build_database(sys.argv[1], sys.argv[2], executor=sys.argv[3])
    own = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * os.cpu_count()
    print((own + workers) / 1024)
"""
MEMORY_HOURS = (1, 8)  # of a folder, measured with --full


def bench_db(audio: Path, repeats: int, full: bool) -> list[Result]:
    results = [_build(audio, repeats), _update(audio, SMALL_FILES_FULL if full else SMALL_FILES)]
    if full:
        results.insert(1, _build(audio, repeats, seconds=3600))
        results[0].facts.update(_peak_memory(audio))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "units.db"
        _make_database(path, UNITS_FULL if full else UNITS)
        return [*results, _open(path, repeats), _read_units(path, repeats)]


def _build(audio: Path, repeats: int, seconds: float | None = None) -> Result:
    """Build a database of the folder, or of its first files up to so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        if seconds is not None:
            audio = _first_files(audio, Path(folder) / "audio", seconds)
        files = find_audio(audio)
        numbers = count()
        reference_path(
            audio / files[0], Path(folder), SETTINGS
        )  # librosa compiles at its first call: not counted

        def ours() -> None:
            build_database(
                audio, Path(folder) / f"{next(numbers)}.db", settings=SETTINGS, executor=None
            )

        def reference() -> None:
            for name in files:
                reference_path(audio / name, Path(folder), SETTINGS)

        ours_seconds, reference_seconds = medians(ours, reference, repeats)
        database = Database(Path(folder) / "0.db")
        expected = reference_path(audio / database.sources[0].path, Path(folder), SETTINGS)
        expected = expected[: database.sources[0].n_units]
        audio_seconds = sum(source.n_samples for source in database.sources) / database.sample_rate
        size = sum(file.stat().st_size for file in database.path.rglob("*") if file.is_file())
        facts: dict[str, Any] = {
            "files": len(files),
            "largest_difference": float(np.abs(database.source_descriptors(0) - expected).max()),
            "size on disk over raw float32": size / database.descriptors.nbytes,
            **_bare_costs(audio, files),
        }
    return Result(
        "db",
        f"{len(files)} files, {audio_seconds / 3600:.2f} h into a database",
        "librosa.load + mfcc + delta × 2 + JSON, one process",
        ours_seconds,
        reference_seconds,
        audio_seconds,
        repeats,
        facts,
    )


def _first_files(audio: Path, folder: Path, seconds: float) -> Path:
    folder.mkdir()
    for name in find_audio(audio):
        if seconds <= 0:
            break
        (folder / name.replace("/", "_")).symlink_to((audio / name).resolve())
        seconds -= sf.info(audio / name).duration
    return folder


def _bare_costs(audio: Path, files: list[str]) -> dict[str, float]:
    """Seconds that one thread needs for parts of the work on all files, without the rest."""
    started = time.perf_counter()
    for name in files:
        hash_file(audio / name)
    hashed = time.perf_counter()
    for name in files:
        with open_mono(audio / name) as (_, blocks):
            for _ in blocks:
                pass
    decoded = time.perf_counter()
    for name in files:
        with open_mono(audio / name) as (_, blocks):
            for frames in frames_of(blocks, SETTINGS):
                rfft(frames.samples, axis=1)
    transformed = time.perf_counter()
    return {
        "one thread, s: hash the files": hashed - started,
        "one thread, s: decode to mono": decoded - hashed,
        "one thread, s: decode, cut into frames, FFT": transformed - decoded,
    }


def _peak_memory(audio: Path) -> dict[str, float]:
    """Peak resident megabytes of a build and its workers, in processes of their own, at two sizes."""
    peaks = {}
    names = find_audio(audio)
    seconds = sum(sf.info(audio / name).duration for name in names)
    for hours in MEMORY_HOURS:
        with tempfile.TemporaryDirectory() as folder:
            made = 0.0
            number = 0
            (Path(folder) / "audio").mkdir()
            while made < 3600 * hours:
                name = names[number % len(names)]
                link = Path(folder) / "audio" / f"{number:05d}{Path(name).suffix}"
                link.symlink_to(
                    (audio / name).resolve()
                )  # the same files again if need be: memory does not mind
                made = made + seconds / len(names)
                number = number + 1
            for executor in ("threads", "processes"):
                arguments = [
                    sys.executable,
                    "-c",
                    PEAK_MEMORY,
                    f"{folder}/audio",
                    f"{folder}/{executor}.db",
                    executor,
                ]
                result = subprocess.run(arguments, capture_output=True, text=True, check=True)
                peaks[f"peak memory at {hours} h, {executor}, MB"] = float(result.stdout)
    return peaks


def _update(audio: Path, n_files: int) -> Result:
    """Build again over an unchanged folder of many small files."""
    with tempfile.TemporaryDirectory() as folder:
        sounds = Path(folder) / "sounds"
        samples, rate = sf.read(
            audio / find_audio(audio)[0], stop=10 * SAMPLE_RATE, dtype="int16", always_2d=True
        )
        for number in range(n_files):
            (sounds / f"{number // 200:03d}").mkdir(parents=True, exist_ok=True)
            first = number * 37 % max(len(samples) - rate // 2, 1)
            sf.write(
                sounds / f"{number // 200:03d}" / f"{number:05d}.wav",
                samples[first : first + rate // 2, 0],
                rate,
            )
        started = time.perf_counter()
        build_database(sounds, Path(folder) / "db", executor=None)
        built = time.perf_counter()
        report = build_database(sounds, Path(folder) / "db")
        again = time.perf_counter()
        assert len(report.unchanged) == n_files
    return Result(
        "db update",
        f"{n_files} files of half a second, none changed",
        "the first build of the same folder",
        again - built,
        built - started,
        n_files / 2,
        1,
        {},
    )


def _make_database(path: Path, n_units: int) -> None:
    """A database of random rows, written as a build writes."""
    rng = np.random.default_rng(0)
    hop = SETTINGS.hop_length
    settings = SETTINGS
    with writing(path, create=True) as connection:
        writer = Writer(
            connection, path, configure(connection, path, path.parent, settings, moved=False)
        )
        n_samples = SOURCE_UNITS * hop
        for number in range(n_units // SOURCE_UNITS):
            rows = rng.normal(size=(SOURCE_UNITS, settings.n_descriptors)).astype(np.float32)
            source = SourceRow(
                f"{number:06d}.wav", f"{number:032x}", 1, 1, SAMPLE_RATE, 1, n_samples
            )
            writer.add(source, Description(n_samples, rows, frame_lengths(n_samples, hop), rows))
        writer.finish()


def _open(path: Path, repeats: int) -> Result:
    """Open a database and lay out its units, against loading the same rows from a NumPy file."""
    database = Database(path)
    np.save(path / "rows.npy", database.descriptors)

    def ours() -> None:
        opened = Database(path)
        assert len(opened.units) == opened.n_units

    seconds, baseline = medians(ours, lambda: np.load(path / "rows.npy"), repeats)
    return Result(
        "db open",
        f"{database.n_units} units of {len(database.sources)} sources",
        "np.load of their descriptors",
        seconds,
        baseline,
        0,
        repeats,
        {},
    )


def _read_units(path: Path, repeats: int) -> Result:
    """Random units' descriptors, against the same rows as BLOBs in SQLite."""
    database = Database(path)
    ids = np.random.default_rng(1).choice(database.units.ids, READ_UNITS, replace=False)
    blobs = sqlite3.connect(path / "rows.sqlite")
    blobs.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, row BLOB)")
    pairs = zip(database.units.ids.tolist(), database.descriptors, strict=True)
    blobs.executemany(
        "INSERT INTO rows VALUES (?, ?)", ((unit, row.tobytes()) for unit, row in pairs)
    )
    blobs.commit()

    def reference() -> np.ndarray:
        rows = (
            blobs.execute("SELECT row FROM rows WHERE id = ?", (unit,)).fetchone()[0]
            for unit in ids.tolist()
        )
        return np.frombuffer(b"".join(rows), np.float32).reshape(len(ids), -1)

    np.testing.assert_array_equal(
        database.unit_descriptors(ids), reference()
    )  # checks the rows' checksums, once
    seconds, baseline = medians(lambda: database.unit_descriptors(ids), reference, max(repeats, 20))
    blobs.close()
    return Result(
        "db read",
        f"descriptors of {READ_UNITS} random units of {database.n_units}",
        "BLOBs in SQLite by primary key",
        seconds,
        baseline,
        0,
        max(repeats, 20),
        {},
    )


def reference_path(path: Path, out: Path, settings: DescriptorSettings) -> np.ndarray:
    """The original's extraction of one file, written with librosa as its documentation shows."""
    import librosa

    samples, rate = librosa.load(path, sr=settings.sample_rate)
    mfcc = librosa.feature.mfcc(
        y=samples, sr=rate, n_mfcc=settings.n_mfcc, hop_length=settings.hop_length
    )
    rows = np.concatenate([mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)])
    columns = {f"mfcc{i}": row.tolist() for i, row in enumerate(rows)}
    (out / "descriptors.json").write_text(
        json.dumps(
            {"_id": [path.name] * rows.shape[1], "_sample": list(range(rows.shape[1])), **columns}
        )
    )
    return rows.T
