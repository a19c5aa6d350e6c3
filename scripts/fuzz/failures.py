"""What counts as a failure of a case."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.fuzz.sandbox import Outcome

ROOT = Path(__file__).resolve().parents[2]
KINDS = (
    *("traceback", "crash", "hang", "memory", "status", "message", "noise", "left behind"),
    "cut short",
)
STATUSES = (0, 1, 2)
MOST_LINE = 2000  # characters of a message
# what a library says, and a musician cannot understand
JARGON = (
    *(
        "Traceback (most",
        "NoneType",
        "object has no attribute",
        "Expected `",
        "unsupported operand",
    ),
    *("not supported between", "invalid literal for", "could not convert string", "unhashable"),
    *("index out of range", "positional argument", "unexpected keyword", "size mismatch for"),
    *(
        "PytorchStreamReader",
        "inline_container",
        "codec can't",
        "not iterable",
        "not subscriptable",
    ),
    *("object is not", "KeyError", "dtype(", "broadcast", "numpy.", "torch.", "sqlite3."),
    *("std::", "0x7f", "<class '", "must be real number", "buffer size must", "setting an array"),
    *("Missing key(s)", "Error(s) in loading", "embedded null", "maximum recursion", "errno"),
)
WARNING = re.compile(r"\w*Warning: ")
FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


@dataclass(frozen=True)
class Failure:
    """A failure of a case.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    where : str
        What failures of one cause have in common.
    text : str
        The last lines of what was printed.
    """

    kind: str
    where: str
    text: str


def find_failure(outcome: Outcome, arguments: Sequence[str] = ()) -> Failure | None:
    """Return the worst failure of an outcome; `arguments` are those of the command."""
    if outcome.stopped:
        kind = {"time": "hang", "memory": "memory"}[outcome.stopped]
        return Failure(kind, "", f"{outcome.seconds:.1f} s, {outcome.n_bytes >> 20} MB")
    if outcome.traceback:
        return from_traceback(outcome.traceback)
    printed = last_lines(outcome.stderr or outcome.noise or outcome.stdout)
    for kind, where in (
        ("crash", f"signal {-outcome.status}" if outcome.status < 0 else ""),
        ("status", "" if outcome.status in STATUSES else str(outcome.status)),
        ("message", problem_of_message(outcome)),
        ("message", "prints what is no JSON" if is_torn_json(outcome, arguments) else ""),
        ("noise", noise_of(outcome)),
    ):
        if where:
            return Failure(kind, where, printed)
    return None


def is_torn_json(outcome: Outcome, arguments: Sequence[str]) -> bool:
    """Return whether a command that was asked for JSON printed something else, or NaN."""
    if "--json" not in arguments or not outcome.stdout:
        return False
    try:
        json.loads(outcome.stdout, parse_constant=_refuse)
    except ValueError:
        return True
    return False


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def find_leftover(folder: Path) -> Failure | None:
    """Return a failure if a command has left a temporary file in a folder."""
    for path in sorted(folder.rglob(".*")):
        if not path.name.startswith((".like", ".upload")):
            name = re.sub(r"-\w{8}", "-…", path.name)
            return Failure("left behind", name, str(path.relative_to(folder)))
    return None


def noise_of(outcome: Outcome) -> str:
    """Return the beginning of what C libraries, or Python's warnings, have printed."""
    if outcome.noise.strip():
        return outcome.noise.strip()[:40]
    found = WARNING.search(outcome.stderr)
    return outcome.stderr[found.start() :][:60] if found else ""


def from_traceback(text: str) -> Failure:
    """Name a traceback by its error and the last place in our code."""
    frames = FRAME.findall(text)
    ours = [frame for frame in frames if frame[0].startswith(str(ROOT)) and "fuzz" not in frame[0]]
    path, line, function = (ours or frames or [("?", "0", "?")])[-1]
    last = text.strip().splitlines()[-1]
    error = last.partition(":")[0].rpartition(".")[2]
    if error == "MemoryError" or "can't allocate memory" in last:
        return Failure("memory", f"{Path(path).name} {function}", last_lines(text))
    name = path.removeprefix(f"{ROOT}/")
    if error == "ServerError":
        return Failure("traceback", last[:80], last_lines(text))
    return Failure("traceback", f"{error} {name}:{line} {function}", last_lines(text))


def problem_of_message(outcome: Outcome) -> str:
    """Say what is wrong with the message of a command that fails; empty if nothing is."""
    printed = outcome.stderr + outcome.stdout
    for word in JARGON:
        if word in printed:
            return f"says {word}"
    if outcome.status == 0:
        return ""
    if not printed.strip():
        return "nothing is said"
    _, error, message = outcome.stderr.partition("Error: ")
    if error and not message.strip():
        return "the message is empty"
    if any(len(line) > MOST_LINE for line in message.splitlines()):
        return "a very long line"
    return "several lines" if is_torn(message) else ""


def is_torn(message: str) -> bool:
    """Return whether a message has several lines and is no list of files."""
    more = message.strip().splitlines()[1:]
    return any(not line.startswith(("  ", "- ")) and ": " not in line for line in more)


def last_lines(text: str, number: int = 6) -> str:
    return "\n".join(line[:300] for line in text.strip().splitlines()[-number:])
