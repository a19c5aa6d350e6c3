"""Build a database from a folder of audio: add what is new, re-analyse what changed, skip the rest.

Write order: rows are appended and flushed to disk, then the manifest is committed. A crash at any moment loses at most the
sources of the last second; rows without a manifest entry are cut off by the next build.
"""

import json
import os
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from db.analyse import Analysis, analyse, find_audio, printable
from db.audio import AUDIO_SUFFIXES
from db.errors import DatabaseError, ParameterError
from db.manifest import FILE_NAME, open_manifest
from db.settings import DescriptorSettings
from db.writer import Transaction, Writer, WriterLock

QUEUED_PER_WORKER = 2  # sources read ahead; bounds memory


@dataclass
class BuildReport:
    """What a build did. Paths are relative to the corpus root; `failed` pairs them with the reason."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    pruned: bool = False
    audio_seconds: float = 0.0  # of sources analysed now
    seconds: float = 0.0


@dataclass(frozen=True)
class Known:
    """What the manifest says of a path."""

    content_hash: str
    n_bytes: int
    mtime_ns: int
    state: str
    error: str | None


@dataclass(frozen=True)
class Outcome:
    """One file after the build has looked at it."""

    name: str
    n_bytes: int
    mtime_ns: int
    analysis: Analysis
    known: Known | None


def build_database(
    audio_dir: str | Path,
    path: str | Path,
    *,
    settings: DescriptorSettings | None = None,
    prune: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> BuildReport:
    """Bring the database in folder `path` up to date with the audio under `audio_dir`.

    Parameters
    ----------
    settings : DescriptorSettings, optional
        Defaults to the database's own, or the class's defaults for a new one.
    prune : bool
        Remove sources whose files have vanished.
    workers : int, optional
        Threads that analyse; the processor count by default. The result does not depend on it.
    progress : callable (files done, files in all, path)

    Raises
    ------
    ParameterError
        If the folder does not exist or holds no audio, or `path` cannot be written.
    DatabaseError
        If the database has other settings or another corpus folder, or is being written by another process.
    """
    started = time.perf_counter()
    root, path = Path(audio_dir).absolute(), Path(path)
    if not root.is_dir():
        raise ParameterError(f"{audio_dir}: no such folder; give a folder with audio files")
    files = find_audio(root, exclude=path.resolve())
    if not files and not (path / FILE_NAME).exists():
        kinds = " ".join(sorted(AUDIO_SUFFIXES))
        raise ParameterError(f"{audio_dir}: no audio files in this folder; put some there ({kinds})")
    with WriterLock(path):
        connection = open_manifest(path, write=True)
        try:
            settings = _configure(connection, path, root, settings)
            report = BuildReport(pruned=prune)
            known = {
                row[0]: Known(*row[1:])
                for row in connection.execute("SELECT path, content_hash, n_bytes, mtime_ns, state, error FROM sources")
            }
            report.vanished = sorted(set(known) - set(files))
            writer = Writer(connection, path, settings)
            try:
                outcomes = _outcomes(root, files, known, settings, workers or os.cpu_count() or 1)
                for done, outcome in enumerate(outcomes, start=1):
                    _record(writer, report, outcome)
                    if progress:
                        progress(done, len(files), printable(outcome.name))
                if prune:
                    writer.remove(report.vanished)
            finally:  # an interrupted build keeps what it has
                writer.finish()
        finally:
            connection.close()
    report.seconds = time.perf_counter() - started
    return report


def _record(writer: Writer, report: BuildReport, outcome: Outcome) -> None:
    """Put one file's outcome in the database and in the report."""
    name, known, analysis = outcome.name, outcome.known, outcome.analysis
    if analysis.rows is None and analysis.error is None:  # what the manifest knows still holds
        assert known is not None
        if outcome.mtime_ns != known.mtime_ns:
            writer.touch(name, outcome.mtime_ns)
        if known.state == "failed":
            report.failed.append((name, known.error or ""))
        else:
            report.unchanged.append(name)
        return
    head = (name, analysis.content_hash, outcome.n_bytes, outcome.mtime_ns)
    if analysis.rows is None or analysis.info is None:
        report.failed.append((printable(name), analysis.error or ""))
        if printable(name) == name:  # a name that is not text cannot be kept in the manifest
            writer.add((*head, 0, 0, 0, "failed", analysis.error), None)
        return
    writer.add((*head, analysis.info.sample_rate, analysis.info.channels, analysis.n_samples, "ok", None), analysis.rows)
    report.audio_seconds += analysis.n_samples / writer.settings.sample_rate
    (report.added if known is None or known.state == "failed" else report.changed).append(name)


def _outcomes(
    root: Path, files: list[str], known: dict[str, Known], settings: DescriptorSettings, workers: int
) -> Iterator[Outcome]:
    """Outcome of every file, in order; numpy, scipy, soundfile and soxr release the GIL, so threads share the work."""
    queue: deque[tuple[str, os.stat_result | None, Future[Analysis] | None]] = deque()

    def results(limit: int) -> Iterator[Outcome]:
        while len(queue) > limit:
            name, stat, future = queue.popleft()
            analysis = future.result() if future else Analysis(known[name].content_hash)
            yield Outcome(name, stat.st_size if stat else 0, stat.st_mtime_ns if stat else 0, analysis, known.get(name))

    with ThreadPoolExecutor(workers) as pool:
        try:
            for name in files:
                stat, before = _stat(root / name), known.get(name)
                future = (
                    None
                    if _looks_same(stat, before)
                    else pool.submit(analyse, root / name, settings, before.content_hash if before else None)
                )
                queue.append((name, stat, future))
                yield from results(workers * QUEUED_PER_WORKER)
            yield from results(0)
        finally:
            for _, _, future in queue:
                if future:
                    future.cancel()


def _looks_same(stat: os.stat_result | None, known: Known | None) -> bool:
    """Same size and time as when it was read; a file that could not be read at all is tried again."""
    return bool(stat and known and known.content_hash and (stat.st_size, stat.st_mtime_ns) == (known.n_bytes, known.mtime_ns))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # vanished since it was listed; analyse() says so
        return None


def _configure(
    connection: sqlite3.Connection, path: Path, root: Path, settings: DescriptorSettings | None
) -> DescriptorSettings:
    """Write the configuration of a new database, or check an old one's against what is asked for."""
    config = dict(connection.execute("SELECT key, value FROM config"))
    if not config:
        settings = settings or DescriptorSettings()
        values = {"id": uuid.uuid4().hex, "root": str(root), "descriptors": json.dumps(settings.to_dict())}
        with Transaction(connection):
            connection.executemany("INSERT INTO config VALUES (?, ?)", values.items())
        return settings
    stored = DescriptorSettings.from_dict(json.loads(config["descriptors"]))
    if settings is not None:
        stored.check_matches(settings, mine=f"the database {path}", theirs="what was asked for")
    if Path(config["root"]) != root:
        if Path(config["root"]).is_dir():
            raise DatabaseError(
                f"{path} was built from {config['root']}, not {root}; give that folder, or build another database"
            )
        connection.execute("UPDATE config SET value = ? WHERE key = 'root'", (str(root),))  # the corpus has moved
    return stored
