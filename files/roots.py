"""Where the files of sources are: in one corpus folder, or in one for each of several databases.

The sources of several databases are named by the database they are in: `drums:loops/one.wav`.
A corpus folder may be in object storage; its objects are fetched when they are needed.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from files.errors import ParameterError
from files.remote import RemoteFolder, RemoteObject
from files.remote_cache import fetch
from files.remote_errors import FetchError
from files.urls import is_url, local_path

Folder = Path | RemoteFolder  # of a corpus
SEPARATOR = ":"  # between the name of a database and the path of its source


def folder_of(root: str | Folder) -> Folder:
    """Return a corpus folder, which is given by a path or a URL.

    Raises
    ------
    ParameterError
        If it is a URL that holds credentials or names nothing.
    """
    if isinstance(root, RemoteFolder):
        return root
    text = str(root)
    if is_url(text):
        return local_path(text) or RemoteFolder(text)
    return Path(root)


def split_named(text: str) -> tuple[str, str]:
    """Return NAME and PATH of `NAME=PATH`, or "" and the text where it is a path alone.

    What there is under the whole text is never split; nor has a name separators of paths.
    """
    name, equals, path = text.partition("=")
    if equals and name and path and os.sep not in name and not os.path.exists(text):
        return name, path
    return "", text


class Roots:
    """The corpus folders that the paths of sources are relative to.

    Attributes
    ----------
    folders : dict of str to Path or RemoteFolder
        By the name of the database; of one database alone, the name is empty.
    """

    def __init__(self, folders: Mapping[str, str | Folder]) -> None:
        self.folders = {name: folder_of(folder) for name, folder in folders.items()}

    @classmethod
    def of(cls, root: "str | Folder | Roots") -> "Roots":
        """Return the roots of sources in one folder; roots are returned as they are."""
        return root if isinstance(root, Roots) else cls({"": root})

    def __str__(self) -> str:
        return ", ".join(str(folder) for folder in self.folders.values())

    @property
    def several(self) -> bool:
        """True if sources are named by their database, even if there is only one."""
        return "" not in self.folders

    def moved(self, to: "str | Folder | Roots | Mapping[str, str | Folder] | None") -> "Roots":
        """Return where the folders are now: one folder, or those of some of several by name.

        Raises
        ------
        ParameterError
            If there are several databases, and it is not said which of them has moved.
        """
        if to is None or isinstance(to, Roots):
            return self if to is None else to
        known = (
            f"the databases are {', '.join(self.folders)}"
            if self.several
            else "there is one database"
        )
        if not isinstance(to, Mapping):
            if self.several:
                raise ParameterError(f"root {to}: {known}; say which has moved: NAME={to}")
            return Roots.of(to)
        for name, folder in to.items():
            if not self.several or name not in self.folders:
                remedy = "name one of them" if self.several else f"give {folder} alone"
                raise ParameterError(f"root {name}={folder}: {known}; {remedy}")
        return Roots({**self.folders, **to})

    def absolute(self) -> Self:
        """Return them as absolute paths."""
        return type(self)({name: folder.absolute() for name, folder in self.folders.items()})

    def split(self, source: str) -> tuple[str, str]:
        """Return the name of a source's database, and its path in the corpus folder.

        The name is empty if there is one database only, or the path is absolute.

        Raises
        ------
        ParameterError
            If there are several databases, and it names none of them.
        """
        if not self.several or os.path.isabs(source):
            return "", source
        name, _, path = source.partition(SEPARATOR)
        if name not in self.folders or not path:
            known = ", ".join(f"{known}{SEPARATOR}" for known in self.folders)
            raise ParameterError(
                f"source {source!r} must begin with the name of a database, one of {known}"
            )
        return name, path

    def file_of(self, source: str) -> Path:
        """Return the file of a source; one with an absolute path need not be in a corpus folder.

        An object is fetched, unless there is a copy already: ask `stamp_of` for what is known of
        it without that.

        Raises
        ------
        ParameterError
            As `split`.
        FetchError
            If an object is missing or cannot be fetched.
        """
        folder, path = self._place_of(source)
        if isinstance(folder, Path):
            return folder / path
        found = folder.find(path)
        if found is None:
            raise FetchError(source, f"not in {folder}", is_final=True)
        return fetch(found)

    def object_of(self, source: str) -> RemoteObject | None:
        """Return the object of a source; None if it is a file, or missing.

        Raises
        ------
        ParameterError
            As `split`.
        FetchError
            If there is no answer.
        """
        folder, path = self._place_of(source)
        return folder.find(path) if isinstance(folder, RemoteFolder) else None

    def is_remote(self, source: str) -> bool:
        """Return whether a source is an object in object storage."""
        return isinstance(self._place_of(source)[0], RemoteFolder)

    def stamp_of(self, source: str) -> tuple[int, int] | None:
        """Return the size and date of a source; None if there is no such file or object.

        Raises as `object_of`.
        """
        folder, path = self._place_of(source)
        if isinstance(folder, RemoteFolder):
            found = folder.find(path)
            return (found.n_bytes, found.modified_ns) if found else None
        file = folder / path
        if not file.is_file():
            return None
        status = file.stat()
        return status.st_size, status.st_mtime_ns

    def look_up(self, sources: Iterable[str], *, again: bool = False) -> None:
        """Find out about the objects of many sources at once, or `again`, before asking for each.

        Raises
        ------
        ParameterError
            If a folder in object storage cannot be listed.
        """
        names: dict[RemoteFolder, list[str]] = {}
        for source in sources:
            folder, path = self._place_of(source)
            if isinstance(folder, RemoteFolder):
                names.setdefault(folder, []).append(path)
        for folder, paths in names.items():
            folder.look_up(paths, again=again)

    def find_missing(self, sources: Iterable[str]) -> list[str]:
        """Return the sources that have no file or object, in their order; raises as `look_up`."""
        sources = list(sources)
        self.look_up(sources)
        return [source for source in sources if self.stamp_of(source) is None]

    def missing(self) -> list[Path]:
        """Return the corpus folders on disk that do not exist."""
        folders = (folder for folder in self.folders.values() if isinstance(folder, Path))
        return [folder for folder in folders if not os.path.isdir(folder)]

    def _place_of(self, source: str) -> tuple[Path | RemoteFolder, str]:
        if os.path.isabs(source):
            return Path(), source
        name, path = self.split(source)
        return self.folders[name], path


def named_source(database: str, path: str) -> str:
    """Return the name of a source of one of several databases."""
    return f"{database}{SEPARATOR}{path}"
