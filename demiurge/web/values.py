"""Values that a page sends: each is checked before anything is done with it."""

import re
from collections.abc import Collection
from math import nan
from typing import Any, overload

from starlette.requests import Request

from files.errors import ParameterError


def check_keys(what: str, document: dict[str, Any], known: Collection[str]) -> None:
    """Refuse what nobody would look at.

    Raises
    ------
    ParameterError
        As all of these do.
    """
    if unknown := sorted(document.keys() - set(known)):
        raise ParameterError(f"{what}: {unknown[0]!r} is unknown; known are {', '.join(known)}")


def take_number(
    document: dict[str, Any], name: str, least: float, most: float, default: float | None = None
) -> float:
    """A number within these bounds; without a default it must be there."""
    value = document.get(name, default)
    if (
        isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most
    ):  # nor NaN
        raise ParameterError(f"{name}={_shown(value)} must be a number of {least:g} to {most:g}")
    return float(value)


def take_integer(
    document: dict[str, Any], name: str, least: int, most: int, default: int | None = None
) -> int:
    """As `take_number`, and whole."""
    value = document.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ParameterError(f"{name}={_shown(value)} must be an integer of {least} to {most}")
    return value


def take_integers(document: dict[str, Any], name: str, least: int, most: int) -> list[int]:
    """A list of at least one integer, each within these bounds."""
    values = document.get(name)
    if not isinstance(values, list) or not values:
        raise ParameterError(f"{name}={_shown(values)} must be a list of at least one integer")
    return [take_integer({name: value}, name, least, most) for value in values]


def take_switch(document: dict[str, Any], name: str) -> bool:
    """true or false."""
    value = document.get(name)
    if not isinstance(value, bool):
        raise ParameterError(f"{name}={_shown(value)} must be true or false")
    return value


def take_text(document: dict[str, Any], name: str) -> str:
    """A text."""
    value = document.get(name)
    if not isinstance(value, str):
        raise ParameterError(f"{name}={_shown(value)} must be a text")
    return value


def _shown(value: Any) -> str:
    """What was sent, in so few letters that a message can hold it."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def printable(text: str) -> str:
    """The text with a ? for what is no text: names of files may hold any bytes."""
    return text.encode(errors="replace").decode()


def ask_number(request: Request, name: str, least: float, most: float, default: float) -> float:
    """A number of the address's query."""
    text = request.query_params.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = nan
    if not least <= value <= most:
        raise ParameterError(f"{name}={_shown(text)} must be a number of {least:g} to {most:g}")
    return value


def ask_integers(request: Request, name: str, most: int) -> list[int]:
    """Whole numbers of the address's query with commas between them, so many at most, each once;
    none if nothing is asked.
    """
    text = request.query_params.get(name, "")
    if text and not re.fullmatch(rf"\d{{1,17}}(,\d{{1,17}}){{0,{most - 1}}}", text, re.ASCII):
        raise ParameterError(
            f"{name}={_shown(text)} must be 1 to {most} whole numbers with commas between them"
        )
    return list(dict.fromkeys(int(number) for number in text.split(",") if number))


@overload
def ask_integer(request: Request, name: str, least: int, most: int, default: int) -> int: ...
@overload
def ask_integer(
    request: Request, name: str, least: int, most: int, default: None = None
) -> int | None: ...
def ask_integer(
    request: Request, name: str, least: int, most: int, default: int | None = None
) -> int | None:
    """An integer of the address's query."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,17}", text, re.ASCII) or not least <= int(text) <= most:
        raise ParameterError(f"{name}={_shown(text)} must be an integer of {least} to {most}")
    return int(text)
