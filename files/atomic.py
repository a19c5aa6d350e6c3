"""Write files atomically: a reader sees the old content or the new, never a part."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from files.errors import DemiurgeError, ParameterError, system_reason
from files.regular import other_kind
from files.system import advice_for
from files.temporary import temporary_file


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` if the block succeeds.

    It lies beside `path`, has the same suffix, and is removed if the block fails. If the program is
    killed, the next that writes into the folder removes it.

    Raises
    ------
    ParameterError
        If the folder does not exist or cannot be written to, or if `path` is a folder, a device or
        a pipe.
    """
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))  # replace the file, not the link to it
    if path.exists() and (kind := other_kind(path.stat())):
        raise ParameterError(f"{path} is {kind}; give the name of a file")
    with ExitStack() as stack:
        with writing_errors(path):
            made = temporary_file(path.parent, name=path.stem[:20], suffix=path.suffix)
            temporary = stack.enter_context(made)
        with _naming(path, temporary):
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # it was made for its owner only
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)


@contextmanager
def _naming(path: Path, temporary: Path) -> Iterator[None]:
    """Let an `OSError` about the temporary file, or about none, name `path`."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(temporary)) and error.errno is not None:
            error.filename = str(path)
            error.filename2 = None
        raise


@contextmanager
def writing_errors(
    path: str | Path, remedy: str | None = None, *, raised: type[DemiurgeError] = ParameterError
) -> Iterator[None]:
    """Turn an `OSError` of a block that writes `path` into an error that gives the remedy.

    By default, the remedy is what helps against the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise raised(cannot_write(path, error, remedy)) from error


def cannot_write(path: str | Path, reason: Exception, remedy: str | None = None) -> str:
    """Return an error message: the file or folder, why it cannot be written, and what to do."""
    return f"{path}: cannot be written ({system_reason(reason)}); {remedy or advice_for(reason)}"


def make_folder(folder: str | Path, remedy: str | None = None) -> None:
    """Make a folder and its parents, where they do not exist.

    Raises
    ------
    ParameterError
        If it cannot be made.
    """
    with writing_errors(folder, remedy):
        Path(folder).mkdir(parents=True, exist_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write or replace a UTF-8 text file; line endings are kept.

    Raises
    ------
    ParameterError
        If it cannot be written, or the disk is full.
    """
    with writing_errors(path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
