"""The plan: what is played when. It is the playback engine's only input, and made to be edited by
hand.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import xxhash

from audio.read import MAX_RATE, MIN_RATE
from files.atomic import write_text
from files.errors import PlanError
from playback.steps import (
    Step,
    check_integer,
    check_keys,
    compact,
    compact_without_alternatives,
    parse_step,
)
from playback.targets import Targets

FORMAT = "demiurge-plan"
VERSION = 1
MAKERS = "demiurge render or mosaic"
MAX_CHANNELS = 8


@dataclass(frozen=True)
class Plan:
    """Steps in time order, without overlap; what lies between them is silence.

    `database` holds the "id" of the database and the "root" of its corpus; `settings` holds "crossfade"
    (see `crossfade.CrossfadeOptions`) and whatever else says how the plan was made. `tail_samples` of
    silence come after the last step. `sources` tells for each source which file it was: "hash"
    (XXH3-128), "bytes", "modified_ns"; one that is not named there is taken as it is. `targets` are
    what was looked for, if it is known.
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
        """Length of what the plan plays."""
        return self.steps[-1].until_sample + self.tail_samples

    @property
    def identity(self) -> str:
        """XXH3-128 of what is played, 32 hex digits: plans that differ only in why they chose it
        have the same.
        """
        played = xxhash.xxh3_128(
            f"{self.sample_rate} {self.channels} {self.database['id']} {self.n_samples}".encode()
        )
        for step in self.steps:
            span = step.start_sample, step.n_samples, step.at_sample, step.reverse
            how = float(step.gain_db), float(step.transpose), float(step.stretch)
            played.update(f"\n{span} {how} {step.source}".encode(errors="surrogateescape"))
        return played.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write as JSON, one step per line."""
        head = {
            "format": FORMAT,
            "version": VERSION,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
        }
        head |= {
            "database": self.database,
            "settings": self.settings,
            "tail_samples": self.tail_samples,
        }
        lines = [
            f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)},"
            for key, value in head.items()
        ]
        sources = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.sources.items()
        )
        lines.append(f' "sources": {{\n{sources}\n }},' if sources else ' "sources": {},')
        steps = ",\n".join(
            "  " + json.dumps(step.to_dict(), allow_nan=False) for step in self.steps
        )
        end = (
            [" ],", f' "targets": {json.dumps(self.targets.to_dict())}'] if self.targets else [" ]"]
        )
        write_text(path, "\n".join(["{", *lines, ' "steps": [', steps, *end, "}", ""]))

    @classmethod
    def load(cls, path: str | Path, *, alternatives: bool = True) -> Self:
        """Read and check a plan.

        Without the alternatives, which playback does not need, it takes a fifth of the memory.

        Raises
        ------
        PlanError
            If it is not a plan, of a newer version, or a step breaks a rule; the message names the
            step, counted from 0.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
            document = json.loads(
                text, object_hook=compact if alternatives else compact_without_alternatives
            )
        except OSError as error:
            raise PlanError(
                f"{path}: cannot be read ({error.strerror}); give a plan file that {MAKERS} wrote"
            ) from error
        except UnicodeDecodeError as error:
            raise PlanError(
                f"{path}: not a readable plan, but no text; give a plan file that {MAKERS} wrote"
            ) from error
        except json.JSONDecodeError as error:
            raise PlanError(
                f"{path}: line {error.lineno}, column {error.colno}: {error.msg}; every step but"
                " the last ends in a comma, and every bracket and quote has its partner"
            ) from error
        except (ValueError, RecursionError) as error:
            raise PlanError(
                f"{path}: not a readable plan ({error}); give a plan file that {MAKERS} wrote"
            ) from error
        try:
            return _parse(cls, document)
        except PlanError as error:
            raise PlanError(f"{path}: {error}") from None


def _parse(cls: type[Plan], document: Any) -> Any:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(f'"format" must be "{FORMAT}"; give a plan file that {MAKERS} wrote')
    if document.get("version") != VERSION:
        raise PlanError(
            f'"version" is {document.get("version")}, this Demiurge reads {VERSION}; update'
            " Demiurge"
        )
    required = {"format", "version", "sample_rate", "channels", "database", "steps"}
    check_keys("the plan", document, required, {"settings", "tail_samples", "sources", "targets"})
    check_integer("sample_rate", document["sample_rate"], minimum=MIN_RATE, maximum=MAX_RATE)
    check_integer("channels", document["channels"], minimum=1)
    if document["channels"] > MAX_CHANNELS:
        raise PlanError(f"channels={document['channels']} must be 1 to {MAX_CHANNELS}")
    tail_samples = document.get("tail_samples", 0)
    check_integer("tail_samples", tail_samples, minimum=0)
    database = document["database"]
    settings = document.get("settings", {})
    steps = document["steps"]
    if not isinstance(database, dict) or not all(
        isinstance(database.get(key), str) for key in ("id", "root")
    ):
        raise PlanError('"database" must have "id" and "root", both text')
    if not isinstance(settings, dict) or not _is_finite(settings):
        raise PlanError('"settings" must be an object, and all numbers in it finite')
    if not isinstance(steps, list) or not steps:
        raise PlanError('"steps" must be a list of at least one step')
    targets = Targets.from_dict(document["targets"]) if "targets" in document else None
    n_targets = len(targets.rows) if targets else 0
    parsed: list[Step] = []
    for number, step in enumerate(steps):
        free = parsed[-1].until_sample if parsed else 0
        parsed.append(parse_step(f"step {number}", step, free, n_targets))
        if parsed[-1].at_sample < free:
            raise PlanError(
                f"step {number}: at_sample={parsed[-1].at_sample} lies before step {number - 1}"
                f" ends, at {free}; steps must be in order and not overlap: move it, or leave"
                " at_sample out of it and of those that follow at once"
            )
    sources = _parse_sources(document.get("sources", {}))
    return cls(
        document["sample_rate"],
        document["channels"],
        database,
        tuple(parsed),
        settings,
        tail_samples,
        sources,
        targets,
    )


def _is_finite(value: Any) -> bool:
    """Whether JSON can hold it: no NaN, no infinity, however deep."""
    if isinstance(value, dict | list):
        return all(map(_is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _parse_sources(sources: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(sources, dict):
        raise PlanError('"sources" must be an object')
    for name, stamp in sources.items():
        kinds = {"hash": str, "bytes": int, "modified_ns": int}
        if not isinstance(stamp, dict) or any(
            type(stamp.get(key)) is not kind for key, kind in kinds.items()
        ):
            raise PlanError(
                f'"sources": {name!r} must have "hash" (text), "bytes" and "modified_ns"'
                " (integers); or leave it out"
            )
    return sources
