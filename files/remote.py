"""Folders in object storage, listed through fsspec, and what they hold.

What identifies an object's content is its size, and a date with its entity tag: see `_stamp`.
"""

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import xxhash

from files.errors import ParameterError
from files.remote_errors import FetchError, asking, load_fsspec, retrying
from files.urls import ELSEWHERE, check_url

SECOND = 1_000_000_000  # nanoseconds
DATES = ("LastModified", "last_modified", "updated", "mtime", "created")
TAGS = ("ETag", "etag", "generation", "md5Hash")
FEW = 32  # objects that are looked up one by one; for more, the folder is listed


@dataclass(frozen=True)
class RemoteObject:
    """An object as a listing states it.

    Attributes
    ----------
    folder : str
        The folder's URL.
    name : str
        The object's path in the folder.
    n_bytes : int
    modified_ns : int
        What changes with its content: its date in seconds, then digits of its entity tag.
    """

    folder: str
    name: str
    n_bytes: int
    modified_ns: int

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"


class RemoteFolder:
    """A folder in object storage; `url` is what people and manifests see of it."""

    def __init__(self, url: str) -> None:
        """Take a URL.

        Raises
        ------
        ParameterError
            If it holds credentials or names nothing.
        """
        self.url = check_url(url)
        self._objects: dict[str, RemoteObject] = {}  # that are known
        self._is_listed = False
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"RemoteFolder({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteFolder) and self.url == other.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __reduce__(self) -> tuple:
        return RemoteFolder, (self.url,)

    def absolute(self) -> "RemoteFolder":
        """Return the folder itself, as a `Path` does that is absolute."""
        return self

    def list(self) -> dict[str, RemoteObject]:
        """List all objects by their names, at any depth, and remember them.

        Raises
        ------
        ParameterError
            If the folder cannot be listed.
        """
        fs, path = open_folder(self.url)

        def find() -> dict[str, dict[str, Any]]:
            fs.invalidate_cache()
            found = fs.find(path, detail=True)
            fs.invalidate_cache()  # it keeps the listing
            return found

        try:
            infos = retrying(find, self.url)
        except FetchError as error:
            raise ParameterError(
                f"{self.url} cannot be listed: {error.reason}; check the URL and the network, and"
                f" {ELSEWHERE}"
            ) from error
        objects = (_object(self.url, path, info) for info in infos.values())
        with self._lock:
            self._objects = {found.name: found for found in objects if found}
            self._is_listed = True
        return self._objects

    def look_up(self, names: Iterable[str], *, again: bool = False) -> None:
        """Find out about many objects at once, or `again`; `find` then knows them.

        Raises
        ------
        ParameterError
            If the folder would have to be listed, and cannot be.
        """
        if again:
            with self._lock:
                self._objects = {}
                self._is_listed = False
        unknown = set(names) - self._objects.keys()
        if len(unknown) > FEW and not self._is_listed:
            self.list()

    def find(self, name: str) -> RemoteObject | None:
        """Return an object, or None if the folder does not hold it.

        Raises
        ------
        FetchError
            If that cannot be found out.
        """
        with self._lock:
            if name in self._objects or self._is_listed:
                return self._objects.get(name)
        found = find_now(self.url, name)
        if found:
            with self._lock:
                self._objects[name] = found
        return found


def find_now(folder: str, name: str) -> RemoteObject | None:
    """Ask for an object as it is now.

    Raises
    ------
    FetchError
        If there is no answer.
    """
    fs, path = open_folder(folder)

    def ask() -> dict[str, Any] | None:
        fs.invalidate_cache()
        try:
            return fs.info(f"{path}/{name}")
        except FileNotFoundError:
            return None

    info = retrying(ask, f"{folder}/{name}")
    return _object(folder, path, info) if info else None


def open_folder(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a folder, and its path there.

    Raises
    ------
    ParameterError
        If the protocol is unknown, or its packages are not installed.
    """
    fsspec = load_fsspec(url)
    may_share = fsspec.get_filesystem_class(url.partition("://")[0]).async_impl
    return _open_for(url, os.getpid(), 0 if may_share else threading.get_ident())


@lru_cache(maxsize=64)
def _open_for(url: str, process: int, thread: int) -> tuple[Any, str]:
    """Open a folder once for each process, and each thread if necessary: connections are kept."""
    with asking(url):
        fs, path = load_fsspec(url).core.url_to_fs(url)
    return fs, path.rstrip("/")


def _object(folder: str, path: str, info: dict[str, Any]) -> RemoteObject | None:
    """Return what fsspec's description of an object says; None of a folder."""
    name = info["name"].removeprefix(path).removeprefix("/")
    if info.get("type") != "file" or name.endswith("/") or not name:
        return None
    if info.get("size") is None:
        raise ParameterError(f"{folder}: its listing states no sizes, so that it cannot be read")
    return RemoteObject(folder, name, int(info["size"]), _stamp(info))


def _stamp(info: dict[str, Any]) -> int:
    """Return a number that changes with an object, in the place of a file's date in nanoseconds.

    Dates are in whole seconds where an object is looked up, though not where a folder is listed;
    two versions of one second differ in their entity tags.
    """
    date = next((info[name] for name in DATES if info.get(name)), 0)
    if isinstance(date, str):
        date = datetime.fromisoformat(date)
    seconds = date.timestamp() if isinstance(date, datetime) else float(date)
    tag = next((str(info[name]).strip('"') for name in TAGS if info.get(name)), "")
    digits = xxhash.xxh3_64_intdigest(tag.encode()) % SECOND if tag else 0
    return int(seconds) * SECOND + digits


def is_fit_name(name: str) -> bool:
    """Return whether the name of an object can be the path of a source."""
    path = PurePosixPath(name)
    return (
        str(path) == name
        and not path.is_absolute()
        and not {"..", "."} & set(path.parts)
        and "\0" not in name
    )
