"""The plan: what is played when. It is the playback engine's only input, and made to be edited by hand."""

import json
import math
import os
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path, PurePosixPath
from sys import intern
from typing import Any, Self

import xxhash

from db.atomic import write_text
from db.audio import MAX_RATE, MAX_SAMPLES, MIN_RATE
from db.errors import PlanError
from playback.targets import Targets

FORMAT, VERSION = "demiurge-plan", 1
MAKERS = "demiurge render or mosaic"
MAX_NUMBER = 1e300
NO_UNIT = -1  # of a step written by hand
NO_TARGET = -1  # of a step that nothing was looked for
MAX_CHANNELS = 8
MAX_GAIN_DB = 60
MAX_STRETCH = 10.0  # and 1/10: beyond, a block turns into a drone or skips whole notes
MAX_TRANSPOSE = 48.0  # semitones, up or down: four octaves leave nothing of most sounds


@dataclass(frozen=True, slots=True)
class Step:
    """One unit and when it is played. Positions and lengths are integer samples at the plan's sample rate.

    `source` is relative to the corpus root; `at_sample` is the position in the output, and the unit sounds there for
    `n_samples`. `gain_db`, `reverse`, `transpose` (semitones) and `stretch` (2: twice as slow, so that half as much of the
    source is played) say how; absent they leave it untouched.

    The rest says why it was chosen, and playback ignores it: `unit` (-1: by hand), how far it is from what was wanted
    (`distance`) and from what would have followed the step before in its source (`join`), which row of the plan's targets that
    was (`target`; -1: none), whether it stays when the rest is chosen again (`locked`), and `alternatives`, units that fit
    nearly as well, each with "unit", "distance", "join", "source", "start_sample" and, if a rule forbids it here, "removed".
    """

    unit: int
    source: str
    start_sample: int
    n_samples: int
    at_sample: int
    gain_db: float = 0.0
    reverse: bool = False
    transpose: float = 0.0
    stretch: float = 1.0
    distance: float = 0.0
    join: float = 0.0
    target: int = NO_TARGET
    locked: bool = False
    alternatives: tuple[dict[str, Any], ...] = ()

    @property
    def end_sample(self) -> int:
        """End in the source."""
        return self.start_sample + (self.n_samples if self.stretch == 1 else max(1, round(self.n_samples / self.stretch)))

    @property
    def is_transformed(self) -> bool:
        """Whether it is played otherwise than it was recorded; gain does not count."""
        return self.reverse or self.is_resampled

    @property
    def is_resampled(self) -> bool:
        """Whether it must be made as a whole before any of it can be played."""
        return self.transpose != 0 or self.stretch != 1

    @property
    def until_sample(self) -> int:
        """End in the output."""
        return self.at_sample + self.n_samples

    def to_dict(self) -> dict[str, Any]:
        """As a plan file holds it."""
        return {key: getattr(self, key) for key in STEP_KEYS}


STEP_KEYS = tuple(f.name for f in fields(Step))


@dataclass(frozen=True)
class Plan:
    """Steps in time order, without overlap; what lies between them is silence.

    `database` holds the "id" of the database and the "root" of its corpus; `settings` holds "seams" (see
    `crossfade.SeamOptions`) and whatever else says how the plan was made. `tail_samples` of silence come after the last step.
    `sources` tells for each source which file it was: "hash" (XXH3-128), "bytes", "modified_ns"; one that is not named there is
    taken as it is. `targets` are what was looked for, if it is known.
    """

    sample_rate: int
    channels: int
    database: dict[str, str]
    steps: tuple[Step, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    tail_samples: int = 0
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: Targets | None = None

    @property
    def n_samples(self) -> int:
        """Length of what the plan plays."""
        return self.steps[-1].until_sample + self.tail_samples

    @property
    def identity(self) -> str:
        """XXH3-128 of what is played, 32 hex digits: plans that differ only in why they chose it have the same."""
        played = xxhash.xxh3_128(f"{self.sample_rate} {self.channels} {self.database['id']} {self.n_samples}".encode())
        for step in self.steps:
            span = step.start_sample, step.n_samples, step.at_sample, step.reverse
            how = float(step.gain_db), float(step.transpose), float(step.stretch)
            played.update(f"\n{span} {how} {step.source}".encode(errors="surrogateescape"))
        return played.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write as JSON, one step per line."""
        head = {"format": FORMAT, "version": VERSION, "sample_rate": self.sample_rate, "channels": self.channels}
        head |= {"database": self.database, "settings": self.settings, "tail_samples": self.tail_samples}
        lines = [f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}," for key, value in head.items()]
        sources = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.sources.items())
        lines.append(f' "sources": {{\n{sources}\n }},' if sources else ' "sources": {},')
        steps = ",\n".join("  " + json.dumps(step.to_dict(), allow_nan=False) for step in self.steps)
        end = [" ],", f' "targets": {json.dumps(self.targets.to_dict())}'] if self.targets else [" ]"]
        write_text(path, "\n".join(["{", *lines, ' "steps": [', steps, *end, "}", ""]))

    @classmethod
    def load(cls, path: str | Path, *, alternatives: bool = True) -> Self:
        """Read and check a plan. Without the alternatives, which playback does not need, it takes a fifth of the memory.

        Raises
        ------
        PlanError
            If it is not a plan, of a newer version, or a step breaks a rule; the message names the step, counted from 0.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
            document = json.loads(text, object_hook=_compact if alternatives else _without_alternatives)
        except OSError as error:
            raise PlanError(f"{path}: cannot be read ({error.strerror}); give a plan file that {MAKERS} wrote") from error
        except UnicodeDecodeError as error:
            raise PlanError(f"{path}: not a readable plan, but no text; give a plan file that {MAKERS} wrote") from error
        except json.JSONDecodeError as error:
            raise PlanError(
                f"{path}: line {error.lineno}, column {error.colno}: {error.msg}; every step but the last ends in a comma, and "
                "every bracket and quote has its partner"
            ) from error
        except (ValueError, RecursionError) as error:
            raise PlanError(f"{path}: not a readable plan ({error}); give a plan file that {MAKERS} wrote") from error
        try:
            return _parse(cls, document)
        except PlanError as error:
            raise PlanError(f"{path}: {error}") from None


class _Compact(tuple):
    """A step as it was read, in the order of `Step`'s fields, `MISSING` where there is none: a fraction of a dict's size."""


def _compact(document: dict[str, Any]) -> Any:
    if document.keys() <= set(STEP_KEYS) and document.keys() >= {"source", "n_samples"}:
        if isinstance(document["source"], str):
            document["source"] = intern(document["source"])
        return _Compact(document.get(key, MISSING) for key in STEP_KEYS)
    return document


def _without_alternatives(document: dict[str, Any]) -> Any:
    document.pop("alternatives", None)
    return _compact(document)


def _parse(cls: type[Plan], document: Any) -> Any:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(f'"format" must be "{FORMAT}"; give a plan file that {MAKERS} wrote')
    if document.get("version") != VERSION:
        raise PlanError(f'"version" is {document.get("version")}, this Demiurge reads {VERSION}; update Demiurge')
    required = {"format", "version", "sample_rate", "channels", "database", "steps"}
    _check_keys("the plan", document, required, {"settings", "tail_samples", "sources", "targets"})
    _check_integer("sample_rate", document["sample_rate"], minimum=MIN_RATE, maximum=MAX_RATE)
    _check_integer("channels", document["channels"], minimum=1)
    if document["channels"] > MAX_CHANNELS:
        raise PlanError(f"channels={document['channels']} must be 1 to {MAX_CHANNELS}")
    tail_samples = document.get("tail_samples", 0)
    _check_integer("tail_samples", tail_samples, minimum=0)
    database, settings, steps = document["database"], document.get("settings", {}), document["steps"]
    if not isinstance(database, dict) or not all(isinstance(database.get(key), str) for key in ("id", "root")):
        raise PlanError('"database" must have "id" and "root", both text')
    if not isinstance(settings, dict) or not _is_finite(settings):
        raise PlanError('"settings" must be an object, and all numbers in it finite')
    if not isinstance(steps, list) or not steps:
        raise PlanError('"steps" must be a list of at least one step')
    targets = Targets.from_dict(document["targets"]) if "targets" in document else None
    n_targets = len(targets.rows) if targets else 0
    parsed: list[Step] = []
    for number, step in enumerate(steps):
        free = parsed[-1].until_sample if parsed else 0
        parsed.append(_parse_step(f"step {number}", step, free, n_targets))
        if parsed[-1].at_sample < free:
            raise PlanError(
                f"step {number}: at_sample={parsed[-1].at_sample} lies before step {number - 1} ends, at {free}; steps must be "
                "in order and not overlap: move it, or leave at_sample out of it and of those that follow at once"
            )
    sources = _parse_sources(document.get("sources", {}))
    return cls(document["sample_rate"], document["channels"], database, tuple(parsed), settings, tail_samples, sources, targets)


def _is_finite(value: Any) -> bool:
    """Whether JSON can hold it: no NaN, no infinity, however deep."""
    if isinstance(value, dict | list):
        return all(map(_is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _parse_sources(sources: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(sources, dict):
        raise PlanError('"sources" must be an object')
    for name, stamp in sources.items():
        kinds = {"hash": str, "bytes": int, "modified_ns": int}
        if not isinstance(stamp, dict) or any(type(stamp.get(key)) is not kind for key, kind in kinds.items()):
            raise PlanError(
                f'"sources": {name!r} must have "hash" (text), "bytes" and "modified_ns" (integers); or leave it out'
            )
    return sources


def _parse_step(where: str, step: Any, free: int, n_targets: int) -> Step:
    """`free` is where a step begins that does not say so."""
    if isinstance(step, _Compact):
        step = {key: value for key, value in zip(STEP_KEYS, step, strict=True) if value is not MISSING}
    if not isinstance(step, dict):
        raise PlanError(f"{where}: must be an object")
    required = {"source", "start_sample", "n_samples"}
    _check_keys(where, step, required, set(STEP_KEYS) - required)
    step = {"unit": NO_UNIT, "at_sample": free, "target": NO_TARGET} | step
    _check_numbers(where, step)
    if step["target"] >= n_targets:
        rule = f"a row of the targets, 0 to {n_targets - 1}, or -1 for none" if n_targets else "-1: the plan holds no targets"
        raise PlanError(f"{where}: target={step['target']} must be {rule}")
    for name in ("reverse", "locked"):
        if not isinstance(step.get(name, False), bool):
            raise PlanError(f"{where}: {name}={step[name]!r} must be true or false")
    _check_source(where, step["source"])
    alternatives = step.get("alternatives", [])
    if not isinstance(alternatives, list) or not all(map(_is_alternative, alternatives)):
        raise PlanError(f'{where}: alternatives must be a list of objects with "unit" and "distance", numbers; or leave it out')
    return Step(**{**step, "alternatives": tuple(alternatives)})


def _check_numbers(where: str, step: dict) -> None:
    for name, minimum in {"unit": NO_UNIT, "start_sample": 0, "n_samples": 1, "at_sample": 0, "target": NO_TARGET}.items():
        _check_integer(f"{where}: {name}", step[name], minimum=minimum)
    for name in ("gain_db", "transpose", "stretch", "distance", "join"):
        if not _is_number(value := step.get(name, 1.0)):
            raise PlanError(f"{where}: {name}={value!r} must be a finite number")
    _check_range(where, step, "gain_db", -200, MAX_GAIN_DB, "")
    _check_range(where, step, "transpose", -MAX_TRANSPOSE, MAX_TRANSPOSE, " semitones")
    _check_range(where, step, "stretch", 1 / MAX_STRETCH, MAX_STRETCH, "; 2 is twice as slow")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


def _is_alternative(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("source", ""), str):
        return False
    return type(value.get("unit")) is type(value.get("start_sample", 0)) is int and _is_number(value.get("distance"))


def _check_source(where: str, source: Any) -> None:
    if not isinstance(source, str) or not source or PurePosixPath(source).is_absolute() or ".." in PurePosixPath(source).parts:
        raise PlanError(f"{where}: source={source!r} must be a path within the corpus folder, relative to it")
    if "\0" in source or not _is_encodable(source):
        raise PlanError(f"{where}: source={source!r} is no name that a file can have")


def _is_encodable(name: str) -> bool:
    try:
        return bool(os.fsencode(name))
    except UnicodeEncodeError:
        return False


def _check_keys(where: str, document: dict, required: set[str], optional: set[str]) -> None:
    if missing := sorted(required - set(document)):
        raise PlanError(f"{where}: {', '.join(missing)} missing; add it")
    if unknown := sorted(set(document) - required - optional):
        raise PlanError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(required | optional))}")


def _check_range(where: str, step: dict, name: str, lowest: float, highest: float, remark: str) -> None:
    if not lowest <= step.get(name, 1.0) <= highest:
        raise PlanError(f"{where}: {name}={step[name]!r} must be {lowest:g} to {highest:g}{remark}")


def _check_integer(name: str, value: Any, *, minimum: int, maximum: int = MAX_SAMPLES) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise PlanError(f"{name}={value!r} must be an integer of at least {minimum}")
    if value > maximum:
        raise PlanError(f"{name}={value} must be {maximum} at most")
