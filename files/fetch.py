"""Read ranges of objects: again from where it broke, and never of two versions of an object."""

from collections.abc import Callable, Iterable
from typing import Any

from files.remote import RemoteObject, find_now, open_folder
from files.remote_errors import TRIES, FetchError, asking, pause

RANGE_BYTES = 8 << 20  # asked for at a time
LEAST_RANGE = 64 << 10  # after failures, less is asked for
ANSWER_SECONDS = 60.0  # for a range

Write = Callable[[int, bytes], None]


def read_spans(found: RemoteObject, spans: Iterable[tuple[int, int]], write: Write) -> None:
    """Read ranges of bytes of an object.

    Parameters
    ----------
    spans : iterable of (first, stop)
    write : callable (first byte, bytes)
        Called for each part that has come.

    Raises
    ------
    FetchError
        If a part does not come after several tries, or the object is not the one that was found.
    """
    fs, folder = open_folder(found.folder)
    for first, stop in spans:
        _read_span(fs, f"{folder}/{found.name}", (first, stop), write, found)
    now = find_now(found.folder, found.name)
    if now is None:
        raise FetchError(str(found), "it vanished while it was read", is_final=True)
    if now != found:
        raise ChangedError(now)


class ChangedError(FetchError):
    """An object is not the one that was listed; `now` tells what it is now."""

    def __init__(self, now: RemoteObject) -> None:
        super().__init__(
            str(now), "it has changed since it was listed; run demiurge db build again"
        )
        self.now = now

    def __reduce__(self) -> tuple:
        return ChangedError, (self.now,)


def _read_span(
    fs: Any, path: str, span: tuple[int, int], write: Write, found: RemoteObject
) -> None:
    at, stop = span
    most = RANGE_BYTES
    n_failures = 0
    while at < stop:
        asked = min(at + most, stop)
        try:
            data = _read(fs, path, at, asked, str(found))
        except FetchError as error:
            n_failures += 1
            if error.is_final or n_failures == TRIES:
                reason = _told(error, at, found)
                raise FetchError(str(found), reason, is_final=error.is_final) from error
            most = max(most // 2, LEAST_RANGE)
            pause(n_failures - 1)
            continue
        write(at, data)
        at += len(data)
        n_failures = 0


def _read(fs: Any, path: str, first: int, stop: int, place: str) -> bytes:
    """Read one range, or the beginning of it."""
    timeout = {"timeout": ANSWER_SECONDS} if fs.async_impl else {}
    with asking(place):
        data = fs.cat_file(path, start=first, end=stop, **timeout)
    if not data:
        raise FetchError(place, "nothing came")
    if len(data) > stop - first:
        raise FetchError(place, "its store does not read by ranges", is_final=True)
    return data


def _told(error: FetchError, at: int, found: RemoteObject) -> str:
    if error.is_final:
        return error.reason
    return f"{error.reason}, at byte {at} of {found.n_bytes}, {TRIES} times"
