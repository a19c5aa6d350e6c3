"""Build a database from a folder of audio: add what is new, re-analyse what changed, skip the rest.

Rows are appended and flushed to disk before the manifest is committed. A crash at any moment loses
at most the sources of the last second; the next build cuts off rows without a manifest entry.
"""

import os
import time
from pathlib import Path

from audio.read import AUDIO_SUFFIXES
from db.build_report import BuildReport
from db.configure import configure
from db.corpus_files import CorpusFiles, LocalFiles, RemoteFiles, report_unmounted
from db.executors import check_executor
from db.manifest import FILE_NAME
from db.model_descriptor import OpenModel, no_model
from db.settings import DescriptorSettings
from db.source_update import SourceUpdate
from db.write_lock import writing
from files.errors import ParameterError
from files.names import check_name
from files.progress import Progress, no_progress
from files.remote import RemoteFolder
from files.roots import Folder, folder_of


def build_database(
    audio_dir: str | Path | RemoteFolder,
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
    audio_dir : str, Path or RemoteFolder
        The corpus folder; of one in object storage, its URL.
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
        If the folder does not exist, cannot be listed, contains no audio or has a name that is not
        UTF-8; or if `path` cannot be written.
    DatabaseError
        If the database has other settings or another corpus folder, is being written by another
        process, or a model of its settings is not there or has changed.
    """
    started = time.perf_counter()
    jobs = jobs or os.cpu_count() or 1
    check_executor(executor or "threads", jobs, address)
    path = Path(path)
    root = folder_of(audio_dir).absolute()
    report = BuildReport(pruned=prune)
    files = _find_files(root, path, report)
    with writing(path, create=True) as connection:
        settings = configure(connection, path, root, settings, moved=moved)
        build = SourceUpdate(connection, path, files, settings, report, open_model)
        build.find_vanished()
        try:
            build.run(executor=executor, jobs=jobs, address=address, progress=progress)
            report_unmounted(files, report, path)
            if prune:
                build.writer.remove(report.vanished)
        finally:  # an interrupted build keeps the sources analysed so far
            build.writer.finish()
    report.seconds = time.perf_counter() - started
    return report


def _find_files(root: Folder, path: Path, report: BuildReport) -> CorpusFiles:
    """List the audio files of a corpus folder.

    What Demiurge itself wrote is left out, and reported.
    """
    check_name(str(root), ParameterError)
    files: CorpusFiles
    if isinstance(root, RemoteFolder):
        files = RemoteFiles(root, report)
    elif root.is_dir():
        files = LocalFiles(root, report, exclude=path.resolve())
    else:
        raise ParameterError(f"{root}: no such folder; give a folder with audio files")
    if not files.names and not (path / FILE_NAME).exists():
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise ParameterError(f"{root}: no audio files in this folder; put some there ({suffixes})")
    return files
