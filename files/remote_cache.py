"""Whole objects from object storage, kept as files in the user's cache folder, within a bound.

A copy has the size and the date that `RemoteObject` states, so that it is stamped as a file of a
corpus folder is. When it was last used is its date of access.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath

import xxhash

from files.cache import cache_errors, cache_folder, prune
from files.fetch import ChangedError, read_spans
from files.in_use import in_use, remove_unused
from files.remote import RemoteObject
from files.temporary import temporary_file

MOST_BYTES = 8 << 30
RESERVE = 16  # part of the bound that one program may fetch between two looks at all copies
CHANGES = 3  # of an object while it is fetched


def copies_folder() -> Path:
    """Return where copies are kept."""
    return cache_folder("fetched")


def copy_of(found: RemoteObject) -> Path:
    """Return where the copy of an object is, if there is one."""
    identity = f"{found}\0{found.n_bytes}\0{found.modified_ns}"
    suffix = PurePosixPath(found.name).suffix
    return copies_folder() / f"{xxhash.xxh3_128_hexdigest(identity.encode())}{suffix}"


def has_copy(found: RemoteObject) -> bool:
    """Return whether an object is kept as a whole."""
    return copy_of(found).is_file()


def fetch(found: RemoteObject) -> Path:
    """Return a copy of an object, after fetching it if necessary.

    Raises
    ------
    FetchError
        If it cannot be fetched.
    ParameterError
        If the copy cannot be written.
    """
    path = copy_of(found)
    with cache_errors(path.parent):
        if not path.is_file():
            _fetch(found, path)
        with suppress(PermissionError, FileNotFoundError):  # another user's, or just removed
            os.utime(path, ns=(time.time_ns(), found.modified_ns))
    return path


@contextmanager
def fetched(found: RemoteObject) -> Iterator[tuple[Path, RemoteObject]]:
    """Yield a copy of an object that stays until the end, and what it is a copy of.

    If the object has changed since it was listed, that is what it is now. Raises as `fetch`.
    """
    n_changes = 0
    with ExitStack() as stack:
        while True:
            try:
                path = fetch(found)
                stack.enter_context(in_use(path))
                break
            except ChangedError as error:
                found = error.now
                n_changes += 1
                if n_changes == CHANGES:
                    raise
            except FileNotFoundError:  # another program has just removed it
                continue
        yield path, found


def _fetch(found: RemoteObject, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_file(path.parent) as temporary:
        with open(temporary, "r+b") as file:

            def write(first: int, data: bytes) -> None:
                file.seek(first)
                file.write(data)

            read_spans(found, [(0, found.n_bytes)], write)
            file.flush()
            os.fsync(file.fileno())
        os.utime(temporary, ns=(time.time_ns(), found.modified_ns))
        os.replace(temporary, path)
    bound.add(path)


class Bound:
    """Keeps the copies within `most_bytes`, but for those that are in use.

    There may be many, so that all are looked at only once in a while: when a program begins to
    fetch, and when it has fetched a part of the bound, which is kept free for that.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._n_new = most_bytes  # bytes, since all were looked at
        self._lock = threading.Lock()

    def add(self, path: Path) -> None:
        """Count a new copy, which stays, and remove the least recently used ones if necessary."""
        reserve = self.most_bytes // RESERVE
        with self._lock:
            self._n_new += path.stat().st_size
            if self._n_new < reserve:
                return
            self._n_new = 0
        prune(
            (path for path in copies_folder().iterdir() if not path.name.startswith(".")),
            self.most_bytes - reserve,
            in_use=(path,),
            last_used=lambda status: status.st_atime_ns,
            remove=remove_unused,
        )


bound = Bound()
