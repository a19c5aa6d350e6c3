"""Read JSON documents that others made into typed values: every value is checked once.

A document's type is a `msgspec.Struct` whose fields state their ranges:

    class Size(msgspec.Struct, forbid_unknown_fields=True):
        layers: Annotated[int, Meta(ge=1, le=64)]
"""

import json
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from files.errors import DemiurgeError
from files.regular import read_regular

MAX_BYTES = 1 << 30
SHOWN = 60  # letters of a value in a message

T = TypeVar("T")

KINDS = {
    "int": "an integer",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
LIMITS = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}
PLACE = re.compile(r"(?P<rule>.*) - at (?:`key` in )?`\$\.?(?P<place>.*)`", re.DOTALL)
STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
BYTE = re.compile(r"(?P<what>.*) \(byte (?P<byte>\d+)\)")


def read_document(
    path: str | Path,
    kind: type[T],
    *,
    error: type[DemiurgeError],
    remedy: str,
    max_bytes: int = MAX_BYTES,
) -> T:
    """Read a JSON file into a value of type `kind`.

    Raises
    ------
    error
        If it cannot be read, is not a regular file of at most `max_bytes`, or breaks a rule of
        JSON or of `kind`.
    """
    data = read_regular(path, error=error, remedy=remedy, max_bytes=max_bytes)
    return parse_document(data, kind, where=str(path), error=error, remedy=remedy)


def parse_document(
    data: bytes, kind: type[T], *, where: str, error: type[DemiurgeError], remedy: str
) -> T:
    """Decode JSON into a value of type `kind`; `where` begins the message of an error."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as reason:
        message = _broken_rule(str(reason), data)
    except msgspec.DecodeError as reason:
        message = _broken_json(str(reason), data)
    except RecursionError:
        message = "its lists and objects are nested too deeply"
    raise error(f"{where}: {message}; {remedy}")


def _broken_json(reason: str, data: bytes) -> str:
    """Describe a fault of JSON by line and column, counted from 1."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    found = BYTE.fullmatch(reason)
    before = data[: int(found["byte"])] if found else data
    line = before.count(b"\n") + 1
    column = len(before) - before.rfind(b"\n")
    what = found["what"].removeprefix("JSON is malformed: ") if found else "it ends too early"
    return f"line {line}, column {column}: {what}"


def _broken_rule(reason: str, data: bytes) -> str:
    """Describe a value that breaks a rule: its place, the value and the rule."""
    found = PLACE.fullmatch(reason)
    rule = found["rule"] if found else reason
    place = found["place"] if found else ""
    if named := re.fullmatch(r"Object missing required field `(.*)`", rule):
        return f"{place + ': ' if place else ''}{named[1]} is missing"
    if named := re.fullmatch(r"Object contains unknown field `(.*)`", rule):
        return f"{place + ': ' if place else ''}{named[1]} is not known"
    value = _value_at(data, place)
    return f"{place or 'the document'}{value} {_rule_in_words(rule)}"


def _rule_in_words(rule: str) -> str:
    if limit := re.fullmatch(r"Expected `(int|float)` (>=|<=|>|<) (\S+)", rule):
        return f"must be {KINDS[limit[1]]} {LIMITS[limit[2]]} {limit[3]}"
    if wrong := re.fullmatch(r"Expected `(.*)`, got `.*`", rule):
        kinds = [KINDS.get(name, name) for name in wrong[1].split(" | ")]
        return f"must be {' or '.join(kinds)}"
    if size := re.fullmatch(r"Expected `\w+` of length (.*)", rule):
        return f"must have a length {size[1]}"
    if rule.startswith("Invalid enum value"):
        return "is not one of the known values"
    return f"is not valid ({rule[:1].lower()}{rule[1:]})"


def _value_at(data: bytes, place: str) -> str:
    """Return "=" and the value at a place such as `steps[3].n_samples`, shortened; or nothing."""
    try:
        value: Any = json.loads(data)
        for number, name in STEP.findall(place):
            value = value[int(number)] if number else value[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    if isinstance(value, dict | list):
        return ""
    text = json.dumps(value)
    return f"={text[:SHOWN]}{'…' if len(text) > SHOWN else ''}"
