"""Check that values are of their types and in their ranges."""

import reprlib
from collections.abc import Iterable
from typing import Any

from files.errors import ParameterError

MOST_BITS = 64  # of an integer that a message shows


class _Shortened(reprlib.Repr):
    """Shortens lists and texts; of an object only the type is shown."""

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= MOST_BITS else f"an integer of {x.bit_length()} bits"

    def repr_instance(self, x: object, level: int) -> str:
        return repr(x) if isinstance(x, float | bool | None) else f"a {type(x).__name__}"


_shortened = _Shortened()


def shown(value: object) -> str:
    """Return a value as a message shows it: in Python's notation, shortened."""
    return _shortened.repr(value)


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Raise ParameterError unless a value is an integer from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise ParameterError(f"{name}={shown(value)} must be an integer from {low} to {high}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise ParameterError unless a value is a number from `low` to `high`."""
    if not isinstance(value, int | float) or type(value) is bool or not low <= value <= high:
        raise ParameterError(f"{name}={shown(value)} must be a number from {low:g} to {high:g}")


def check_flag(name: str, value: object) -> None:
    """Raise ParameterError unless a value is true or false."""
    if type(value) is not bool:
        raise ParameterError(f"{name}={shown(value)} must be true or false")


def check_integers(name: str, values: object, low: int, high: int, *, most: int) -> None:
    """Raise ParameterError unless values are a list of up to `most` integers in a range."""
    if not isinstance(values, list | tuple) or len(values) > most:
        raise ParameterError(f"{name}={shown(values)} must be a list of at most {most} integers")
    for number, value in enumerate(values):
        check_integer(f"{name}[{number}]", value, low, high)


def check_names(values: dict[str, Any], known: Iterable[str]) -> None:
    """Raise ParameterError if a value has another name than those known."""
    names = list(known)
    if unknown := sorted(values.keys() - names):
        raise ParameterError(
            f"unknown {', '.join(map(shown, unknown))}; known are {', '.join(names) or 'none'}"
        )
