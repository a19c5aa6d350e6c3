"""Messages between a page and a session, as JSON."""

import json
import math
from typing import Any

from files.errors import ParameterError
from files.ranges import shown

KEYS = {"address", "arguments"}


def parse_message(text: str) -> tuple[str, list[Any]]:
    """Return address and arguments, as in OSC, of `{"address": "/demiurge/go", "arguments": []}`.

    Raises
    ------
    ParameterError
        If the text is anything else.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ParameterError(f"{shown(text)} is not JSON; send an object") from None
    if not isinstance(document, dict) or document.keys() != KEYS:
        raise ParameterError(f"{shown(document)} must be an object with address and arguments")
    address = document["address"]
    arguments = document["arguments"]
    if not isinstance(address, str):
        raise ParameterError(f"address={shown(address)} must be a text")
    if not isinstance(arguments, list):
        raise ParameterError(f"arguments={shown(arguments)} must be a list")
    return address, arguments


def to_json(news: dict[str, Any]) -> str:
    """Return JSON in ASCII, since paths may hold bytes that are not UTF-8."""
    return json.dumps(news, allow_nan=False, separators=(",", ":"))


def finite(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts for JSON, which knows no NaN and no infinity: these are null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in facts.items()
    }
