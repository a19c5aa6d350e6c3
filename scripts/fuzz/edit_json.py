"""Edits of JSON documents: one value, key or place at a time."""

import json
import math
from copy import deepcopy
from random import Random
from typing import Any

from scripts.fuzz import hostile_values
from scripts.fuzz.hostile_values import Raw

MOST_DEPTH = 50  # of what is dumped again; deeper nesting is there as `Raw`


class Object(list):
    """A JSON object as a list of [key, value], so that keys may repeat."""


def edit_json(text: str, rng: Random) -> str:
    """Return the document with one edit; text that is no JSON loses a part."""
    try:
        document = json.loads(text, object_pairs_hook=as_object)
    except (ValueError, RecursionError):
        at = rng.randrange(len(text) + 1)
        return text[:at] + text[at + rng.randrange(1, 20) :]
    places = list(find_places(document))
    if not places:
        return dump(hostile_values.for_json(rng))
    container, index = rng.choice(places)
    rng.choice(EDITS)(container, index, rng, places)
    return dump(document)


def as_object(pairs: list[tuple[str, Any]]) -> Object:
    return Object([list(pair) for pair in pairs])


def find_places(document: Any, depth: int = 0) -> Any:
    """Yield (container, index) of every value within a document."""
    if not isinstance(document, list) or depth > MOST_DEPTH:
        return
    for index, item in enumerate(document):
        yield document, index
        yield from find_places(item[1] if isinstance(document, Object) else item, depth + 1)


def value_at(container: list, index: int) -> Any:
    return container[index][1] if isinstance(container, Object) else container[index]


def put(container: list, index: int, value: Any) -> None:
    if isinstance(container, Object):
        container[index] = [container[index][0], value]
    else:
        container[index] = value


def replace_value(container: list, index: int, rng: Random, _: list) -> None:
    put(container, index, hostile_values.for_json(rng))


def change_value(container: list, index: int, rng: Random, _: list) -> None:
    put(container, index, hostile_values.like(value_at(container, index), rng))


def copy_value(container: list, index: int, rng: Random, places: list) -> None:
    """Put a value of another place here."""
    put(container, index, deepcopy(value_at(*rng.choice(places))))


def nest_value(container: list, index: int, rng: Random, _: list) -> None:
    value = value_at(container, index)
    put(container, index, rng.choice(([value], [[value]], Object([["value", value]]))))


def delete_value(container: list, index: int, rng: Random, _: list) -> None:
    del container[index]


def repeat_value(container: list, index: int, rng: Random, _: list) -> None:
    """Repeat an item or a key; a repeated key gets another value."""
    copies = [container[index]] * rng.choice((1, 1, 2, 300))
    if isinstance(container, Object):
        copies = [[container[index][0], hostile_values.for_json(rng)]]
    container[index:index] = copies


def rename_key(container: list, index: int, rng: Random, _: list) -> None:
    if isinstance(container, Object):
        name = rng.choice((container[index][0] + "x", "", "unknown", "__class__", "version"))
        container[index] = [name, container[index][1]]
    else:
        container.reverse()


EDITS = (
    *(replace_value, replace_value, replace_value, change_value, change_value, copy_value),
    *(nest_value, delete_value, repeat_value, rename_key),
)


def dump(value: Any, depth: int = 0) -> str:
    """Return JSON with what a strict writer would refuse."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Object):
        pairs = (f"{json.dumps(key)}: {dump(item, depth + 1)}" for key, item in value)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(dump(item, depth + 1) for item in value) + "]"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return json.dumps(value)
