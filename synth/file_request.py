"""What generated files are made from: a text, and sounds to continue, fill, resemble or follow."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from files.errors import AudioError, ParameterError
from files.hashing import hash_file

EXCLUSIVE = ("--continue", "--fill", "--follow", "--loop")


@dataclass(frozen=True)
class FileRequest:
    """What is asked of a generator. The default asks for nothing.

    Attributes
    ----------
    continues : Path, optional
        Every generated file holds this sound, and goes on where it ends.
    fills : Path, optional
        Every generated file is this sound, with `span` made new.
    span : (float, float), optional
        From and to, in seconds.
    follows : Path, optional
        Its loudness and onsets are followed.
    like : tuple of (Path, float)
        Sounds whose style is mixed, with their weights.
    loop : bool
        The end of every file leads into its beginning.
    prompt : str, optional
        What every file should sound like, in words.
    """

    continues: Path | None = None
    fills: Path | None = None
    span: tuple[float, float] | None = None
    follows: Path | None = None
    like: tuple[tuple[Path, float], ...] = ()
    loop: bool = False
    prompt: str | None = None

    def __post_init__(self) -> None:
        if (self.fills is None) != (self.span is None):
            raise ParameterError("--fill needs --from and --to, and they need --fill")
        chosen = [name for name in EXCLUSIVE if name in self.asked()]
        if len(chosen) > 1:
            raise ParameterError(f"{' and '.join(chosen)} cannot be combined; give one of them")
        if self.prompt is not None:
            check_text("--prompt", self.prompt)
        for path, weight in self.like:
            if not (math.isfinite(weight) and weight > 0):
                raise ParameterError(
                    f"--like {path.name}={weight:g}: a weight must be a positive number"
                )

    def asked(self) -> list[str]:
        """Return the options that ask for this."""
        values = {
            "--continue": self.continues,
            "--fill": self.fills,
            "--follow": self.follows,
            "--loop": self.loop,
            "--like": self.like,
            "--prompt": self.prompt,
        }
        return [name for name, value in values.items() if value]

    def record(self) -> dict[str, Any]:
        """Return what is asked for, with the hashes of the files, for the manifest."""
        found: dict[str, Any] = {}
        for name, path in (
            ("continue", self.continues),
            ("fill", self.fills),
            ("follow", self.follows),
        ):
            if path is not None:
                found[name] = _file(path)
        if self.span is not None:
            found["from"], found["to"] = self.span
        if self.like:
            found["like"] = [{**_file(path), "weight": weight} for path, weight in self.like]
        if self.loop:
            found["loop"] = True
        if self.prompt is not None:
            found["prompt"] = self.prompt
        return found


def check_text(option: str, text: str) -> None:
    """Refuse what is no text.

    Raises
    ------
    ParameterError
    """
    if not text.strip():
        raise ParameterError(f"{option} is empty; say what it should sound like, or leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParameterError(f"{option} {text!a} holds bytes that are no text") from error


NOTHING_ASKED = FileRequest()


def _file(path: Path) -> dict[str, Any]:
    try:
        return {"file": path.name, "hash": hash_file(path)}
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error


def without_names(record: Any) -> Any:
    """Return a record without the names of files, whose hashes tell what they hold."""
    if isinstance(record, dict):
        return {key: without_names(value) for key, value in record.items() if key != "file"}
    if isinstance(record, list):
        return [without_names(value) for value in record]
    return record


def described(record: dict[str, Any]) -> str:
    """Return a record as the options that it came from."""
    parts = []
    for name, value in record.items():
        if name == "like":
            parts += [f"--like {file['file']}={file['weight']:g}" for file in value]
        elif isinstance(value, dict):
            parts.append(f"--{name} {value['file']}")
        elif isinstance(value, str):
            parts.append(f"--{name} {value!r}")
        else:
            parts.append(f"--{name}" if value is True else f"--{name} {value:g}")
    return " ".join(parts) or "(none)"
