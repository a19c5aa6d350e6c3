"""Ask an object store, again if it does not answer, and tell in its user's words what is wrong."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TypeVar

from files.errors import AudioError, ParameterError, install_command, system_reason
from files.urls import without_secrets

TRIES = 4
FIRST_WAIT = 0.5  # seconds; doubled after each try
# of libraries that need not be installed
WITHOUT_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "RefreshError"}
)

Result = TypeVar("Result")


class FetchError(AudioError):
    """An object cannot be fetched.

    Attributes
    ----------
    reason : str
    is_final : bool
        True if to ask again would not help.
    """

    def __init__(self, place: str, reason: str, *, is_final: bool = False) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason
        self.is_final = is_final

    def __reduce__(self) -> tuple:
        return _fetch_error, (self.place, self.reason, self.is_final)


def _fetch_error(place: str, reason: str, is_final: bool) -> FetchError:
    return FetchError(place, reason, is_final=is_final)


def load_fsspec(url: str) -> ModuleType:
    """Return fsspec, with what reads the protocol of a URL.

    Raises
    ------
    ParameterError
        If the protocol is unknown, or its packages are not installed.
    """
    protocol = url.partition("://")[0]
    try:
        import fsspec

        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise ParameterError(
            f"{url} needs packages that are not installed ({error}); install them with:"
            f" {install_command('remote')}"
        ) from error
    except ValueError as error:
        raise ParameterError(
            f"{url}: the protocol {protocol} is not known; give a folder, or a URL that fsspec"
            " reads, as s3://bucket/folder"
        ) from error
    return fsspec


@contextmanager
def asking(place: str) -> Iterator[None]:
    """Turn any error of an object store into a `FetchError` about `place`."""
    try:
        yield
    except (FetchError, ParameterError):
        raise
    except Exception as error:  # each protocol has errors of its own
        reason, is_final = _reason(error)
        raise FetchError(place, reason, is_final=is_final) from error


def _reason(error: Exception) -> tuple[str, bool]:
    """Return what is wrong, and whether it stays so."""
    if isinstance(error, FileNotFoundError):
        return "there is no such object or bucket", True
    if isinstance(error, PermissionError):
        return "access is denied; ask its owner for permission to list and read", True
    if type(error).__name__ in WITHOUT_CREDENTIALS:
        return "no credentials were found", True
    if isinstance(error, TimeoutError):
        return "no answer in time", False
    text = without_secrets(system_reason(error)) or type(error).__name__
    return f"the store answers: {text}", False


def retrying(ask: Callable[[], Result], place: str) -> Result:
    """Return an answer; ask again after a pause, doubled each time, if there is none.

    Raises
    ------
    FetchError
        After `TRIES`, or at once if to ask again does not help.
    """
    for number in range(TRIES):
        try:
            with asking(place):
                return ask()
        except FetchError as error:
            if error.is_final:
                raise
            last = error
        if number < TRIES - 1:
            pause(number)
    raise FetchError(place, f"{last.reason} ({TRIES} tries)") from last


def pause(n_failures: int) -> None:
    """Wait before asking again; not all clients at the same time."""
    time.sleep(FIRST_WAIT * 2**n_failures * random.uniform(0.5, 1))
