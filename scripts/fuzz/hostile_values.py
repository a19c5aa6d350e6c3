"""Values that programs trip over, and random choices among them."""

from random import Random
from typing import Any


class Raw(str):
    """Text that is written into JSON as it is."""


INTEGERS = (
    *(0, 1, -1, 2, 3, 7, 127, 128, 255, 256, 32767, 65535, 65536, 100_000, 10**6, 10**8),
    *(2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, -(2**63)),
    *(2**64 - 1, 2**64, 11805916207174, 10**30),
)
FLOATS = (0.5, -0.0, 1.5, -3.25, 1e-300, 1e300, 1.7976931348623157e308, -1e308)
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
TEXTS = (
    *("", " ", ".", "..", "/", "../../../etc/passwd", "/dev/zero", "/etc/shadow", "a/../../b"),
    *("nan", "inf", "-1", "0", "1e999", "true", "null", "x" * 5000, "a\nb", "\x1b[31mred"),
    *("[/red]", "\0", "\ufeff", "\u202e", "ö" * 300, "%s%n", "'; DROP TABLE sources; --"),
)
JSON_ONLY = (
    *(Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("1e999"), Raw('"\\ud800"')),
    *(Raw("9" * 5000), Raw("-" + "9" * 400), Raw("[" * 200 + "]" * 200), Raw("01"), Raw("{")),
    *(Raw("[" * 100_000 + "]" * 100_000), Raw('{"a":' * 3000 + "1" + "}" * 3000), Raw("'x'")),
)
CONTAINERS: tuple[Any, ...] = ([], {}, [None], [[]], {"a": 1}, [0] * 1000, [[0.5] * 3] * 3)


def integer(rng: Random) -> int:
    return rng.choice(INTEGERS)


def plain(rng: Random) -> Any:
    """Return None, a boolean, a number or a text."""
    choices = ((None, True, False), INTEGERS, FLOATS, NOT_FINITE, TEXTS)
    return rng.choice(rng.choice(choices))


def for_json(rng: Random) -> Any:
    """Return anything that can stand in JSON, or almost can."""
    chance = rng.random()
    if chance < 0.6:
        return plain(rng)
    return rng.choice(JSON_ONLY if chance < 0.85 else CONTAINERS)


def like(value: Any, rng: Random) -> Any:
    """Return a value of the same type as a plain one, not far from it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, -value, value * 2, value * 1000, value // 2))
    if isinstance(value, float):
        return rng.choice((-value, value * 1e6, value * 1e-6, float(round(value)), value + 1))
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return rng.choice((value[:at], value[:at] + "é" + value[at:], value * 2, value.upper()))
    return plain(rng)
