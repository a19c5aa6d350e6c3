"""Build a database from a folder of audio: add what is new, re-analyse what changed, skip the rest.

Rows are appended and flushed to disk before the manifest is committed. A crash at any moment loses
at most the sources of the last second; the next build cuts off rows without a manifest entry.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from audio.read import AUDIO_SUFFIXES
from audio.scan import find_audio
from db.analyse import Analysis, Description, Task, analyse
from db.configure import configure
from db.executors import best_executor, check_executor, run_tasks
from db.manifest import FILE_NAME
from db.settings import DescriptorSettings
from db.shards import rows_per_shard
from db.write_lock import writing
from db.writer import SourceRow, Writer
from files.errors import ParameterError
from files.names import check_name, is_utf8, printable
from files.progress import Progress, no_progress


@dataclass
class BuildReport:
    """The result of a build.

    Paths are relative to the corpus root. `failed` holds (path, reason), `renamed` (old, new).
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    pruned: bool = False
    audio_seconds: float = 0.0  # of sources analysed in this build
    seconds: float = 0.0

    def add_failure(self, name: str, reason: str) -> None:
        """Add a file or folder that cannot be used; its name may contain any bytes."""
        self.failed.append((name if is_utf8(name) else printable(name), reason))


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
        By default the database's own settings, or the class's defaults for a new database.
    prune : bool
        Remove sources whose files have vanished.
    moved : bool
        Accept `audio_dir` as the corpus even though the folder it was built from still exists.
    executor, jobs, address
        Where files are analysed, see `db.executors`; they do not change the result. `jobs` is the
        processor count by default. An executor of None means "processes" if there is much to do:
        the script must then be guarded by `if __name__ == "__main__":`, as always with spawned
        processes.

    Raises
    ------
    ParameterError
        If the folder does not exist, contains no audio or has a name that is not UTF-8; or if
        `path` cannot be written.
    DatabaseError
        If the database has other settings or another corpus folder, or is being written by another
        process.
    """
    started = time.perf_counter()
    jobs = jobs or os.cpu_count() or 1
    check_executor(executor or "threads", jobs, address)
    path = Path(path)
    root = Path(audio_dir).absolute()
    report = BuildReport(pruned=prune)
    files, unreadable = _find_files(root, path)
    for folder, error in unreadable.items():
        reason = f"the folder cannot be read ({error.strerror}); check its permissions"
        report.add_failure(folder, reason)
    with writing(path, create=True) as connection:
        settings = configure(connection, path, root, settings, moved=moved)
        build = _Build(connection, path, root, settings, report)
        build.find_vanished(files, list(unreadable))
        try:
            build.run(files, executor=executor, jobs=jobs, address=address, progress=progress)
            if prune:
                build.writer.remove(report.vanished)
        finally:  # an interrupted build keeps the sources analysed so far
            build.writer.finish()
    report.seconds = time.perf_counter() - started
    return report


def _find_files(root: Path, path: Path) -> tuple[list[str], dict[str, OSError]]:
    """Return the audio files of a corpus folder, and its folders that cannot be read."""
    check_name(root, ParameterError)
    if not root.is_dir():
        raise ParameterError(f"{root}: no such folder; give a folder with audio files")
    unreadable: dict[str, OSError] = {}
    files = find_audio(root, exclude=path.resolve(), unreadable=unreadable.__setitem__)
    if not files and not (path / FILE_NAME).exists():
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise ParameterError(f"{root}: no audio files in this folder; put some there ({suffixes})")
    return files, unreadable


@dataclass(frozen=True)
class _Known:
    """A file as the manifest has it."""

    content_hash: str
    n_bytes: int
    mtime_ns: int
    state: str
    error: str | None


class _Build:
    """One run of `build_database`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        root: Path,
        settings: DescriptorSettings,
        report: BuildReport,
    ) -> None:
        self.root = root
        self.settings = settings
        self.report = report
        self._started = time.perf_counter()
        query = "SELECT path, content_hash, n_bytes, mtime_ns, state, error FROM sources"
        self._known = {row[0]: _Known(*row[1:]) for row in connection.execute(query)}
        self._vanished_by_hash: dict[str, list[str]] = {}
        self.writer = Writer(connection, path, settings)

    def find_vanished(self, files: list[str], unreadable: list[str]) -> None:
        """Find the known paths that have no file any more.

        Files in folders that cannot be read now are not counted: they may still exist.
        """
        if "." in unreadable:
            return
        hidden = tuple(f"{folder}/" for folder in unreadable)
        gone = sorted(set(self._known) - set(files))
        self.report.vanished = [name for name in gone if not name.startswith(hidden)]
        for name in self.report.vanished:
            known = self._known[name]
            if known.state == "ok":
                self._vanished_by_hash.setdefault(known.content_hash, []).append(name)

    def run(
        self,
        files: list[str],
        *,
        executor: str | None,
        jobs: int,
        address: str | None,
        progress: Progress,
    ) -> None:
        """Analyse every file that needs it, and record the results."""
        todo = [name for name in files if not self._is_as_before(name)]
        if executor is None:
            n_bytes = sum(_size(self.root, name) for name in todo)
            executor = best_executor(len(todo), n_bytes, jobs)
        tasks = self._tasks(todo)
        results = run_tasks(analyse, tasks, executor=executor, jobs=jobs, address=address)
        n_skipped = len(files) - len(todo)
        with closing(results):
            for done, (name, analysis) in enumerate(
                zip(todo, results, strict=True), start=n_skipped + 1
            ):
                self._record(name, analysis)
                progress(done, len(files), self._label(name))
        self.report.unchanged.sort()

    def _is_as_before(self, name: str) -> bool:
        """Return whether a file has the size and date that the manifest states; keep it if so.

        A file that could not be read at all is tried again.
        """
        known = self._known.get(name)
        if known is None or not known.content_hash:
            return False
        try:
            stat = os.stat(os.path.join(self.root, name))
        except OSError:  # vanished since it was listed; its analysis will say so
            return False
        if (stat.st_size, stat.st_mtime_ns) != (known.n_bytes, known.mtime_ns):
            return False
        self._keep(name, known)
        return True

    def _keep(self, name: str, known: _Known) -> None:
        if known.state == "failed":
            self.report.failed.append((name, known.error or ""))
        else:
            self.report.unchanged.append(name)

    def _tasks(self, names: list[str]) -> Iterator[Task]:
        """Yield a task per file; content known under its own or a vanished name is skipped."""
        vanished = frozenset(self._vanished_by_hash)
        for name in names:
            known = self._known.get(name)
            own = {known.content_hash} if known and known.content_hash else set()
            yield Task(os.path.join(self.root, name), self.settings, vanished | own)

    def _record(self, name: str, analysis: Analysis) -> None:
        """Record one file's analysis in the database and in the report."""
        if analysis.is_known:
            if self._recognise(name, analysis):
                return
            # it was renamed, but another copy has already taken over the vanished file's rows
            path = os.path.join(self.root, name)
            analysis = analyse(Task(path, self.settings, frozenset()))
        info = analysis.info
        description = analysis.description
        if description is None or info is None:
            self._record_failure(name, analysis, analysis.error or "")
            return
        n_frames = len(description.frames)
        if n_frames > rows_per_shard(self.settings.n_descriptors):
            error = f"{n_frames} frames are too many; split the file or choose a longer hop"
            self._record_failure(name, analysis, error)
            return
        facts = (info.sample_rate, info.channels, description.n_samples)
        self._record_source(SourceRow(name, *analysis.stamp, *facts), description)

    def _recognise(self, name: str, analysis: Analysis) -> bool:
        """Keep the rows of a file whose content is known; return False if they are taken."""
        known = self._known.get(name)
        if known and known.content_hash == analysis.content_hash:
            self.writer.touch(name, analysis.n_bytes, analysis.mtime_ns)
            self._keep(name, known)
            return True
        candidates = self._vanished_by_hash.get(analysis.content_hash)
        if not candidates:
            return False
        before = candidates.pop(0)
        self.writer.rename(before, name, analysis.n_bytes, analysis.mtime_ns)
        self.report.vanished.remove(before)
        self.report.renamed.append((before, name))
        return True

    def _record_failure(self, name: str, analysis: Analysis, error: str) -> None:
        """Report a failure, and record it in the database.

        The database cannot hold names that are not UTF-8. If a known file merely cannot be read
        now, its entry stays.
        """
        self.report.add_failure(name, error)
        if is_utf8(name) and (analysis.content_hash or name not in self._known):
            row = SourceRow(name, *analysis.stamp, state="failed", error=error)
            self.writer.add_failure(row)

    def _record_source(self, row: SourceRow, description: Description) -> None:
        self.writer.add(row, description)
        self.report.audio_seconds += description.n_samples / self.settings.sample_rate
        known = self._known.get(row.path)
        is_new = known is None or known.state == "failed"
        (self.report.added if is_new else self.report.changed).append(row.path)

    def _label(self, name: str) -> str:
        """Return the progress label after a file: hours analysed, speed, failures, and its name."""
        report = self.report
        hours = report.audio_seconds / 3600
        speed = report.audio_seconds / (time.perf_counter() - self._started)
        failed = f", {len(report.failed)} failed" if report.failed else ""
        return f"{hours:.2f} h, {speed:.0f} × real time{failed}  {printable(name)[-30:]}"


def _size(root: Path, name: str) -> int:
    try:
        return os.stat(os.path.join(root, name)).st_size
    except OSError:  # vanished since it was listed
        return 0
