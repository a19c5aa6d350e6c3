"""Read JSON documents that others made into typed values: every value is checked once.

A document's type is a `msgspec.Struct` whose fields state their ranges:

    class Size(msgspec.Struct, forbid_unknown_fields=True):
        layers: Annotated[int, Meta(ge=1, le=64)]
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec
from msgspec import Meta

from files.errors import DemiurgeError
from files.names import printable
from files.regular import read_regular

MAX_BYTES = 1 << 24
MAX_VALUES = 1 << 24  # of a document; each may take 70 bytes of memory, and as few as 3 in a file
MAX_DEPTH = 32  # of values that are kept as they are
SHOWN = 60  # letters of a value in a message

T = TypeVar("T")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BYTE = re.compile(r"(?:JSON is malformed: )?(?P<what>.*) \(byte (?P<byte>\d+)\)")
NO_NUMBER = re.compile(rb"NaN|-?Infinity")
WRONG_KEY = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`")
ESCAPE = re.compile(
    rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD](?P<alone>[89a-fA-F])..|\\.", re.DOTALL
)
KINDS: dict[Any, str] = {
    int: "an integer",
    float: "a finite number",
    str: "text",
    bool: "true or false",
    bytes: "base64",
    list: "a list",
    tuple: "a list",
    dict: "an object",
    type(None): "null",
    Any: "JSON with finite numbers of at most 4300 digits",
}


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
    """Decode JSON into a value of type `kind`; `where` begins the message of an error.

    A byte order mark is passed over. Halves of letters (lone surrogates) are read as U+FFFD.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    if data.count(b",") >= MAX_VALUES:
        raise error(f"{where}: it has more than {MAX_VALUES} values; {remedy}")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
        whole = ESCAPE.sub(_whole_letter, data)
        if whole != data:
            return parse_document(whole, kind, where=where, error=error, remedy=remedy)
        raise error(f"{where}: {_explain(data, kind, reason)}; {remedy}") from None


def check_depth(value: Any) -> None:
    """Raise a ValueError if lists and objects of a JSON value are nested deeper than MAX_DEPTH.

    It belongs in `__post_init__` of a Struct with values of any type.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        holders = [one for one in level if isinstance(one, dict | list)]
        level = [
            inner for one in holders for inner in (one.values() if isinstance(one, dict) else one)
        ]
    if level:
        raise ValueError(f"lists and objects must be nested at most {MAX_DEPTH} deep")


def _whole_letter(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found["alone"] else found[0]


def _explain(data: bytes, kind: Any, reason: Exception) -> str:
    """Say in words why a document cannot be decoded."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    try:
        if isinstance(reason, msgspec.ValidationError):
            return _broken_rule(*_find_fault(msgspec.Raw(data), kind, ""))
    except RecursionError as deeper:
        reason = deeper
    except msgspec.DecodeError as broken:  # JSON that is broken behind a broken rule
        reason = broken
    if isinstance(reason, RecursionError):
        return "its lists and objects are nested too deeply"
    return _broken_json(str(reason), data)


def _broken_json(reason: str, data: bytes) -> str:
    """Describe a fault of JSON by line and column, counted from 1."""
    found = BYTE.fullmatch(reason)
    before = data[: int(found["byte"])] if found else data
    line = before.count(b"\n") + 1
    column = len(before) - before.rfind(b"\n")
    what = found["what"] if found else "it ends too early"
    if constant := NO_NUMBER.match(data, len(before)):
        what = f"{constant[0].decode()} is no number in JSON"
    return f"line {line}, column {column}: {what}"


def _find_fault(data: msgspec.Raw, kind: Any, place: str) -> tuple[msgspec.Raw, Any, str]:
    """Return the innermost value that breaks a rule, its type, and its place in words."""
    kind = _fitting(kind, data)
    try:
        for name, child, child_kind in _children(data, kind, place):
            try:
                msgspec.json.decode(child, type=child_kind)
            except msgspec.ValidationError:
                return _find_fault(child, child_kind, name)
    except msgspec.ValidationError:
        pass  # it has no such children
    return data, kind, place


def _fitting(kind: Any, data: msgspec.Raw) -> Any:
    """Return the part of a union that may hold a list or an object, or the type itself."""
    options = get_args(_bare(kind)[0]) if _is_union(_bare(kind)[0]) else ()
    first = bytes(data).lstrip()[:1]
    if first == b"[":
        return next((one for one in options if get_origin(one) in (list, tuple)), kind)
    if first == b"{":
        return next((one for one in options if get_origin(one) is dict or _is_object(one)), kind)
    return kind


def _children(data: msgspec.Raw, kind: Any, place: str) -> Iterator[tuple[str, msgspec.Raw, Any]]:
    """Yield the place, value and type of each value in a list or an object."""
    kind, _ = _bare(kind)
    if get_origin(kind) in (list, tuple):
        item_kind = get_args(kind)[0]
        for number, item in enumerate(msgspec.json.decode(data, type=list[msgspec.Raw])):
            yield _item_place(place, number, item_kind), item, item_kind
    elif get_origin(kind) is dict:
        for name, value in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).items():
            yield _key_place(place, name), value, get_args(kind)[1]
    elif _is_object(kind):
        kinds = get_type_hints(kind, include_extras=True)
        for name, value in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).items():
            if name in kinds:
                yield _key_place(place, name), value, _without_presence(kinds[name])


def _bare(kind: Any) -> tuple[Any, Meta]:
    """Return a type without its annotations, and the rules among them."""
    if get_origin(kind) is Annotated:
        kind, *metas = get_args(kind)
        return kind, metas[0]
    return kind, Meta()


def _without_presence(kind: Any) -> Any:
    """Return a type without the marks of `TypedDict` that say whether a key must be there."""
    return get_args(kind)[0] if get_origin(kind) in (Required, NotRequired) else kind


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _is_object(kind: Any) -> bool:
    return is_typeddict(kind) or msgspec.inspect.is_struct_type(kind)


def _key_place(place: str, name: str) -> str:
    if not name.isidentifier():
        return f"{place}[{shown_text(repr(name))}]"
    return f"{place}{'' if place.endswith(': ') or not place else '.'}{name}"


def _item_place(place: str, number: int, kind: Any) -> str:
    """Return "step 3: " for an object in a list named "steps", otherwise "steps[3]"."""
    if place.endswith("s") and _is_object(_bare(kind)[0]):
        return f"{place[:-1]} {number}: "
    return f"{place}[{number}]"


def _broken_rule(data: msgspec.Raw, kind: Any, place: str) -> str:
    """Describe a value that breaks a rule: its place, the value and the rule."""
    try:
        msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as reason:
        if found := WRONG_KEY.match(str(reason)):
            before = f"{place}: " if place and not place.endswith(": ") else place
            if found["what"] == "missing required":
                return f"{before}{found['name']} is missing"
            known = ", ".join(get_type_hints(_bare(kind)[0]))
            name = shown_text(found["name"])
            return f"{before}{name} is not known; known are {known}"
        if reason.__cause__:  # of `__post_init__`
            return f"{place}{str(reason).partition(' - at `$')[0]}"
    value = shown_text(bytes(data).decode())
    named = f"{place}{value}" if place.endswith(": ") else f"{place or 'the document'}={value}"
    return f"{named} must {_rule_of(kind)}"


def _rule_of(kind: Any) -> str:
    kind, meta = _bare(kind)
    if meta.extra and "rule" in meta.extra:
        return meta.extra["rule"]
    return f"be {_kind_in_words(kind)}{_range_of(kind, meta)}"


def _kind_in_words(kind: Any) -> str:
    if _is_union(kind):
        options = [option for option in get_args(kind) if option is not msgspec.UnsetType]
        return " or ".join(_rule_of(option).removeprefix("be ") for option in options)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return KINDS.get(get_origin(kind) or kind, "an object")


def _range_of(kind: Any, meta: Meta) -> str:
    """Return the range of a number, or of the length of a text or list, in words."""
    if meta.min_length is not None or meta.max_length is not None:
        limits = _limits(" of", meta.min_length, meta.max_length)
        return f"{limits} letters" if kind is str else limits
    if meta.gt is not None:
        return f" above {meta.gt:g}"
    return _limits(" from", meta.ge, meta.le)


def _limits(word: str, least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f"{word} {_number(least)} to {_number(most)}"
    if least is not None:
        return f" of at least {_number(least)}"
    return f" of at most {_number(most)}" if most is not None else ""


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def shown_text(text: str) -> str:
    """Return a text from a document, printable and short."""
    return printable(text[:SHOWN]) + ("…" if len(text) > SHOWN else "")
