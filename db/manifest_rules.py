"""The type and range of every value in a manifest, as conditions of SQL."""

from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_ID = 1 << 62
MOST_SHARDS = 1_000_000
MOST_ROWS = 1 << 30  # in a shard
MOST_SAMPLES = 1 << 42
LONGEST_PATH = 4096  # letters
LONGEST_TEXT = 1 << 16  # letters
SHOWN = 100  # damaged rows that are listed of each kind


@dataclass(frozen=True)
class Rule:
    """What one column must hold.

    Attributes
    ----------
    condition : str
        SQL; {0} stands for the column. It is true if the column holds what it must.
    words : str
        The rule as the end of a message.
    """

    condition: str
    words: str


def _integer(least: int, most: int) -> Rule:
    condition = f"{{0}} BETWEEN {least} AND {most} AND {{0}} | 0 = {{0}}"  # 5.5 | 0 is 5
    return Rule(condition, f"must be an integer from {least} to {most}")


def _text(longest: int, *, least: int = 0, optional: bool = False) -> Rule:
    # SQLite sorts all numbers before all texts, and all texts before all blobs
    kind = "{0} > ''" if least else "{0} >= ''"
    condition = f"{kind} AND {{0}} < x'' AND length({{0}}) <= {longest}"
    words = f"must be text of {least} to {longest} letters"
    if optional:
        return Rule(f"({{0}} IS NULL OR ({condition}))", f"{words}, or nothing")
    return Rule(condition, words)


def _blob(longest: int) -> Rule:
    condition = f"typeof({{0}}) = 'blob' AND length({{0}}) <= {longest}"
    return Rule(condition, f"must be a blob of at most {longest} bytes")


_SPAN = {
    "source_id": _integer(0, MOST_ID),
    "shard": _integer(0, MOST_SHARDS),
    "first_row": _integer(0, MOST_ROWS),
    "n_rows": _integer(1, MOST_ROWS),
    "crc32": _integer(0, (1 << 32) - 1),
}
_SHARD = {"shard": _integer(0, MOST_SHARDS), "n_rows": _integer(0, MOST_ROWS)}

# table -> column -> rule
RULES: dict[str, dict[str, Rule]] = {
    "config": {"key": _text(100, least=1), "value": _text(LONGEST_TEXT)},
    "sources": {
        "id": _integer(0, MOST_ID),
        "path": _text(LONGEST_PATH, least=1),
        "content_hash": _text(128),
        "n_bytes": _integer(-1, MOST_ID),  # -1: the file must be looked at again
        "mtime_ns": Rule("{0} | 0 = {0}", "must be an integer"),
        "sample_rate": _integer(0, 768_000),
        "channels": _integer(0, 65_535),
        "state": Rule("{0} IN ('ok', 'failed')", "must be 'ok' or 'failed'"),
        "n_samples": Rule(
            f"{{0}} BETWEEN (state = 'ok') AND {MOST_SAMPLES} AND {{0}} | 0 = {{0}}",
            f"must be an integer from 1 to {MOST_SAMPLES}",
        ),
        "error": _text(LONGEST_TEXT, optional=True),
        "reader": _integer(0, MOST_ID),
        "warning": _text(LONGEST_TEXT, optional=True),
    },
    "spans": _SPAN,
    "unit_spans": {
        **_SPAN,
        "lengths": Rule(
            "typeof({0}) = 'blob' AND length({0}) = 4 * n_rows", "must be 4 bytes for each row"
        ),
    },
    "shards": _SHARD,
    "unit_shards": _SHARD,
    "normaliser": {"id": _integer(0, 0), "mean": _blob(1 << 20), "std": _blob(1 << 20)},
    "tags": {"path": _text(LONGEST_PATH, least=1), "tag": _text(1000, least=1)},
}

# columns that name a row, and what messages call it
KEYS = {
    "config": (("rowid",), "row"),
    "sources": (("id",), "source"),
    "spans": (("source_id",), "source"),
    "unit_spans": (("source_id",), "source"),
    "shards": (("shard",), "shard"),
    "unit_shards": (("shard",), "shard"),
    "normaliser": (("id",), "row"),
    "tags": (("path", "tag"), "tag"),
}

# columns that may hold any letters
TEXTS = (
    ("config", "key"),
    ("config", "value"),
    ("sources", "path"),
    ("sources", "content_hash"),
    ("sources", "error"),
    ("sources", "warning"),
    ("tags", "path"),
    ("tags", "tag"),
)


class Damage(NamedTuple):
    """One fault of a manifest.

    Attributes
    ----------
    table : str
        Empty if the whole manifest is meant.
    key : tuple
        The values of the columns `KEYS` of the row; empty if the whole table is meant.
    problem : str
    is_fatal : bool
        True if nothing can repair it.
    """

    table: str
    key: tuple[Any, ...]
    problem: str
    is_fatal: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}" if self.table else self.problem

    @property
    def place(self) -> str:
        if not self.key:
            return f"table {self.table}" if self.table else "manifest.sqlite"
        shown = ", ".join(str(value)[:60] for value in self.key)
        return f"table {self.table}, {KEYS[self.table][1]} {shown}"
