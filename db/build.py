"""Build a database from a folder of audio: add what is new, re-analyse what changed, skip the rest.

Rows are appended and flushed to disk before the manifest is committed. A crash at any moment loses
at most the sources of the last second; the next build cuts off rows without a manifest entry.
"""

import os
import time
from pathlib import Path

from audio.read import AUDIO_SUFFIXES
from audio.scan import find_audio, why_unreadable
from db.build_report import BuildReport
from db.configure import configure
from db.executors import check_executor
from db.manifest import FILE_NAME
from db.model_descriptor import OpenModel, no_model
from db.own_folders import is_own_folder
from db.settings import DescriptorSettings
from db.source_update import SourceUpdate
from db.write_lock import writing
from files.errors import ParameterError
from files.names import check_name, printable
from files.progress import Progress, no_progress


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
    open_model: OpenModel = no_model,
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
    open_model : OpenModel
        Opens the models of the settings, if there are any: `demiurge.model_descriptors.open_model`.

    Raises
    ------
    ParameterError
        If the folder does not exist, contains no audio or has a name that is not UTF-8; or if
        `path` cannot be written.
    DatabaseError
        If the database has other settings or another corpus folder, is being written by another
        process, or a model of its settings is not there or has changed.
    """
    started = time.perf_counter()
    jobs = jobs or os.cpu_count() or 1
    check_executor(executor or "threads", jobs, address)
    path = Path(path)
    root = Path(audio_dir).absolute()
    report = BuildReport(pruned=prune)
    files, unreadable = _find_files(root, path, report)
    with writing(path, create=True) as connection:
        settings = configure(connection, path, root, settings, moved=moved)
        build = SourceUpdate(connection, path, root, settings, report, open_model)
        build.find_vanished(files, unreadable)
        try:
            build.run(files, executor=executor, jobs=jobs, address=address, progress=progress)
            build.find_unmounted()
            if prune:
                build.writer.remove(report.vanished)
        finally:  # an interrupted build keeps the sources analysed so far
            build.writer.finish()
    report.seconds = time.perf_counter() - started
    return report


def _find_files(root: Path, path: Path, report: BuildReport) -> tuple[list[str], list[str]]:
    """Return the audio files of a corpus folder, and its folders that cannot be read.

    What Demiurge itself wrote is left out, and reported.
    """
    check_name(root, ParameterError)
    if not root.is_dir():
        raise ParameterError(f"{root}: no such folder; give a folder with audio files")
    unreadable: list[str] = []

    def leave_out(folder: Path) -> bool:
        if is_own := is_own_folder(folder):
            report.own_folders.append(printable(folder.relative_to(root).as_posix()))
        return is_own

    def cannot_read(folder: str, error: OSError) -> None:
        unreadable.append(folder)
        report.add_failure(folder, why_unreadable(error))

    files = find_audio(root, exclude=path.resolve(), leave_out=leave_out, unreadable=cannot_read)
    if not files and not (path / FILE_NAME).exists():
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise ParameterError(f"{root}: no audio files in this folder; put some there ({suffixes})")
    return files, unreadable
