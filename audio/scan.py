"""From a folder to its audio files."""

import os
from collections.abc import Callable
from pathlib import Path

from audio.read import AUDIO_SUFFIXES


def find_audio(
    root: Path,
    *,
    exclude: Path | None = None,
    unreadable: Callable[[str, OSError], None] | None = None,
) -> list[str]:
    """Paths of the audio files (by suffix) under `root`, relative, with /, sorted; hidden ones and
    `exclude` left out.

    Links to folders are followed; a folder that is reached twice, as in a loop of links, is listed
    once.

    Parameters
    ----------
    exclude : Path, optional
        A folder within `root` that holds no sources, resolved.
    unreadable : callable (relative path, error), optional
        Told of each folder that cannot be read.
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
            with os.scandir(root / folder) as entries:
                visible = sorted(
                    (entry for entry in entries if not entry.name.startswith(".")),
                    key=lambda e: e.name,
                )
            inner = []
            for entry in visible:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if _is_folder(entry):
                    if exclude is None or Path(entry.path).resolve() != exclude:
                        inner.append(name)
                elif os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES:
                    found.append(name)
            folders += reversed(inner)
        except OSError as error:
            if unreadable:
                unreadable(folder or ".", error)
    return sorted(found)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
