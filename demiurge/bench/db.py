"""Building, updating, opening and reading a database, against librosa's path and the usual ways."""

import json
import sqlite3
import tempfile
import time
from itertools import count
from pathlib import Path

import numpy as np
import soundfile as sf

from audio.scan import find_audio
from db.analyse import Description
from db.build import build_database
from db.configure import configure
from db.database import Database
from db.settings import DescriptorSettings
from db.units import equal_unit_lengths
from db.write_lock import writing
from db.writer import SourceRow, Writer
from demiurge.bench import SAMPLE_RATE, Result, medians
from demiurge.bench.db_bands import bench_bands
from demiurge.bench.db_costs import first_files, measure_parts, measure_peak_memory

# The frames of librosa, so that the results can be compared.
SETTINGS = DescriptorSettings(window_centre="start")
SMALL_FILES = 2_000
SMALL_FILES_FULL = 20_000
SMALL_FILE_SECONDS = 0.5
FOLDER_FILES = 200  # small files per folder
UNITS = 100_000
UNITS_FULL = 1_000_000
SOURCE_UNITS = 500  # units per source of the database that is opened, 12 s
READ_UNITS = 512
LEAST_READS = 20


def bench_db(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Measure the room db; `full` adds a single hour and the memory of a build."""
    results = [bench_build(audio, repeats)]
    if full:
        results[0].facts.update(measure_peak_memory(audio))
        with tempfile.TemporaryDirectory() as folder:
            results.append(bench_build(first_files(audio, Path(folder), seconds=3600), repeats))
    results.append(bench_bands(audio, repeats))
    results.append(bench_update(audio, SMALL_FILES_FULL if full else SMALL_FILES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "units.db"
        make_random_database(path, UNITS_FULL if full else UNITS)
        return [*results, bench_open(path, repeats), bench_read(path, max(repeats, LEAST_READS))]


def bench_build(audio: Path, repeats: int) -> Result:
    """Build a database of a folder, against librosa and JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = find_audio(audio)
        numbers = count()
        # librosa compiles at its first call: not counted
        describe_with_librosa(audio / files[0], folder, SETTINGS)

        def ours() -> None:
            path = folder / f"{next(numbers)}.db"
            build_database(audio, path, settings=SETTINGS, executor=None)

        def theirs() -> None:
            for name in files:
                describe_with_librosa(audio / name, folder, SETTINGS)

        times = medians(ours, theirs, repeats)
        database = Database(folder / "0.db")
        audio_seconds = sum(source.n_samples for source in database.sources) / database.sample_rate
        facts = {
            "files": len(files),
            "largest_difference": compare_with_librosa(database, audio, folder),
            "size on disk over raw float32": size_on_disk(database),
            **measure_parts(audio, SETTINGS),
        }
    what = f"{len(files)} files, {audio_seconds / 3600:.2f} h into a database"
    baseline = "librosa.load + mfcc + delta × 2 + JSON, one process"
    return Result("db", what, baseline, *times, audio_seconds, repeats, facts)


def compare_with_librosa(database: Database, audio: Path, folder: Path) -> float:
    """Return the largest difference of a descriptor of the first source."""
    first = database.sources[0]
    expected = describe_with_librosa(audio / first.path, folder, SETTINGS)[: first.n_units]
    return float(np.abs(database.source_descriptors(0) - expected).max())


def size_on_disk(database: Database) -> float:
    """Return how many times larger a database is than its descriptors."""
    files = [path for path in database.path.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / database.descriptors.nbytes


def describe_with_librosa(path: Path, out: Path, settings: DescriptorSettings) -> np.ndarray:
    """Describe one file as the original Demiurge did, with librosa as its documentation shows."""
    import librosa

    samples, rate = librosa.load(path, sr=settings.sample_rate)
    mfcc = librosa.feature.mfcc(
        y=samples, sr=rate, n_mfcc=settings.n_mfcc, hop_length=settings.hop_length
    )
    rows = np.concatenate([mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)])
    n_frames = rows.shape[1]
    columns = {f"mfcc{i}": row.tolist() for i, row in enumerate(rows)}
    document = {"_id": [path.name] * n_frames, "_sample": list(range(n_frames)), **columns}
    (out / "descriptors.json").write_text(json.dumps(document))
    return rows.T


def bench_update(audio: Path, n_files: int) -> Result:
    """Build again over an unchanged folder of many small files."""
    with tempfile.TemporaryDirectory() as folder:
        sounds = Path(folder) / "sounds"
        write_small_files(audio / find_audio(audio)[0], sounds, n_files)
        started = time.perf_counter()
        build_database(sounds, Path(folder) / "db", executor=None)
        built = time.perf_counter()
        report = build_database(sounds, Path(folder) / "db")
        again = time.perf_counter()
        assert len(report.unchanged) == n_files
    what = f"{n_files} files of half a second, none changed"
    baseline = "the first build of the same folder"
    audio_seconds = n_files * SMALL_FILE_SECONDS
    return Result("db update", what, baseline, again - built, built - started, audio_seconds)


def write_small_files(source: Path, out: Path, n_files: int) -> None:
    """Write many short parts of the first ten seconds of a file."""
    samples, rate = sf.read(source, stop=10 * SAMPLE_RATE, dtype="int16", always_2d=True)
    length = int(SMALL_FILE_SECONDS * rate)
    for number in range(n_files):
        folder = out / f"{number // FOLDER_FILES:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        first = number * 37 % max(len(samples) - length, 1)
        sf.write(folder / f"{number:05d}.wav", samples[first : first + length, 0], rate)


def make_random_database(path: Path, n_units: int) -> None:
    """Make a database of random rows, written as a build writes."""
    rng = np.random.default_rng(0)
    n_samples = SOURCE_UNITS * SETTINGS.hop_length
    lengths = equal_unit_lengths(n_samples, SETTINGS.hop_length)
    with writing(path, create=True) as connection:
        root = configure(connection, path, path.parent, SETTINGS, moved=False)
        writer = Writer(connection, path, root)
        for number in range(n_units // SOURCE_UNITS):
            shape = (SOURCE_UNITS, SETTINGS.n_descriptors)
            rows = rng.normal(size=shape).astype(np.float32)
            content_hash = f"{number:032x}"
            source = SourceRow(f"{number:06d}.wav", content_hash, 1, 1, SAMPLE_RATE, 1, n_samples)
            writer.add(source, Description(n_samples, rows, lengths, rows))
        writer.finish()


def bench_open(path: Path, repeats: int) -> Result:
    """Open a database and its units, against loading the same rows from a NumPy file."""
    database = Database(path)
    np.save(path / "rows.npy", database.descriptors)

    def ours() -> None:
        opened = Database(path)
        assert len(opened.units) == opened.n_units

    times = medians(ours, lambda: np.load(path / "rows.npy"), repeats)
    what = f"{database.n_units} units of {len(database.sources)} sources"
    return Result("db open", what, "np.load of their descriptors", *times, repeats=repeats)


def bench_read(path: Path, repeats: int) -> Result:
    """Read the descriptors of random units, against the same rows as BLOBs in SQLite."""
    database = Database(path)
    ids = np.random.default_rng(1).choice(database.units.ids, READ_UNITS, replace=False)
    blobs = save_as_blobs(database, path / "rows.sqlite")

    def ours() -> np.ndarray:
        return database.rows_at(database.units.find(ids))

    def theirs() -> np.ndarray:
        found = []
        for unit in ids.tolist():
            found += blobs.execute("SELECT row FROM rows WHERE id = ?", (unit,)).fetchone()
        return np.frombuffer(b"".join(found), np.float32).reshape(len(ids), -1)

    # The first read checks the checksums of the rows: not counted.
    np.testing.assert_array_equal(ours(), theirs())
    times = medians(ours, theirs, repeats)
    blobs.close()
    what = f"descriptors of {READ_UNITS} random units of {database.n_units}"
    return Result("db read", what, "BLOBs in SQLite by primary key", *times, repeats=repeats)


def save_as_blobs(database: Database, path: Path) -> sqlite3.Connection:
    """Write the descriptors of all units into a table of SQLite."""
    blobs = sqlite3.connect(path)
    blobs.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, row BLOB)")
    rows = zip(database.units.ids.tolist(), database.descriptors, strict=True)
    written = ((unit, row.tobytes()) for unit, row in rows)
    blobs.executemany("INSERT INTO rows VALUES (?, ?)", written)
    blobs.commit()
    return blobs
