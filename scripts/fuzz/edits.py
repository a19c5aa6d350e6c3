"""Edit a file after its kind, reproducibly: each edit has the number that it is drawn with."""

import os
import pickle
import shutil
import socket
import struct
import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from random import Random

from scripts.fuzz.edit_bytes import edit_bytes
from scripts.fuzz.edit_json import edit_json
from scripts.fuzz.edit_lines import edit_csv, edit_json_lines, edit_requests
from scripts.fuzz.edit_sqlite import edit_sqlite
from scripts.fuzz.edit_tensors import edit_npy, edit_npz, edit_safetensors, edit_state

ODD_SHARE = 0.02  # of edits that put something else in a file's place
BYTES_SHARE = 0.15  # of edits of the bytes of a file that has a structure
REQUESTS = ".requests"  # which no command reads: odd kinds of them would try out only this script
HUGE_BYTES = 5 << 30
BROKEN = (  # raised by the libraries that read a structure to edit it
    *(ValueError, RuntimeError, OSError, LookupError, EOFError, TypeError, OverflowError),
    *(struct.error, zipfile.BadZipFile, pickle.UnpicklingError),
)


def apply_edits(path: Path, numbers: Iterable[int], donors: list[Path]) -> None:
    """Edit a file once for each number; one that is none any more stays as it is.

    Parameters
    ----------
    donors : list of Path
        Healthy files, one of which may be spliced with it.
    """
    for number in numbers:
        if path.is_file() and not path.is_symlink() and path.stat().st_size < HUGE_BYTES:
            apply_edit(path, Random(number), donors)


def apply_edit(path: Path, rng: Random, donors: list[Path]) -> None:
    """Make one edit."""
    chance = rng.random()
    if chance < ODD_SHARE and path.suffix != REQUESTS:
        rng.choice(ODD)(path)
        return
    edit = EDITORS.get(path.suffix)
    if edit is None or chance < ODD_SHARE + BYTES_SHARE:
        other = rng.choice(donors).read_bytes() if donors else b""
        path.write_bytes(edit_bytes(path.read_bytes(), rng, other))
        return
    try:
        edit(path, rng)
    except BROKEN:  # by an earlier edit
        path.write_bytes(edit_bytes(path.read_bytes(), rng))


def on_text(edit: Callable[[str, Random], str]) -> Callable[[Path, Random], None]:
    def apply(path: Path, rng: Random) -> None:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        edited = edit(text, rng)
        path.write_text(edited, encoding="utf-8", errors="surrogateescape", newline="")

    return apply


def on_bytes(edit: Callable[[bytes, Random], bytes]) -> Callable[[Path, Random], None]:
    def apply(path: Path, rng: Random) -> None:
        path.write_bytes(edit(path.read_bytes(), rng))

    return apply


EDITORS: dict[str, Callable[[Path, Random], None]] = {
    ".json": on_text(edit_json),
    ".jsonl": on_text(edit_json_lines),
    ".csv": on_text(edit_csv),
    REQUESTS: on_text(edit_requests),
    ".sqlite": edit_sqlite,
    ".pt": edit_state,
    ".safetensors": edit_safetensors,
    ".npz": edit_npz,
    ".npy": on_bytes(edit_npy),
}


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def make_socket(path: Path) -> None:
    path.unlink()
    short = Path("s")  # addresses of sockets are short
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(short))
    shutil.move(short, path)


def make_huge(path: Path) -> None:
    """Lengthen a file by gigabytes that take no space on disk."""
    os.truncate(path, HUGE_BYTES)


def make_unreadable(path: Path) -> None:
    path.chmod(0)


ODD = (
    make_empty,
    make_fifo,
    make_endless,
    make_folder,
    make_link_to_itself,
    make_socket,
    make_huge,
    make_unreadable,
)
