"""Build a database from a folder of audio: add what is new, re-analyse what changed, skip the rest.

Write order: rows are appended and flushed to disk, then the manifest is committed. A crash at any
moment loses at most the sources of the last second; rows without a manifest entry are cut off by
the next build.
"""

import json
import os
import sqlite3
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from audio.read import AUDIO_SUFFIXES
from audio.scan import find_audio
from db.analyse import Analysis, analyse
from db.executors import best_executor, check_executor, run_tasks
from db.manifest import FILE_NAME, find_root, root_entries
from db.settings import DescriptorSettings
from db.shards import rows_per_shard
from db.writer import SourceRow, Writer, transaction, writing
from files.errors import DatabaseError, ParameterError
from files.names import check_name, is_utf8, printable
from files.progress import Progress, no_progress


@dataclass
class BuildReport:
    """What a build did.

    Paths are relative to the corpus root; `failed` pairs them with the reason, `renamed` is (old,
    new).
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
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
class Task:
    """One file to look at.

    Content that is known under its name, or under a name that has vanished, is not analysed again.
    """

    path: str
    settings: DescriptorSettings
    known_hashes: frozenset[str]


def build_database(
    audio_dir: str | Path,
    path: str | Path,
    *,
    settings: DescriptorSettings | None = None,
    prune: bool = False,
    moved: bool = False,
    executor: str | None = "threads",
    jobs: int | None = None,
    address: str | None = None,
    progress: Progress = no_progress,
) -> BuildReport:
    """Bring the database in folder `path` up to date with the audio under `audio_dir`.

    Parameters
    ----------
    settings : DescriptorSettings, optional
        Defaults to the database's own, or the class's defaults for a new one.
    prune : bool
        Remove sources whose files have vanished.
    moved : bool
        The corpus is in `audio_dir` now, though the folder it was built from still exists.
    executor, jobs, address
        Where files are analysed, see `db.executors`; `jobs` is the processor count by default. None
        takes "processes" if there is much to do: a script must then guard its start with `if
        __name__ == "__main__":`, as always with spawned processes. The result does not depend on
        them.

    Raises
    ------
    ParameterError
        If the folder does not exist, holds no audio or has a name that is not UTF-8, or `path`
        cannot be written.
    DatabaseError
        If the database has other settings or another corpus folder, or is being written by another
        process.
    """
    started = time.perf_counter()
    jobs = jobs or os.cpu_count() or 1
    check_executor(executor or "threads", jobs, address)
    root = Path(audio_dir).absolute()
    path = Path(path)
    check_name(root, ParameterError)
    if not root.is_dir():
        raise ParameterError(f"{audio_dir}: no such folder; give a folder with audio files")
    unreadable: dict[str, OSError] = {}
    files = find_audio(root, exclude=path.resolve(), unreadable=unreadable.__setitem__)
    if not files and not (path / FILE_NAME).exists():
        kinds = " ".join(sorted(AUDIO_SUFFIXES))
        raise ParameterError(
            f"{audio_dir}: no audio files in this folder; put some there ({kinds})"
        )
    report = BuildReport(pruned=prune)
    for folder, error in unreadable.items():
        report.failed.append(
            (
                _text(folder),
                f"the folder cannot be read ({error.strerror}); check its permissions",
            )
        )
    with writing(path, create=True) as connection:
        settings = configure(connection, path, root, settings, moved=moved)
        build = _Build(connection, path, root, settings, report, progress, started)
        build.find_vanished(files, list(unreadable))
        try:
            build.run(files, executor=executor, jobs=jobs, address=address)
            if prune:
                build.writer.remove(report.vanished)
        finally:  # an interrupted build keeps what it has
            build.writer.finish()
    report.seconds = time.perf_counter() - started
    return report


class _Build:
    """One run of `build_database`: what the manifest knew, and what has been found so far."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        root: Path,
        settings: DescriptorSettings,
        report: BuildReport,
        progress: Progress,
        started: float,
    ) -> None:
        self.root = root
        self.settings = settings
        self.report = report
        self._progress = progress
        self._started = started
        query = "SELECT path, content_hash, n_bytes, mtime_ns, state, error FROM sources"
        self.known = {row[0]: Known(*row[1:]) for row in connection.execute(query)}
        self._lost: dict[str, list[str]] = {}  # content hash -> vanished paths
        self.writer = Writer(connection, path, settings)

    def find_vanished(self, files: list[str], unreadable: list[str]) -> None:
        """Known paths without a file; those in folders that cannot be read now may still be there."""
        hidden = tuple(f"{folder}/" for folder in unreadable)
        gone = sorted(set(self.known) - set(files))
        self.report.vanished = [
            name for name in gone if not (name.startswith(hidden) or "." in unreadable)
        ]
        for name in self.report.vanished:
            if self.known[name].state == "ok":
                self._lost.setdefault(self.known[name].content_hash, []).append(name)

    def run(
        self, files: list[str], *, executor: str | None, jobs: int, address: str | None
    ) -> None:
        """Look at every file and record what is found."""
        todo = [name for name in files if not self._is_as_before(name)]
        lost = frozenset(self._lost)
        own = {name: known.content_hash for name, known in self.known.items()}
        tasks = (
            Task(
                os.path.join(self.root, name),
                self.settings,
                lost | {own[name]} if own.get(name) else lost,
            )
            for name in todo
        )
        done = len(files) - len(todo)
        if executor is None:
            executor = best_executor(len(todo), sum(_size(self.root, name) for name in todo), jobs)
        results = run_tasks(look_at, tasks, executor=executor, jobs=jobs, address=address)
        with closing(results):
            for name, analysis in zip(todo, results, strict=True):
                self._record(name, analysis)
                done += 1
                self._progress(done, len(files), self._label(name))
        self.report.unchanged.sort()

    def _is_as_before(self, name: str) -> bool:
        """Same size and time as when it was read; a file that could not be read at all is tried
        again.
        """
        known = self.known.get(name)
        if known is None or not known.content_hash:
            return False
        try:
            stat = os.stat(os.path.join(self.root, name))
        except OSError:  # vanished since it was listed; analyse() says so
            return False
        if (stat.st_size, stat.st_mtime_ns) != (known.n_bytes, known.mtime_ns):
            return False
        self._keep(name, known)
        return True

    def _keep(self, name: str, known: Known) -> None:
        if known.state == "failed":
            self.report.failed.append((name, known.error or ""))
        else:
            self.report.unchanged.append(name)

    def _record(self, name: str, analysis: Analysis) -> None:
        """Put one file's analysis in the database and in the report."""
        known = self.known.get(name)
        report = self.report
        if analysis.description is None and analysis.error is None:  # its content is known
            if known and known.content_hash == analysis.content_hash:
                self.writer.touch(name, analysis.n_bytes, analysis.mtime_ns)
                self._keep(name, known)
                return
            if before := self._lost.get(analysis.content_hash):
                self._rename(before.pop(0), name, analysis)
                return
            analysis = look_at(
                Task(os.path.join(self.root, name), self.settings, frozenset())
            )  # another copy took the name
        stamp = (name, analysis.content_hash, analysis.n_bytes, analysis.mtime_ns)
        description = analysis.description
        info = analysis.info
        error = analysis.error
        if description is not None and len(description.frames) > rows_per_shard(
            self.settings.n_descriptors
        ):
            error = (
                f"{len(description.frames)} frames are too many; split the file or choose a"
                " longer hop"
            )
        if error is not None or description is None or info is None:
            report.failed.append((_text(name), error or ""))
            if is_utf8(name) and (analysis.content_hash or known is None):
                self.writer.add_failure(SourceRow(*stamp, state="failed", error=error))
            # a name that is not text cannot be kept; a file that cannot be read just now keeps what
            # it had
            return
        self.writer.add(
            SourceRow(*stamp, info.sample_rate, info.channels, description.n_samples), description
        )
        report.audio_seconds += description.n_samples / self.settings.sample_rate
        (report.added if known is None or known.state == "failed" else report.changed).append(name)

    def _rename(self, before: str, after: str, analysis: Analysis) -> None:
        self.writer.rename(before, after, analysis.n_bytes, analysis.mtime_ns)
        self.report.vanished.remove(before)
        self.report.renamed.append((before, after))

    def _label(self, name: str) -> str:
        """Return what the progress bar shows after a file: how much, how fast, and its name."""
        report = self.report
        hours = report.audio_seconds / 3600
        speed = report.audio_seconds / (time.perf_counter() - self._started)
        failed = f", {len(report.failed)} failed" if report.failed else ""
        return f"{hours:.2f} h, {speed:.0f} × real time{failed}  {printable(name)[-30:]}"


def _text(name: str) -> str:
    """Return a file's name as text that can be printed, and written as JSON."""
    return name if is_utf8(name) else printable(name)


def _size(root: Path, name: str) -> int:
    try:
        return os.stat(os.path.join(root, name)).st_size
    except OSError:  # vanished since it was listed
        return 0


def look_at(task: Task) -> Analysis:
    """What a worker does with one file."""
    return analyse(task.path, task.settings, task.known_hashes)


def configure(
    connection: sqlite3.Connection,
    path: Path,
    root: Path,
    settings: DescriptorSettings | None,
    *,
    moved: bool,
) -> DescriptorSettings:
    """Write the configuration of a new database, or check an old one's against what is asked for;
    arguments and errors as `build_database`."""
    config = dict(connection.execute("SELECT key, value FROM config"))
    if not config:
        settings = settings or DescriptorSettings()
        values = {
            "id": uuid.uuid4().hex,
            "descriptors": json.dumps(settings.to_dict()),
            **root_entries(path, root),
        }
        with transaction(connection):
            connection.executemany("INSERT INTO config VALUES (?, ?)", values.items())
        return settings
    stored = DescriptorSettings.from_dict(json.loads(config["descriptors"]))
    if settings is not None:
        stored.check_matches(settings, mine=f"the database {path}", theirs="what was asked for")
    current = find_root(path, config)
    if current != root and current.is_dir() and not moved and not os.path.samefile(current, root):
        raise DatabaseError(
            f"{path} was built from {current}, not {root}; give that folder, build another"
            " database, or say --moved if the corpus is here now"
        )
    with transaction(connection):
        connection.executemany(
            "INSERT OR REPLACE INTO config VALUES (?, ?)", root_entries(path, root).items()
        )
    return stored
