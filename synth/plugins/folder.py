"""A folder as a hub publishes models: is it there, which hash has it, what does its licence mean.

Nothing is ever fetched: what is missing is named with the command that fetches it.
"""

import re
from pathlib import Path

import xxhash

from files.errors import CheckpointError
from files.hashing import hash_file
from synth.codecs.licences import UNKNOWN

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# what decides what a model makes: its settings, its vocabulary, its weights
HASHED = (".json", ".txt", ".model", ".safetensors")


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


def folder_hash(folder: Path) -> str:
    """Return the XXH3-128 of the settings, vocabularies and weights, as 32 hex digits."""
    digest = xxhash.xxh3_128()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix in HASHED and path.is_file() and not any(p.startswith(".") for p in parts):
            digest.update("/".join(parts).encode())
            digest.update(hash_file(path).encode())
    return digest.hexdigest()


def licence_line(licence: str) -> str:
    """Return what to tell a user about a licence."""
    if licence == UNKNOWN:
        return "its folder states no licence; look at the page that it comes from"
    is_non_commercial = "nc" in re.split(r"[^a-z]+", licence.lower())
    return f"licence {licence}" + (": not for commercial use" if is_non_commercial else "")
