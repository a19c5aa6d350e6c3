"""The manifest of a folder of generated audio: JSON lines, the header first.

Each finished file appends one line; a line cut off by a crash is recognised. At the end of a run
the lines are sorted.
"""

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from files.atomic import replacing, writing_errors
from files.documents import parse_document
from files.errors import ParameterError
from files.hashing import hash_file
from files.regular import is_missing, read_regular
from synth.file_request import described, without_names

FORMAT = "demiurge-generated-audio"
VERSION = 1
MANIFEST = "manifest.jsonl"
GENERATED_FILES = "generated-[0-9][0-9][0-9][0-9][0-9][0-9].flac"
MAX_BYTES = 1 << 30
REMEDY = "give another folder, or --force to generate anew"


T = TypeVar("T")
Seed = Annotated[int, Meta(ge=0, le=1 << 53)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]


class RequestedFile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A file that was asked for, and the hash of its bytes."""

    file: str
    hash: Hash


class MixedFile(RequestedFile, forbid_unknown_fields=True, kw_only=True):
    """A file whose style was mixed in."""

    weight: Annotated[float, Meta(gt=0, le=1e30)]


class Request(
    msgspec.Struct,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"continues": "continue", "start": "from", "stop": "to"},
):
    """What was asked for, as `synth.file_request.FileRequest.record` writes it."""

    continues: RequestedFile | None = None
    fill: RequestedFile | None = None
    follow: RequestedFile | None = None
    start: Seconds | None = None
    stop: Seconds | None = None
    like: list[MixedFile] = []
    loop: bool = False
    prompt: str | None = None


class Attempt(msgspec.Struct, forbid_unknown_fields=True):
    """A broken attempt at a file."""

    seed: Seed
    reason: str


class GeneratedFile(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the manifest. Its fields are the keys of the JSON."""

    name: Annotated[str, Meta(pattern=r"^generated-\d{6,}\.flac$")]
    seed: Seed | None  # None: every attempt was broken, there is no file
    rejected: list[Attempt]
    n_samples: Annotated[int, Meta(ge=0, le=1 << 40)] = 0
    peak: Annotated[float, Meta(ge=0, le=2)] = 0.0
    gain_db: Annotated[float, Meta(ge=-1000, le=0)] = 0.0  # of what exceeded SAFE_PEAK
    hash: Hash | None = None  # of the file's bytes

    def __post_init__(self) -> None:
        is_whole = self.seed is not None and self.hash is not None and self.n_samples > 0
        if not is_whole and (self.seed, self.hash, self.n_samples) != (None, None, 0):
            raise ValueError("seed, hash and n_samples are given, or none of them")


class Header(msgspec.Struct):
    """The first line of the manifest; keys that are not compared are ignored."""

    format: str
    version: Any = None
    generator: str = ""
    generator_hash: str = ""
    vocoder: str = ""
    vocoder_hash: str = ""
    precision: str = ""
    seconds: Seconds | None = None
    seed: int | None = None
    request: Request = msgspec.field(default_factory=Request)


def open_folder(out: Path, header: dict[str, Any], *, force: bool) -> dict[str, GeneratedFile]:
    """Make the folder and its manifest, or return the files in it that are complete, by name.

    `force` replaces only files of another header. So files that an earlier version of Demiurge made
    with the same models and options are kept.

    Raises
    ------
    ParameterError
        If the folder has files of another header, or of other programs, or cannot be written.
    """
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
        _refuse_other_files(out)
        try:
            files = _read_manifest(out, header)
        except ParameterError:
            if not force:
                raise
            _remove_generated(out)
            files = {}
        files = {name: file for name, file in files.items() if _is_complete(out / name, file)}
    write_manifest(out, header, files)
    return files


def clear_folder(out: Path) -> None:
    """Remove the generated files and their manifest, if there are any.

    Raises
    ------
    ParameterError
        If they cannot be removed.
    """
    with explained(out):
        _remove_generated(out)
        (out / MANIFEST).unlink(missing_ok=True)


def _remove_generated(out: Path) -> None:
    for path in out.glob(GENERATED_FILES):
        path.unlink()


def _refuse_other_files(out: Path) -> None:
    """Refuse a folder with other files, which could not be told from generated ones."""
    if (out / MANIFEST).exists():
        return
    for path in out.iterdir():
        if not path.name.startswith(".") and not path.match(GENERATED_FILES):
            raise ParameterError(
                f"{out}: holds files that synth generate did not make ({path.name}); give a new"
                " folder"
            )


def _is_complete(path: Path, file: GeneratedFile) -> bool:
    """Return whether a file matches its line; a line that has no file always does."""
    return file.hash is None or (path.is_file() and hash_file(path) == file.hash)


def _read_manifest(out: Path, header: dict[str, Any]) -> dict[str, GeneratedFile]:
    """Return the files by name.

    Raises
    ------
    ParameterError
        If the manifest has another header, is damaged, or is missing beside generated files.
    """
    path = out / MANIFEST
    if is_missing(path):
        if found := next(out.glob(GENERATED_FILES), None):
            raise ParameterError(f"{out} holds {found.name} but no {MANIFEST}; {REMEDY}")
        return {}
    data = read_regular(path, error=ParameterError, remedy=REMEDY, max_bytes=MAX_BYTES)
    complete_lines = data.split(b"\n")[:-1]
    if not complete_lines:
        raise ParameterError(f"{path}: damaged: it has no first line; {REMEDY}")
    first, *lines = complete_lines
    _check_header(out, _parse(path, 1, first, Header), header)
    files: dict[str, GeneratedFile] = {}
    for number, line in enumerate(lines, start=2):
        file = _parse(path, number, line, GeneratedFile)
        if file.name in files:
            raise ParameterError(f"{path}: line {number}: {file.name} is there twice; {REMEDY}")
        files[file.name] = file
    return files


def _parse(path: Path, number: int, line: bytes, kind: type[T]) -> T:
    where = f"{path}: line {number}"
    return parse_document(line, kind, where=where, error=ParameterError, remedy=REMEDY)


def _check_header(out: Path, found: Header, header: dict[str, Any]) -> None:
    version = f"{found.format} {found.version}"
    if version != f"{FORMAT} {VERSION}":
        raise ParameterError(
            f"{out / MANIFEST} is of format {version}, not {FORMAT} {VERSION}; {REMEDY}"
        )
    differences = []
    for name in ("precision", "seconds", "seed"):
        values = (getattr(found, name), header.get(name, ""))
        if values[0] != values[1]:
            there, here = ("none" if value == "" else value for value in values)
            differences.append(f"{name}={there}, not {here}")
    requests = [msgspec.to_builtins(found.request), header.get("request", {})]
    if without_names(requests[0]) != without_names(requests[1]):
        there, here = (described(request) for request in requests)
        differences.append(f"the request {there}, not {here}")
    for name in ("generator", "vocoder"):
        keys = (name, f"{name}_hash")
        made_by = [getattr(found, key) for key in keys]
        given = [header.get(key, "") for key in keys]
        if made_by[1] != given[1]:
            shown = "; not ".join(
                ", ".join(filter(None, model)) or "none" for model in (made_by, given)
            )
            differences.append(f"another {name} ({shown})")
    if differences:
        raise ParameterError(
            f"{out} was generated with {', '.join(differences)}; give the same, or {REMEDY}"
        )


def write_manifest(out: Path, header: dict[str, Any], files: dict[str, GeneratedFile]) -> None:
    lines = [_line(header)]
    lines += [_line(msgspec.to_builtins(files[name])) for name in sorted(files)]
    with explained(out), replacing(out / MANIFEST) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def append_file(path: Path, file: GeneratedFile) -> None:
    """Append a line to the manifest and write it through to the disk."""
    with explained(path), open(path, "a", encoding="utf-8") as manifest:
        manifest.write(_line(msgspec.to_builtins(file)))
        manifest.flush()
        os.fsync(manifest.fileno())


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, allow_nan=False) + "\n"


def explained(path: Path) -> AbstractContextManager[None]:
    """Turn an `OSError` of a block that writes `path` into an error with a remedy."""
    return writing_errors(
        path,
        "the files made before are complete: free some space and run the same command again,"
        " or choose another folder",
    )
