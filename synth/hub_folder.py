"""Folders as a hub publishes models: what is asked of one before anything of it is loaded.

Nothing is ever fetched: what is missing is named with the command that fetches it. Code in a folder
is never run, and pickles, which can hold code, are not read.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from files.documents import check_depth, read_document, shown_text
from files.errors import CheckpointError
from files.hashing import hash_file
from files.names import printable, quoted
from files.regular import check_regular

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
# what decides what a model makes: its settings, its vocabulary, its weights
HASHED = (".json", ".txt", ".model", ".safetensors")
FETCH_AGAIN = "download it again"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/(?P<name>[A-Za-z0-9][\w.-]*)")
# by the word that goes before the folder on the command line
EXAMPLES = {
    "codec": "facebook/encodec_24khz",
    "clap": "laion/clap-htsat-unfused",
    "transformers": "facebook/musicgen-small",
    "diffusers": "cvssp/audioldm-s-full-v2",
}


class HubConfig(msgspec.Struct, rename={"hub_id": "_name_or_path"}):
    """What is read of a config.json before transformers reads it."""

    model_type: str
    auto_map: Any = None
    hub_id: str | None = None

    def __post_init__(self) -> None:
        check_depth(self.auto_map)


def check_folder(folder: Path, index: str, *, word: str) -> None:
    """Refuse what is no folder of a model.

    Parameters
    ----------
    index : str
        The file that such a folder has.
    word : str
        That goes before the folder on the command line, one of EXAMPLES.

    Raises
    ------
    CheckpointError
    """
    if not folder.is_dir():
        raise CheckpointError(f"{printable(str(folder))}: no such folder; {fetching(folder, word)}")
    if not (folder / index).is_file():
        raise CheckpointError(
            f"{folder} holds no {index}, which a model for {word}: has; give its whole folder"
        )


def fetching(path: Path, word: str) -> str:
    """Return what to do about a folder that is not there, which may be a name on Hugging Face."""
    named = HUB_ID.fullmatch(str(path))
    if named is None:
        example = EXAMPLES[word]
        return (
            "give the folder of a model, for example one fetched with hf download"
            f" {example} --local-dir {example.partition('/')[2]}"
        )
    name = named["name"]
    return (
        "if it is the name of a model on Hugging Face, fetch it first, as nothing is fetched by"
        f" itself: hf download {path} --local-dir {name}, then give {word}:{name}"
    )


def read_hub_config(folder: Path) -> HubConfig:
    """Read the config.json of a folder of transformers.

    Raises
    ------
    CheckpointError
        If it is damaged, or the folder holds code.
    """
    config = read_document(folder / CONFIG, HubConfig, error=CheckpointError, remedy=FETCH_AGAIN)
    if config.auto_map:
        raise with_code(folder, f"auto_map in {CONFIG}")
    check_no_code(folder)
    return config


def check_no_code(folder: Path) -> None:
    """Raise a CheckpointError if a folder or one inside it holds code."""
    code = next(iter(sorted(folder.rglob("*.py"))), None)
    if code is not None:
        raise with_code(folder, str(code.relative_to(folder)))


def with_code(folder: Path, what: str) -> CheckpointError:
    """Return the error for a folder that holds code."""
    return CheckpointError(
        f"{folder}: it comes with code ({printable(what)}), which is never run; give a model of a"
        " class that needs none"
    )


def check_weights(folder: Path, class_name: str) -> None:
    """Raise a CheckpointError unless a folder of transformers has weights, and not as a pickle."""
    for name in WEIGHTS:
        if (folder / name).exists():
            check_regular(folder / name, error=CheckpointError, remedy=FETCH_AGAIN)
            return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if not pickles:
        raise CheckpointError(f"{folder}: no weights here (no {WEIGHTS[0]}); {FETCH_AGAIN}")
    raise CheckpointError(f"{folder}: {of_pickle(folder, pickles[0], 'transformers', class_name)}")


def of_pickle(folder: Path, name: str, package: str, class_name: str) -> str:
    """Return what to do about a folder whose weights are pickles, of which one has a name."""
    new = f"{folder}-safetensors"
    script = (
        f"import {package}; {package}.{class_name}.from_pretrained({str(folder)!r})"
        f".save_pretrained({new!r})"
    )
    return (
        f"its weights are a pickle ({printable(name)}), which can hold code; if you trust it, write"
        f" them as safetensors and give {quoted(new)}: python -c {quoted(script)}"
    )


def hash_folder(folder: Path) -> str:
    """Return the XXH3-128 of the settings, vocabularies and weights, as 32 hex digits."""
    digest = xxhash.xxh3_128()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix in HASHED and path.is_file() and not any(p.startswith(".") for p in parts):
            digest.update("/".join(parts).encode())
            digest.update(hash_file(path).encode())
    return digest.hexdigest()


def first_line(error: Exception) -> str:
    """Return the first line of an error of a package, or else its class."""
    return shown_text(str(error).strip().partition("\n")[0]) or type(error).__name__
