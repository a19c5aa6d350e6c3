"""A step of a plan: one unit and when it is played; and how it is read from a plan file, and
checked.
"""

import os
from dataclasses import MISSING, dataclass, fields
from pathlib import PurePosixPath
from sys import intern
from typing import Any

from audio.read import MAX_SAMPLES
from files.errors import PlanError

MAX_NUMBER = 1e300
NO_UNIT = -1  # of a step written by hand
NO_TARGET = -1  # of a step that nothing was looked for
MAX_GAIN_DB = 60
MAX_STRETCH = 10.0  # and 1/10: beyond, a block turns into a drone or skips whole notes
MAX_TRANSPOSE = 48.0  # semitones, up or down: four octaves leave nothing of most sounds


@dataclass(frozen=True, slots=True)
class Step:
    """One unit and when it is played.

    Positions and lengths are integer samples at the plan's sample rate.

    `source` is relative to the corpus root; `at_sample` is the position in the output, and the unit
    sounds there for `n_samples`. `gain_db`, `reverse`, `transpose` (semitones) and `stretch` (2:
    twice as slow, so that half as much of the source is played) say how; absent they leave it
    untouched.

    The rest says why it was chosen, and playback ignores it: `unit` (-1: by hand), how far it is
    from what was wanted (`distance`) and from what would have followed the step before in its
    source (`join`), which row of the plan's targets that was (`target`; -1: none), whether it stays
    when the rest is chosen again (`locked`), and `alternatives`, units that fit nearly as well,
    each with "unit", "distance", "join", "source", "start_sample" and, if a rule forbids it here,
    "removed".
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
        return self.start_sample + (
            self.n_samples if self.stretch == 1 else max(1, round(self.n_samples / self.stretch))
        )

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


class _Compact(tuple):
    """A step as it was read, in the order of `Step`'s fields, `MISSING` where there is none: a
    fraction of a dict's size.
    """


def compact(document: dict[str, Any]) -> Any:
    """As `json.loads` asks for it: what is made of an object. Of one that may be a step, a
    `_Compact`.
    """
    if document.keys() <= set(STEP_KEYS) and document.keys() >= {"source", "n_samples"}:
        if isinstance(document["source"], str):
            document["source"] = intern(document["source"])
        return _Compact(document.get(key, MISSING) for key in STEP_KEYS)
    return document


def compact_without_alternatives(document: dict[str, Any]) -> Any:
    """As `compact`; alternatives are forgotten."""
    document.pop("alternatives", None)
    return compact(document)


def parse_step(where: str, step: Any, free: int, n_targets: int) -> Step:
    """A step as `compact` or plain JSON has it; `free` is where one begins that does not say so.

    Raises
    ------
    PlanError
        If it breaks a rule; `where` says in the message which step it is.
    """
    if isinstance(step, _Compact):
        step = {
            key: value for key, value in zip(STEP_KEYS, step, strict=True) if value is not MISSING
        }
    if not isinstance(step, dict):
        raise PlanError(f"{where}: must be an object")
    required = {"source", "start_sample", "n_samples"}
    check_keys(where, step, required, set(STEP_KEYS) - required)
    step = {"unit": NO_UNIT, "at_sample": free, "target": NO_TARGET} | step
    _check_numbers(where, step)
    if step["target"] >= n_targets:
        rule = (
            f"a row of the targets, 0 to {n_targets - 1}, or -1 for none"
            if n_targets
            else "-1: the plan holds no targets"
        )
        raise PlanError(f"{where}: target={step['target']} must be {rule}")
    for name in ("reverse", "locked"):
        if not isinstance(step.get(name, False), bool):
            raise PlanError(f"{where}: {name}={step[name]!r} must be true or false")
    _check_source(where, step["source"])
    alternatives = step.get("alternatives", [])
    if not isinstance(alternatives, list) or not all(map(_is_alternative, alternatives)):
        raise PlanError(
            f'{where}: alternatives must be a list of objects with "unit" and "distance", numbers;'
            " or leave it out"
        )
    return Step(**{**step, "alternatives": tuple(alternatives)})


def _check_numbers(where: str, step: dict) -> None:
    for name, minimum in {
        "unit": NO_UNIT,
        "start_sample": 0,
        "n_samples": 1,
        "at_sample": 0,
        "target": NO_TARGET,
    }.items():
        check_integer(f"{where}: {name}", step[name], minimum=minimum)
    for name in ("gain_db", "transpose", "stretch", "distance", "join"):
        if not _is_number(value := step.get(name, 1.0)):
            raise PlanError(f"{where}: {name}={value!r} must be a finite number")
    _check_range(where, step, "gain_db", -200, MAX_GAIN_DB, "")
    _check_range(where, step, "transpose", -MAX_TRANSPOSE, MAX_TRANSPOSE, " semitones")
    _check_range(where, step, "stretch", 1 / MAX_STRETCH, MAX_STRETCH, "; 2 is twice as slow")


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
    )


def _is_alternative(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("source", ""), str):
        return False
    return type(value.get("unit")) is type(value.get("start_sample", 0)) is int and _is_number(
        value.get("distance")
    )


def _check_source(where: str, source: Any) -> None:
    if (
        not isinstance(source, str)
        or not source
        or PurePosixPath(source).is_absolute()
        or ".." in PurePosixPath(source).parts
    ):
        raise PlanError(
            f"{where}: source={source!r} must be a path within the corpus folder, relative to it"
        )
    if "\0" in source or not _is_encodable(source):
        raise PlanError(f"{where}: source={source!r} is no name that a file can have")


def _is_encodable(name: str) -> bool:
    try:
        return bool(os.fsencode(name))
    except UnicodeEncodeError:
        return False


def check_keys(where: str, document: dict, required: set[str], optional: set[str]) -> None:
    if missing := sorted(required - set(document)):
        raise PlanError(f"{where}: {', '.join(missing)} missing; add it")
    if unknown := sorted(set(document) - required - optional):
        raise PlanError(
            f"{where}: unknown key {', '.join(unknown)}; known are"
            f" {', '.join(sorted(required | optional))}"
        )


def _check_range(
    where: str, step: dict, name: str, lowest: float, highest: float, remark: str
) -> None:
    if not lowest <= step.get(name, 1.0) <= highest:
        raise PlanError(f"{where}: {name}={step[name]!r} must be {lowest:g} to {highest:g}{remark}")


def check_integer(name: str, value: Any, *, minimum: int, maximum: int = MAX_SAMPLES) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise PlanError(f"{name}={value!r} must be an integer of at least {minimum}")
    if value > maximum:
        raise PlanError(f"{name}={value} must be {maximum} at most")
