"""Check values from a request: `take_…` reads its JSON object, `ask_…` its query string."""

import re
from collections.abc import Collection
from math import nan
from typing import Any, overload

from starlette.requests import Request

from files.errors import ParameterError

NUMBER = re.compile(r"\d{1,17}", re.ASCII)
NAMED_UNIT = re.compile(r"[\w.-]{1,200}:[0-9]{1,17}")
A_UNIT = "a unit: its id, in one of several databases NAME:ID"
MOST_NUMBER = 1 << 53  # the largest integer that JavaScript counts to


def check_keys(what: str, document: dict[str, Any], known: Collection[str]) -> None:
    """Raise a ParameterError if a document has a key that is not known."""
    if unknown := sorted(document.keys() - set(known)):
        raise ParameterError(f"{what}: {unknown[0]!r} is unknown; known are {', '.join(known)}")


def take_number(
    document: dict[str, Any], name: str, least: float, most: float, default: float | None = None
) -> float:
    """Return a number from `least` to `most`; without a default it is required."""
    value: Any = document.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # NaN fails as well
        raise ParameterError(f"{name}={_shown(value)} must be a number from {least:g} to {most:g}")
    return float(value)


def take_integer(
    document: dict[str, Any], name: str, least: int, most: int, default: int | None = None
) -> int:
    """Return an integer from `least` to `most`; without a default it is required."""
    value = document.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ParameterError(f"{name}={_shown(value)} must be an integer from {least} to {most}")
    return value


def take_integers(document: dict[str, Any], name: str, least: int, most: int) -> list[int]:
    """Return a list of one or more integers, each from `least` to `most`."""
    values = document.get(name)
    if not isinstance(values, list) or not values:
        raise ParameterError(f"{name}={_shown(values)} must be a list of at least one integer")
    return [take_integer({name: value}, name, least, most) for value in values]


def take_unit(document: dict[str, Any], name: str) -> int | str:
    """Return the name of a unit: its id, or NAME:ID of one of several databases."""
    value = document.get(name)
    if isinstance(value, str) and NAMED_UNIT.fullmatch(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_NUMBER:
        raise ParameterError(f"{name}={_shown(value)} must be {A_UNIT}")
    return value


def take_units(document: dict[str, Any], name: str) -> list[int | str]:
    """Return the names of one or more units, without repeats."""
    values = document.get(name)
    if not isinstance(values, list) or not values:
        raise ParameterError(f"{name}={_shown(values)} must be a list of at least one unit")
    return list(dict.fromkeys(take_unit({name: value}, name) for value in values))


def take_switch(document: dict[str, Any], name: str) -> bool:
    """Return a boolean."""
    value = document.get(name)
    if not isinstance(value, bool):
        raise ParameterError(f"{name}={_shown(value)} must be true or false")
    return value


def take_text(document: dict[str, Any], name: str) -> str:
    """Return a string."""
    value = document.get(name)
    if not isinstance(value, str):
        raise ParameterError(f"{name}={_shown(value)} must be a text")
    return value


def _shown(value: Any) -> str:
    """Return the value as text, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def ask_number(request: Request, name: str, least: float, most: float, default: float) -> float:
    """Return a number from the query string."""
    text = request.query_params.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = nan
    if not least <= value <= most:
        raise ParameterError(f"{name}={_shown(text)} must be a number from {least:g} to {most:g}")
    return value


def ask_integers(request: Request, name: str, most: int) -> list[int]:
    """Return whole numbers from the query string, separated by commas, without repeats.

    There may be `most` of them; if the name is missing, the list is empty.
    """
    text = request.query_params.get(name, "")
    if text and not re.fullmatch(rf"\d{{1,17}}(,\d{{1,17}}){{0,{most - 1}}}", text, re.ASCII):
        raise ParameterError(
            f"{name}={_shown(text)} must be 1 to {most} whole numbers separated by commas"
        )
    return list(dict.fromkeys(int(number) for number in text.split(",") if number))


def ask_unit(request: Request, name: str) -> int | str | None:
    """Return the name of a unit from the query string, as `parse_unit`; None if it is missing."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if (unit := parse_unit(text)) is None:
        raise ParameterError(f"{name}={_shown(text)} must be {A_UNIT}")
    return unit


def ask_units(request: Request, name: str, most: int) -> list[int | str]:
    """Return the names of at most `most` units, separated by commas; none if `name` is missing."""
    text = request.query_params.get(name)
    if not text:
        return []
    units = [parse_unit(part) for part in text.split(",", most)]
    known = [unit for unit in units if unit is not None]
    if len(known) < len(units) or len(known) > most:
        raise ParameterError(
            f"{name}={_shown(text)} must be 1 to {most} units separated by commas, each {A_UNIT}"
        )
    return list(dict.fromkeys(known))


def parse_unit(text: str) -> int | str | None:
    """Return the name of a unit: its id, or NAME:ID as text; None if it is neither."""
    if NUMBER.fullmatch(text):
        return int(text)
    return text if NAMED_UNIT.fullmatch(text) else None


@overload
def ask_integer(request: Request, name: str, least: int, most: int, default: int) -> int: ...
@overload
def ask_integer(
    request: Request, name: str, least: int, most: int, default: None = None
) -> int | None: ...
def ask_integer(
    request: Request, name: str, least: int, most: int, default: int | None = None
) -> int | None:
    """Return an integer from the query string."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,17}", text, re.ASCII) or not least <= int(text) <= most:
        raise ParameterError(f"{name}={_shown(text)} must be an integer from {least} to {most}")
    return int(text)
