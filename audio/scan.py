"""Find the audio files of a folder."""

import os
from collections.abc import Callable
from pathlib import Path

from audio.read import AUDIO_SUFFIXES
from files.errors import system_reason


def find_audio(
    root: Path,
    *,
    exclude: Path | None = None,
    leave_out: Callable[[Path], bool] | None = None,
    unreadable: Callable[[str, OSError], None] | None = None,
) -> list[str]:
    """Return the paths of the audio files (by suffix) under a folder.

    Paths are relative, separated by /, and sorted. Hidden files and folders are left out. Links to
    folders are followed; a folder that is reached twice, as in a loop of links, is listed once.

    Parameters
    ----------
    exclude : Path, optional
        A resolved path of a folder within `root` that holds no sources.
    leave_out : callable (folder) -> bool, optional
        True for a folder within `root` whose files are no sources.
    unreadable : callable (relative path, error), optional
        Called for each folder that cannot be read.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            stat = os.stat(root / folder)
            if (stat.st_dev, stat.st_ino) in seen:
                continue
            seen.add((stat.st_dev, stat.st_ino))
            if folder and leave_out and leave_out(root / folder):
                continue
            inner, files = _list_folder(root, folder, exclude)
        except OSError as error:
            if unreadable:
                unreadable(folder or ".", error)
            continue
        folders += inner
        found += files
    return sorted(found)


def why_unreadable(error: OSError) -> str:
    """Return what a report says of a folder that cannot be read."""
    return f"the folder cannot be read ({system_reason(error)}); check its permissions"


def _list_folder(root: Path, folder: str, exclude: Path | None) -> tuple[list[str], list[str]]:
    """Return the subfolders of a folder, in reverse order, and its audio files."""
    folders = []
    files = []
    with os.scandir(root / folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in sorted(visible, key=lambda entry: entry.name):
        name = f"{folder}/{entry.name}" if folder else entry.name
        if _is_folder(entry):
            if exclude is None or Path(entry.path).resolve() != exclude:
                folders.append(name)
        elif os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES:
            files.append(name)
    return folders[::-1], files


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
