"""A folder as a hub publishes models: is it there, which licence does it state, which hash has it.

Nothing is ever fetched: what is missing is named with the command that fetches it.
"""

import re
from pathlib import Path
from typing import Any

import xxhash

from files.documents import parse_document
from files.errors import CheckpointError
from files.hashing import hash_file
from files.regular import read_regular

MAX_JSON_BYTES = 1 << 26
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# what decides what a model makes: its settings, its vocabulary, its weights
HASHED = (".json", ".txt", ".model", ".safetensors", ".bin")
UNKNOWN_LICENCE = "unknown"


def check_folder(folder: Path, index: str, *, word: str) -> None:
    """Refuse what is no folder of a model.

    Parameters
    ----------
    index : str
        The file that such a folder has.
    word : str
        That goes before the folder on the command line.

    Raises
    ------
    CheckpointError
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is no folder; {_fetching(folder, word)}")
    if not (folder / index).is_file():
        raise CheckpointError(
            f"{folder} holds no {index}, which a model for {word}: has; give its whole folder"
        )


def _fetching(folder: Path, word: str) -> str:
    """Return what to do about a folder that is not there."""
    if not HUB_ID.fullmatch(str(folder)):
        return "give the folder of a model on this machine"
    return (
        "if it is the name of a model on a hub, fetch it first, as nothing is fetched by itself:"
        f" hf download {folder} --local-dir {folder.name}, then give {word}:{folder.name}"
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    CheckpointError
        If the file is missing or holds something else.
    """
    remedy = "fetch the model anew"
    data = read_regular(path, error=CheckpointError, remedy=remedy, max_bytes=MAX_JSON_BYTES)
    return parse_document(
        data, dict[str, Any], where=str(path), error=CheckpointError, remedy=remedy
    )


def folder_licence(folder: Path) -> str:
    """Return the licence that the head of the folder's README.md states, or "unknown"."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return UNKNOWN_LICENCE
    head = re.match(r"\s*---\s*\n(.*?)\n---", text, flags=re.DOTALL)
    if head is None:
        return UNKNOWN_LICENCE
    found = dict(re.findall(r"^(licen[sc]e(?:_name)?):[ \t]*(\S.*?)\s*$", head[1], re.MULTILINE))
    stated = found.get("license_name") or found.get("license") or found.get("licence")
    return stated.strip("\"'") if stated else UNKNOWN_LICENCE


def folder_hash(folder: Path) -> str:
    """Return the XXH3-128 of the settings, vocabularies and weights, as 32 hex digits.

    Weights that are there in a second form are not counted twice.
    """
    digest = xxhash.xxh3_128()
    paths = sorted(path for path in folder.rglob("*") if _is_hashed(path, folder))
    for path in paths:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(hash_file(path).encode())
    return digest.hexdigest()


def _is_hashed(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    if hidden or path.suffix not in HASHED or not path.is_file():
        return False
    return path.suffix != ".bin" or not any(path.parent.glob("*.safetensors"))
