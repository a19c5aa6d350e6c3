"""The audio files of a corpus folder, on disk or in object storage, as a build sees them."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from audio.read import AUDIO_SUFFIXES
from audio.scan import find_audio, why_unreadable
from db.build_report import BuildReport
from db.manifest import FILE_NAME
from db.own_folders import PLANS_SUFFIX, is_own_folder
from files.names import printable, quoted
from files.remote import RemoteFolder, RemoteObject, is_fit_name

UNFIT_NAME = "its name is not the path of a file (., .., // or NUL in it); rename the object"


class CorpusFiles(Protocol):
    """The audio files of a corpus folder.

    Attributes
    ----------
    names : list of str
        Paths in the folder, sorted.
    unreadable : list of str
        Folders whose files are not known.
    """

    names: list[str]
    unreadable: list[str]

    def where(self, name: str) -> str | RemoteObject:
        """Return what a worker opens."""

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Return the size and date of a file; None if it has vanished since it was listed."""

    def unmounted(self, vanished: Iterable[str]) -> list[str]:
        """Return the folders, among those of vanished files, that seem to be unmounted disks."""


class LocalFiles:
    """The audio files of a folder on disk."""

    def __init__(self, root: Path, report: BuildReport, *, exclude: Path) -> None:
        """List them; what cannot be read, and what Demiurge itself wrote, is reported."""
        self.root = root
        self.unreadable: list[str] = []

        def leave_out(folder: Path) -> bool:
            if is_own := is_own_folder(folder):
                report.own_folders.append(printable(folder.relative_to(root).as_posix()))
            return is_own

        def cannot_read(folder: str, error: OSError) -> None:
            self.unreadable.append(folder)
            report.add_failure(folder, why_unreadable(error))

        self.names = find_audio(root, exclude=exclude, leave_out=leave_out, unreadable=cannot_read)

    def where(self, name: str) -> str:
        return os.path.join(self.root, name)

    def stamp(self, name: str) -> tuple[int, int] | None:
        try:
            status = os.stat(self.where(name))
        except OSError:  # vanished since it was listed; its analysis will say so
            return None
        return status.st_size, status.st_mtime_ns

    def unmounted(self, vanished: Iterable[str]) -> list[str]:
        return [
            folder
            for folder in folders_of(vanished)
            if (folder == "." or (self.root / folder).is_symlink())
            and _is_empty(self.root / folder)
        ]


class RemoteFiles:
    """The audio files of a folder in object storage."""

    def __init__(self, root: RemoteFolder, report: BuildReport) -> None:
        """List them once.

        Raises
        ------
        ParameterError
            If the folder cannot be listed.
        """
        self.unreadable: list[str] = []
        objects = root.list()
        own = _own_folders(objects)
        report.own_folders += map(printable, sorted(own))
        self._objects: dict[str, RemoteObject] = {}
        for name in sorted(objects):
            path = PurePosixPath(name)
            if path.suffix.lower() not in AUDIO_SUFFIXES or _is_hidden(path):
                continue
            if not is_fit_name(name):
                report.add_failure(printable(name), UNFIT_NAME)
            elif own.isdisjoint(folder.as_posix() for folder in path.parents):
                self._objects[name] = objects[name]
        self.names = list(self._objects)
        self._is_empty = not objects

    def where(self, name: str) -> RemoteObject:
        return self._objects[name]

    def stamp(self, name: str) -> tuple[int, int]:
        found = self._objects[name]
        return found.n_bytes, found.modified_ns

    def unmounted(self, vanished: Iterable[str]) -> list[str]:
        return ["."] if self._is_empty and any(True for _ in vanished) else []


def folders_of(names: Iterable[str]) -> list[str]:
    """Return the folders that files lie in, at any depth, sorted; the corpus folder is "."."""
    return sorted({folder.as_posix() for name in names for folder in PurePosixPath(name).parents})


def report_unmounted(files: CorpusFiles, report: BuildReport, database: Path) -> None:
    """Report the vanished files of disks that are not mounted, so that they are not removed.

    The corpus folder is empty then, or a link in it leads to an empty folder or to none.
    """
    for folder in files.unmounted(report.vanished):
        prefix = "" if folder == "." else f"{folder}/"
        hidden = [name for name in report.vanished if name.startswith(prefix)]
        if not hidden:
            continue
        report.vanished = [name for name in report.vanished if not name.startswith(prefix)]
        pattern = quoted(f"{glob.escape(prefix)}*")
        report.add_failure(
            folder,
            f"the folder is empty, but held {len(hidden)} of the sources; mount its disk, or"
            f" remove them with: demiurge db remove {quoted(database)} {pattern}",
        )


def _own_folders(names: Iterable[str]) -> set[str]:
    """Return the folders in object storage that hold a database or the page's plans."""
    own = set()
    for name in names:
        path = PurePosixPath(name)
        if path.name == FILE_NAME:
            own.add(path.parent.as_posix())
        own |= {
            folder.as_posix()
            for folder in path.parents
            if folder.name.endswith(PLANS_SUFFIX) and path.name.endswith(".plan.json")
        }
    return own - {"."}


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in path.parts)


def _is_empty(folder: Path) -> bool:
    """Return whether a folder has nothing in it, or is a link to a folder that is not there."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return folder.is_symlink()
    except OSError:
        return False
