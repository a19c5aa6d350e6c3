"""Write a file so that a reader, or a crash, sees the old content or the new, never a part."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from files.errors import ParameterError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` (same suffix); move it onto `path` if the block
    succeeds, else remove it.

    Raises
    ------
    ParameterError
        If the folder does not exist or cannot be written to.
    """
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))  # the file it stands for, not the link
    if path.is_dir():
        raise ParameterError(f"{path} is a folder; give the name of a file")
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem[:20]}-", suffix=path.suffix
        )
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be written ({error.strerror}); choose a folder that you can write to"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(
            0o666 & ~umask
        )  # mkstemp makes private files; the result is an ordinary one
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def explaining(path: str | Path) -> Iterator[None]:
    """A block that writes `path`, all of whose `OSError`s become a `ParameterError`: the disk is
    full, most likely.
    """
    try:
        yield
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be written ({error.strerror}); free some space or choose another place"
        ) from error


def make_folder(folder: Path, remedy: str = "choose another place") -> None:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    ParameterError
        If that cannot be, with the remedy.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(
            f"{folder}: cannot make this folder ({error.strerror}); {remedy}"
        ) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, UTF-8 and with its line ends as they are, in the place of what was there.

    Raises
    ------
    ParameterError
        If it cannot be written, or the disk is full.
    """
    with explaining(path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
