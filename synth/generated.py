"""The manifest of generated audio: JSON lines, the header first.

A file costs one line appended, however many there are, and a line cut by a crash is recognised. A
run that ends puts them in order.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from files.atomic import replacing
from files.errors import ParameterError
from files.hashing import hash_file
from synth.generator import Generator
from synth.vocoder import Vocoder
from synth.weight_norm import plain_state

FORMAT = "demiurge-generated-audio"
VERSION = 1
MANIFEST = "manifest.jsonl"
OUR_FILES = "generated-[0-9][0-9][0-9][0-9][0-9][0-9].flac"
REMEDY = "give another folder, or --force to generate anew"


@dataclass(frozen=True)
class Entry:
    """A file in the manifest."""

    name: str
    seed: int | None  # None: every attempt was broken, there is no file
    rejected: list[dict[str, Any]]  # seed and reason of each broken attempt
    n_samples: int = 0
    peak: float = 0.0
    gain_db: float = 0.0  # below 0 where the peak passed SAFE_PEAK
    hash: str | None = None  # of the file's bytes


def make_header(
    generator: Generator,
    vocoder: Vocoder,
    *,
    seconds: float,
    random_seed: int,
    names: tuple[str, str],
) -> dict[str, Any]:
    """Who made the files, and how: what must be the same to go on."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "generator": names[0],
        "generator_hash": _hash_model(generator),
        "vocoder": names[1],
        "vocoder_hash": _hash_model(vocoder),
        "precision": vocoder.precision,
        "seconds": seconds,
        "seed": random_seed,
        "mel": generator.mel.to_dict(),
    }


def _hash_model(model: Generator | Vocoder) -> str:
    """XXH3-128 of sizes, mel settings and weights: who a model is, wherever it lies."""
    known = xxhash.xxh3_128(json.dumps([asdict(model.config), model.mel.to_dict()]).encode())
    for name, tensor in sorted(plain_state(model).items()):
        known.update(name.encode())
        known.update(tensor.cpu().contiguous().numpy().tobytes())
    return known.hexdigest()


def open_folder(out: Path, header: dict[str, Any], *, force: bool) -> dict[str, Entry]:
    """Make the folder and its manifest, or find the files in it that are whole."""
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
        _check_is_ours(out)
        try:
            entries = _read_manifest(out, header)
        except ParameterError:
            if not force:
                raise
            for path in out.glob(OUR_FILES):
                path.unlink()
            entries = {}
        entries = {name: entry for name, entry in entries.items() if _is_there(out / name, entry)}
    write_manifest(out, header, entries)
    return entries


def _check_is_ours(out: Path) -> None:
    """Refuse a folder of other files, recordings perhaps: among them, what is generated could not
    be told from them.
    """
    if (out / MANIFEST).exists():
        return
    for path in out.iterdir():
        if not path.name.startswith(".") and not path.match(OUR_FILES):
            raise ParameterError(
                f"{out}: holds files that synth generate has not made ({path.name}); give a new"
                " folder"
            )


def _is_there(path: Path, entry: Entry) -> bool:
    """Whether a file is what its entry says; for an entry without a file there is nothing to miss."""
    return entry.hash is None or (path.is_file() and hash_file(path) == entry.hash)


def _read_manifest(out: Path, header: dict[str, Any]) -> dict[str, Entry]:
    """Entries by name.

    Raises ParameterError if the files in `out` are not of this header, or the manifest is damaged.
    """
    path = out / MANIFEST
    if not path.exists():
        if found := next(out.glob(OUR_FILES), None):
            raise ParameterError(f"{out} holds {found.name} but no {MANIFEST}; {REMEDY}")
        return {}
    try:
        first, *lines = path.read_text(encoding="utf-8").split("\n")[
            :-1
        ]  # what no line end follows was cut by a crash
        there = dict(json.loads(first))
        entries = [Entry(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise ParameterError(f"{path}: damaged ({error}); {REMEDY}") from error
    _check_header(out, there, header)
    return {entry.name: entry for entry in entries}


def _check_header(out: Path, there: dict[str, Any], header: dict[str, Any]) -> None:
    found = f"{there.get('format')} {there.get('version')}"
    if found != f"{FORMAT} {VERSION}":
        raise ParameterError(
            f"{out / MANIFEST} is of format {found}, not {FORMAT} {VERSION}; {REMEDY}"
        )
    differences = [
        f"{name}={there.get(name)}, not {header[name]}"
        for name in ("precision", "seconds", "seed")
        if there.get(name) != header[name]
    ] + [
        f"another {name} ({there.get(name)}, {there.get(key)}; not {header[name]}, {header[key]})"
        for name, key in (("generator", "generator_hash"), ("vocoder", "vocoder_hash"))
        if there.get(key) != header[key]
    ]
    if differences:
        raise ParameterError(
            f"{out} was generated with {', '.join(differences)}; give the same, or {REMEDY}"
        )


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, allow_nan=False) + "\n"


def write_manifest(out: Path, header: dict[str, Any], entries: dict[str, Entry]) -> None:
    lines = [_line(header), *(_line(asdict(entries[name])) for name in sorted(entries))]
    with explained(out), replacing(out / MANIFEST) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def append_entry(path: Path, entry: Entry) -> None:
    with explained(path), open(path, "a", encoding="utf-8") as manifest:
        manifest.write(_line(asdict(entry)))
        manifest.flush()
        os.fsync(manifest.fileno())


@contextmanager
def explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be written ({error.strerror}); the files made before are whole: make"
            " room, and give the same command again to go on, or choose another folder"
        ) from error
