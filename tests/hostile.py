"""Values that no document should hold, and documents with one of them in each place."""

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

DEEP: list = []
for _ in range(100):
    DEEP = [DEEP]
HOSTILE = (
    None,
    True,
    -1,
    0,
    1.5,
    1 << 31,
    -(1 << 63),
    10**30,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    ".",
    "../../x",
    "/etc/passwd",
    "a\0b",
    "\udce9",
    "[/red]\n\x1b[31m",
    "x" * 5000,
    [],
    [[]],
    {},
    {"": {}},
    DEEP,
)


def value_or_error(load: Callable[[], Any], errors: type[Exception]) -> Any:
    """Return what `load` returns; None if it raises one of `errors`, in one line."""
    try:
        return load()
    except errors as error:
        told = str(error)
    assert told, "an error without a word"
    assert "\n" not in told, told
    return None


def replaced(document: Any, values: Iterable[Any] = HOSTILE) -> Iterator[Any]:
    """Yield copies of a document, each with one value replaced, or one key left out."""
    places = list(_places(document))
    for place in places:
        for value in values:
            yield _changed(document, place, value)
        if isinstance(place[-1], str):
            yield _changed(document, place, None, drop=True)


def _places(document: Any, place: tuple = ()) -> Iterator[tuple]:
    if isinstance(document, dict | list):
        items = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in items:
            yield (*place, key)
            yield from _places(value, (*place, key))


def _changed(document: Any, place: tuple, value: Any, *, drop: bool = False) -> Any:
    changed = copy.deepcopy(document)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    if drop:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return changed
