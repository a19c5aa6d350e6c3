"""Bring the sources of a database up to date with the files of its corpus folder."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from audio.read import READER_VERSION
from db.analyse import Analysis, Description, Task, analyse
from db.build_report import BuildReport
from db.corpus_files import CorpusFiles
from db.executors import best_executor, run_tasks
from db.model_descriptor import OpenModel, no_model
from db.settings import DescriptorSettings
from db.shards import rows_per_shard
from db.writer import SourceRow, Writer
from files.errors import DatabaseError
from files.names import is_utf8, printable
from files.progress import Progress

NOTHING: Mapping[str, int | None] = {}
NO_FILE = (0, 0)  # size and date
MOST_UNANSWERED = 8  # objects one after the other, after which a build ends


@dataclass(frozen=True)
class _Known:
    """A file as the manifest has it."""

    content_hash: str
    n_bytes: int
    mtime_ns: int
    n_samples: int
    state: str
    error: str | None
    reader: int

    @property
    def samples_to_check(self) -> int | None:
        """The length that reading the file must give, if an earlier version has read it."""
        return None if self.reader >= READER_VERSION else self.n_samples


class SourceUpdate:
    """One run of `db.build.build_database`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        files: CorpusFiles,
        settings: DescriptorSettings,
        report: BuildReport,
        open_model: OpenModel = no_model,
    ) -> None:
        self._open_model = open_model
        self._files = files
        self.settings = settings
        self.report = report
        self._started = time.perf_counter()
        query = (
            "SELECT path, content_hash, n_bytes, mtime_ns, n_samples, state, error, reader"
            " FROM sources"
        )
        self._known = {row[0]: _Known(*row[1:]) for row in connection.execute(query)}
        self._n_unanswered = 0  # objects one after the other
        self._vanished_by_hash: dict[str, list[str]] = {}
        self.writer = Writer(connection, path, settings)

    def find_vanished(self) -> None:
        """Find the known paths that have no file any more.

        Files in folders that cannot be read now are not counted: they may still exist.
        """
        if "." in self._files.unreadable:
            return
        hidden = tuple(f"{folder}/" for folder in self._files.unreadable)
        gone = sorted(set(self._known) - set(self._files.names))
        self.report.vanished = [name for name in gone if not name.startswith(hidden)]
        for name in self.report.vanished:
            known = self._known[name]
            if known.state == "ok":
                self._vanished_by_hash.setdefault(known.content_hash, []).append(name)

    def run(
        self,
        *,
        executor: str | None,
        jobs: int,
        address: str | None,
        progress: Progress,
    ) -> None:
        """Analyse every file that needs it, and record the results."""
        files = self._files.names
        todo = [name for name in files if not self._is_as_before(name)]
        for model in self.settings.models if todo else ():  # once, before every file fails for it
            self._open_model(model, self.settings.sample_rate, self.settings.hop_length)
        if executor is None:
            n_bytes = sum((self._files.stamp(name) or NO_FILE)[0] for name in todo)
            executor = best_executor(
                len(todo), n_bytes, jobs, with_models=bool(self.settings.models)
            )
        tasks = self._tasks(todo)
        results = run_tasks(analyse, tasks, executor=executor, jobs=jobs, address=address)
        n_skipped = len(files) - len(todo)
        with closing(results):
            for done, (name, analysis) in enumerate(
                zip(todo, results, strict=True), start=n_skipped + 1
            ):
                self._record(name, analysis)
                self._check_answers(analysis)
                progress(done, len(files), self._label(name))
        self.report.unchanged.sort()

    def _check_answers(self, analysis: Analysis) -> None:
        """End the build if an object store has ceased to answer, rather than try every object."""
        self._n_unanswered = self._n_unanswered + 1 if analysis.is_unanswered else 0
        if self._n_unanswered == MOST_UNANSWERED:
            raise DatabaseError(
                f"{MOST_UNANSWERED} objects one after the other could not be fetched"
                f" ({analysis.error}); what was done is kept: check the network, then run the same"
                " command again to go on"
            )

    def _is_as_before(self, name: str) -> bool:
        """Return whether nothing has to be done for a file; count it as unchanged if so."""
        known = self._known.get(name)
        is_done = (
            known is not None
            and known.state == "ok"
            and known.samples_to_check is None
            and self._has_stamp(name, known)
        )
        if is_done:
            self.report.unchanged.append(name)
        return is_done

    def _has_stamp(self, name: str, known: _Known) -> bool:
        """Return whether a file has the size and date that the manifest states."""
        return self._files.stamp(name) == (known.n_bytes, known.mtime_ns)

    def _tasks(self, names: list[str]) -> Iterator[Task]:
        """Yield a task per file; content known under its own or a vanished name is skipped.

        A file that failed is always tried again: the fault may have been the system's, or ours.
        """
        vanished = {
            content_hash: self._known[paths[0]].samples_to_check
            for content_hash, paths in self._vanished_by_hash.items()
        }
        for name in names:
            known = self._known.get(name)
            if known is None or not known.content_hash:
                yield self._task(name, vanished)
                continue
            is_source = known.state == "ok"
            own = {known.content_hash: known.samples_to_check} if is_source else {}
            same = known.content_hash if self._has_stamp(name, known) else None
            yield self._task(name, vanished | own, same, is_source=is_source)

    def _task(
        self,
        name: str,
        known: Mapping[str, int | None] = NOTHING,
        content_hash: str | None = None,
        *,
        is_source: bool = False,
    ) -> Task:
        where = self._files.where(name)
        return Task(where, self.settings, known, content_hash, is_source, self._open_model)

    def _record(self, name: str, analysis: Analysis) -> None:
        """Record one file's analysis in the database and in the report."""
        if analysis.is_known:
            if self._recognise(name, analysis):
                return
            # it was renamed, but another copy has already taken over the vanished file's rows
            analysis = analyse(self._task(name, is_source=True))
        if analysis.is_render:
            self.report.renders.append(name)
            if name in self._known:
                self.writer.remove([name])
            return
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
        warning = "; ".join(info.warnings) or None
        self._record_source(SourceRow(name, *analysis.stamp, *facts, warning=warning), description)

    def _recognise(self, name: str, analysis: Analysis) -> bool:
        """Keep the rows of a file whose content is known; return False if they are taken."""
        known = self._known.get(name)
        if known and known.content_hash == analysis.content_hash:
            self.writer.touch(name, analysis.n_bytes, analysis.mtime_ns)
            self.report.unchanged.append(name)
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
        known = self._known.get(name)
        if known and known.state == "failed":
            before = (known.content_hash, known.n_bytes, known.mtime_ns, known.error)
            if (*analysis.stamp, error) == before:
                return
        if is_utf8(name) and (analysis.content_hash or known is None):
            row = SourceRow(name, *analysis.stamp, state="failed", error=error)
            self.writer.add_failure(row)

    def _record_source(self, row: SourceRow, description: Description) -> None:
        self.writer.add(row, description)
        report = self.report
        report.audio_seconds += description.n_samples / self.settings.sample_rate
        known = self._known.get(row.path)
        is_new = known is None or known.state == "failed"
        (report.added if is_new else report.changed).append(row.path)
        if known and known.content_hash == row.content_hash:
            report.read_anew.append(row.path)
        if row.warning:
            report.warnings.append((row.path, row.warning))

    def _label(self, name: str) -> str:
        """Return the progress label after a file: hours analysed, speed, failures, and its name."""
        report = self.report
        hours = report.audio_seconds / 3600
        speed = report.audio_seconds / (time.perf_counter() - self._started)
        failed = f", {len(report.failed)} failed" if report.failed else ""
        return f"{hours:.2f} h, {speed:.0f} × real time{failed}  {printable(name)[-30:]}"
