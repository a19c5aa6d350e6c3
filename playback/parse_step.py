"""Read the steps of a plan from JSON, and check them."""

import os
from collections.abc import Container
from dataclasses import MISSING
from pathlib import PurePosixPath
from sys import intern
from typing import Any

from audio.read import MAX_SAMPLES
from files.errors import PlanError
from playback.steps import NO_TARGET, NO_UNIT, STEP_KEYS, Step, lies_outside
from playback.transform import MAX_STRETCH, MAX_TRANSPOSE

MAX_NUMBER = 1e300
MIN_GAIN_DB = -200
MAX_GAIN_DB = 60
REQUIRED_KEYS = {"source", "start_sample", "n_samples"}
OPTIONAL_KEYS = set(STEP_KEYS) - REQUIRED_KEYS
INTEGERS = {"unit": NO_UNIT, "start_sample": 0, "n_samples": 1, "at_sample": 0, "target": NO_TARGET}
NUMBERS = ("gain_db", "transpose", "stretch", "distance", "join")
RANGES = {
    "gain_db": (MIN_GAIN_DB, MAX_GAIN_DB, ""),
    "transpose": (-MAX_TRANSPOSE, MAX_TRANSPOSE, " semitones"),
    "stretch": (1 / MAX_STRETCH, MAX_STRETCH, "; 2 is twice as slow"),
}


class CompactStep(tuple):
    """A step as read: values in the order of `STEP_KEYS`, with `MISSING` for missing ones.

    It takes a fraction of the memory of a dict.
    """


def compact(document: dict[str, Any]) -> Any:
    """Turn an object that looks like a step into a `CompactStep`; a hook for `json.loads`."""
    if document.keys() <= set(STEP_KEYS) and document.keys() >= {"source", "n_samples"}:
        if isinstance(document["source"], str):
            document["source"] = intern(document["source"])
        return CompactStep(document.get(key, MISSING) for key in STEP_KEYS)
    return document


def compact_without_alternatives(document: dict[str, Any]) -> Any:
    """Do as `compact`, but drop the alternatives."""
    document.pop("alternatives", None)
    return compact(document)


def parse_step(name: str, step: Any, free: int, n_targets: int, known: Container[str] = ()) -> Step:
    """Check a step that `compact` or plain JSON returned.

    Parameters
    ----------
    name : str
        Name of the step in messages.
    free : int
        Start of a step that has no `at_sample`.
    n_targets : int
        Number of rows of the plan's targets.
    known : container of str
        Sources whose content the plan identifies; only these may lie outside the corpus folder.

    Raises
    ------
    PlanError
        If it breaks a rule.
    """
    step = _to_dict(name, step)
    check_keys(name, step, REQUIRED_KEYS, OPTIONAL_KEYS)
    step = {"unit": NO_UNIT, "at_sample": free, "target": NO_TARGET} | step
    _check_numbers(name, step)
    _check_target(name, step["target"], n_targets)
    for key in ("reverse", "locked"):
        if not isinstance(step.get(key, False), bool):
            raise PlanError(f"{name}: {key}={step[key]!r} must be true or false")
    _check_source(name, step["source"], known)
    alternatives = step.get("alternatives", [])
    _check_alternatives(name, alternatives)
    return Step(**{**step, "alternatives": tuple(alternatives)})


def _to_dict(name: str, step: Any) -> dict[str, Any]:
    if isinstance(step, CompactStep):
        pairs = zip(STEP_KEYS, step, strict=True)
        return {key: value for key, value in pairs if value is not MISSING}
    if not isinstance(step, dict):
        raise PlanError(f"{name}: must be an object")
    return step


def check_keys(name: str, document: dict, required: set[str], optional: set[str]) -> None:
    """Raise a `PlanError` if a key is missing or unknown."""
    if missing := sorted(required - set(document)):
        raise PlanError(f"{name}: {', '.join(missing)} missing; add it")
    if unknown := sorted(set(document) - required - optional):
        known = ", ".join(sorted(required | optional))
        raise PlanError(f"{name}: unknown key {', '.join(unknown)}; known are {known}")


def check_integer(name: str, value: Any, *, minimum: int, maximum: int = MAX_SAMPLES) -> None:
    """Raise a `PlanError` unless the value is an integer within the limits."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise PlanError(f"{name}={value!r} must be an integer of at least {minimum}")
    if value > maximum:
        raise PlanError(f"{name}={value} must be at most {maximum}")


def _check_numbers(name: str, step: dict) -> None:
    for key, minimum in INTEGERS.items():
        check_integer(f"{name}: {key}", step[key], minimum=minimum)
    for key in NUMBERS:
        if key in step and not _is_number(step[key]):
            raise PlanError(f"{name}: {key}={step[key]!r} must be a finite number")
    for key, (lowest, highest, remark) in RANGES.items():
        if key in step and not lowest <= step[key] <= highest:
            rule = f"must be {lowest:g} to {highest:g}{remark}"
            raise PlanError(f"{name}: {key}={step[key]!r} {rule}")


def _check_target(name: str, target: int, n_targets: int) -> None:
    if target < n_targets:
        return
    rule = "-1: the plan holds no targets"
    if n_targets:
        rule = f"a row of the targets, 0 to {n_targets - 1}, or -1 for none"
    raise PlanError(f"{name}: target={target} must be {rule}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_NUMBER


def _check_alternatives(name: str, alternatives: Any) -> None:
    if not isinstance(alternatives, list) or not all(map(_is_alternative, alternatives)):
        raise PlanError(
            f'{name}: alternatives must be a list of objects with "unit" and "distance", numbers;'
            " or leave it out"
        )


def _is_alternative(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("source", ""), str):
        return False
    if type(value.get("unit")) is not int or type(value.get("start_sample", 0)) is not int:
        return False
    return _is_number(value.get("distance"))


def _check_source(name: str, source: Any, known: Container[str]) -> None:
    is_known = isinstance(source, str) and lies_outside(source) and source in known
    if not is_known and not _is_relative(source):
        raise PlanError(
            f"{name}: source={source!r} must be a path within the corpus folder, relative to it, or"
            ' an absolute path that "sources" has the hash of'
        )
    if "\0" in source or not _is_encodable(source):
        raise PlanError(f"{name}: source={source!r} is not a valid file name")


def _is_relative(source: Any) -> bool:
    if not isinstance(source, str) or not source:
        return False
    path = PurePosixPath(source)
    return not path.is_absolute() and ".." not in path.parts


def _is_encodable(name: str) -> bool:
    try:
        return bool(os.fsencode(name))
    except UnicodeEncodeError:
        return False
