"""Filter units by source, tag, place, length, loudness or any descriptor.

Conditions are parsed, never evaluated as code.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from files.errors import ParameterError
from files.ranges import shown
from files.roots import SEPARATOR
from query.likeness import LIKE, Likeness

RELATIONS: dict[str, Callable] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
CONDITION = re.compile(
    r"\s*(?:([\w.-]+):)?([\w-]+)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)

Range = tuple[float, float]
EVERYTHING: Range = (-np.inf, np.inf)
LOUDNESS = "loudness"
UNIT_COLUMNS = ("start_s", "length_ms")  # conditions may name these beside the descriptors
RANGES = ("seconds", "milliseconds", LOUDNESS)  # of `Filters`


@dataclass(frozen=True)
class Condition:
    """Compares a descriptor, or one of `UNIT_COLUMNS`, with a number in the same unit.

    If it names one of several databases, it holds for the units of that one only.
    """

    column: str
    relation: str
    value: float
    database: str = ""

    def __str__(self) -> str:
        condition = f"{self.column}{self.relation}{self.value!r}".removesuffix(".0")
        return f"{self.database}{SEPARATOR}{condition}" if self.database else condition


@dataclass(frozen=True)
class Filters:
    """Conditions on units, all of which a unit must meet.

    Attributes
    ----------
    sources : tuple of str
        Paths or patterns, see `db.source_names`. The source must match one of them, and none of
        those that begin with !; if there are none without !, every other source does.
    tags : tuple of str
        The source must have one of these tags; if empty, it need not have any.
    seconds : (least, most)
        Start of the unit in its source.
    milliseconds : (least, most)
        Length of the unit.
    loudness : (least, most)
        LUFS.
    where : tuple of Condition
    like : Likeness, optional
        Only units that sound like this: those that conditions on `like` leave, or the most alike.
    """

    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    seconds: Range = EVERYTHING
    milliseconds: Range = EVERYTHING
    loudness: Range = EVERYTHING
    where: tuple[Condition, ...] = ()
    like: Likeness | None = None

    @property
    def like_has_condition(self) -> bool:
        """True if a condition says how much units must sound like it."""
        return any(one.column == LIKE for one in self.where)

    def to_dict(self) -> dict[str, Any]:
        """Return the filters that are set, for JSON; open sides are null."""
        facts: dict[str, Any] = {
            "sources": list(self.sources),
            "tags": list(self.tags),
            "where": [str(condition) for condition in self.where],
        }
        for name in RANGES:
            facts[name] = [side if np.isfinite(side) else None for side in getattr(self, name)]
        if self.like is not None:
            facts[LIKE] = self.like.to_dict()
        return {name: value for name, value in facts.items() if value not in ([], [None, None])}

    @classmethod
    def from_dict(cls, facts: Any) -> Self:
        """Return the filters that `to_dict` turned into `facts`.

        Raises
        ------
        ParameterError
            If `facts` is anything else.
        """
        names = [one.name for one in fields(cls)]
        if not isinstance(facts, dict) or not facts.keys() <= set(names):
            raise ParameterError(
                f"filters={shown(facts)} must be an object with some of {', '.join(names)}"
            )
        sources, tags, where = (
            _take_texts(name, facts.get(name, [])) for name in ("sources", "tags", "where")
        )
        ranges = {name: _take_range(name, facts.get(name, [None, None])) for name in RANGES}
        like = Likeness.from_dict(facts[LIKE]) if LIKE in facts else None
        return cls(sources, tags, where=tuple(map(parse_condition, where)), like=like, **ranges)


def parse_condition(text: str) -> Condition:
    """Parse a condition such as `centroid>1000`.

    Raises
    ------
    ParameterError
        If the text is not a condition, or its number is too large.
    """
    match = CONDITION.fullmatch(text)
    if not match:
        raise ParameterError(
            f"{text!r} is not a condition; write a descriptor, {' or '.join(UNIT_COLUMNS)}, then"
            f" one of {' '.join(RELATIONS)}, and a number"
        )
    database, column, relation, number = match.groups()
    value = float(number)
    if not np.isfinite(value):
        raise ParameterError(f"{text!r}: the number is too large; write a smaller one")
    return Condition(column, relation, value, database or "")


def _take_texts(name: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ParameterError(f"{name}={shown(values)} must be a list of texts")
    return tuple(values)


def _take_range(name: str, sides: Any) -> Range:
    """Check a range [least, most] from JSON, in which null means open."""
    numbers = isinstance(sides, list) and all(
        side is None or type(side) in (int, float) for side in sides
    )
    if not numbers or len(sides) != len(EVERYTHING):
        raise ParameterError(
            f"{name}={shown(sides)} must be [least, most], two numbers, or null where it is open"
        )
    least, most = (
        end if side is None else float(side) for side, end in zip(sides, EVERYTHING, strict=True)
    )
    if not least <= most:
        raise ParameterError(
            f"{name}={shown(sides)} is an empty range; write the smaller number first"
        )
    return least, most
