"""The plan: what is played when.

It is all that playback needs, and is meant to be edited by hand.
"""

import json
import math
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import xxhash

from audio.read import MAX_RATE, MIN_RATE
from files.atomic import write_text
from files.errors import PlanError
from playback.parse_step import (
    check_integer,
    check_keys,
    compact,
    compact_without_alternatives,
    parse_step,
)
from playback.steps import Step
from playback.targets import Targets

FORMAT = "demiurge-plan"
VERSION = 1
REMEDY = "give a plan file that demiurge render or mosaic wrote"
MAX_CHANNELS = 8
REQUIRED_KEYS = {"format", "version", "sample_rate", "channels", "database", "steps"}
OPTIONAL_KEYS = {"settings", "tail_samples", "sources", "targets"}
STAMP_TYPES = {"hash": str, "bytes": int, "modified_ns": int}


@dataclass(frozen=True)
class Plan:
    """Steps in time order, without overlap; what lies between them is silence.

    `database` holds the "id" of the database and the "root" of its corpus; `settings` holds
    "crossfade" (see `options.CrossfadeOptions`) and the other settings that the plan was made with.
    `tail_samples` of silence come after the last step. `sources` identifies the file of each
    source by "hash" (XXH3-128), "bytes" and "modified_ns"; sources that are not listed are not
    checked, and must lie in the corpus folder. `targets` are the descriptors that were searched
    for, if known.
    """

    sample_rate: int
    channels: int
    database: dict[str, str]
    steps: tuple[Step, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    tail_samples: int = 0
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: Targets | None = None

    @property
    def n_samples(self) -> int:
        """Length of the output."""
        return self.steps[-1].until_sample + self.tail_samples

    @property
    def identity(self) -> str:
        """XXH3-128 of what is played, 32 hex digits.

        Plans that differ only in why their units were chosen have the same identity.
        """
        head = f"{self.sample_rate} {self.channels} {self.database['id']} {self.n_samples}"
        digest = xxhash.xxh3_128(head.encode())
        for step in self.steps:
            where = step.start_sample, step.n_samples, step.at_sample, step.reverse
            how = float(step.gain_db), float(step.transpose), float(step.stretch)
            line = f"\n{where} {how} {step.source}"
            digest.update(line.encode(errors="surrogateescape"))
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, one step per line."""
        head = {
            "format": FORMAT,
            "version": VERSION,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "database": self.database,
            "settings": self.settings,
            "tail_samples": self.tail_samples,
        }
        lines = [f" {json.dumps(key)}: {_to_json(value)}," for key, value in head.items()]
        sources = [
            f"  {json.dumps(name)}: {json.dumps(stamp)}" for name, stamp in self.sources.items()
        ]
        lines += [' "sources": {', ",\n".join(sources), " },"] if sources else [' "sources": {},']
        lines += [' "steps": [', ",\n".join("  " + _to_json(step.to_dict()) for step in self.steps)]
        if self.targets:
            lines += [" ],", f' "targets": {json.dumps(self.targets.to_dict())}']
        else:
            lines.append(" ]")
        write_text(path, "\n".join(["{", *lines, "}", ""]))

    @classmethod
    def load(cls, path: str | Path, *, alternatives: bool = True) -> Self:
        """Read and check a plan.

        Without the alternatives, which playback does not need, a plan takes a fifth of the memory.

        Raises
        ------
        PlanError
            If it is not a plan, of a newer version, or a step breaks a rule; the message names the
            step, counted from 0.
        """
        document = _read_json(path, compact if alternatives else compact_without_alternatives)
        try:
            return cls(**_parse(document))
        except PlanError as error:
            raise PlanError(f"{path}: {error}") from None


def _to_json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _read_json(path: str | Path, object_hook) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"), object_hook=object_hook)
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not a readable plan (not UTF-8 text); {REMEDY}") from error
    except json.JSONDecodeError as error:
        raise PlanError(
            f"{path}: line {error.lineno}, column {error.colno}: {error.msg}; every step but"
            " the last ends in a comma, and every bracket and quote has its partner"
        ) from error
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{path}: not a readable plan ({error}); {REMEDY}") from error


def _parse(document: Any) -> dict[str, Any]:
    """Check a document; return the fields of its plan."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(f'"format" must be "{FORMAT}"; {REMEDY}')
    if document.get("version") != VERSION:
        raise PlanError(
            f'"version" is {document.get("version")}, but this Demiurge reads {VERSION}; update'
            " Demiurge"
        )
    check_keys("the plan", document, REQUIRED_KEYS, OPTIONAL_KEYS)
    plan = {key: value for key, value in document.items() if key not in ("format", "version")}
    _check_numbers(plan["sample_rate"], plan["channels"], plan.get("tail_samples", 0))
    _check_database(plan["database"])
    _check_settings(plan.get("settings", {}))
    if "targets" in plan:
        plan["targets"] = Targets.from_dict(plan["targets"])
    sources = plan.get("sources", {})
    _check_sources(sources)
    plan["steps"] = _parse_steps(plan["steps"], plan.get("targets"), sources)
    return plan


def _check_numbers(sample_rate: Any, channels: Any, tail_samples: Any) -> None:
    check_integer("sample_rate", sample_rate, minimum=MIN_RATE, maximum=MAX_RATE)
    check_integer("channels", channels, minimum=1)
    if channels > MAX_CHANNELS:
        raise PlanError(f"channels={channels} must be 1 to {MAX_CHANNELS}")
    check_integer("tail_samples", tail_samples, minimum=0)


def _check_database(database: Any) -> None:
    keys = ("id", "root")
    if not isinstance(database, dict) or not all(isinstance(database.get(k), str) for k in keys):
        raise PlanError('"database" must have "id" and "root", both text')


def _check_settings(settings: Any) -> None:
    if not isinstance(settings, dict) or not _is_finite(settings):
        raise PlanError('"settings" must be an object, and all numbers in it finite')


def _is_finite(value: Any) -> bool:
    """Return whether a JSON value contains neither NaN nor infinity, at any depth."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _parse_steps(
    documents: Any, targets: Targets | None, sources: Container[str]
) -> tuple[Step, ...]:
    if not isinstance(documents, list) or not documents:
        raise PlanError('"steps" must be a list of at least one step')
    n_targets = len(targets.rows) if targets else 0
    steps: list[Step] = []
    free = 0
    for number, document in enumerate(documents):
        step = parse_step(f"step {number}", document, free, n_targets, sources)
        if step.at_sample < free:
            raise PlanError(
                f"step {number}: at_sample={step.at_sample} lies before step {number - 1}"
                f" ends, at {free}; steps must be in order and not overlap: move it, or leave"
                " at_sample out of it and of those that follow at once"
            )
        steps.append(step)
        free = step.until_sample
    return tuple(steps)


def _check_sources(sources: Any) -> None:
    if not isinstance(sources, dict):
        raise PlanError('"sources" must be an object')
    for name, stamp in sources.items():
        if not isinstance(stamp, dict) or not _is_stamp(stamp):
            raise PlanError(
                f'"sources": {name!r} must have "hash" (text), "bytes" and "modified_ns"'
                " (integers); or leave it out"
            )


def _is_stamp(stamp: dict) -> bool:
    return all(type(stamp.get(key)) is kind for key, kind in STAMP_TYPES.items())
