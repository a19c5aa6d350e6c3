"""The plan: what is played when.

It is all that playback needs, and is meant to be edited by hand.
"""

import json
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

import xxhash
from msgspec import UNSET

from files.atomic import write_text
from files.errors import ParameterError, PlanError
from files.regular import read_regular
from files.roots import Roots
from playback.plan_database import read_database, roots_of
from playback.plan_document import (
    FORMAT,
    MAX_BYTES,
    REMEDY,
    VERSION,
    VERSION_OF_DATABASES,
    VERSION_OF_VOICES,
    PlanDocument,
    parse_plan,
)
from playback.plan_steps import make_steps, read_spectra
from playback.spectra import Spectra
from playback.steps import Step
from playback.targets import Targets


class PlanTooLongError(PlanError):
    """A plan is too long to be read again."""


@dataclass(frozen=True)
class Plan:
    """Steps in the order of their voices, and within a voice in time order, without overlap.

    Voices sound at once; what lies between the steps of a voice is silence.

    `database` holds the "id" of the database and the "root" of its corpus; of several databases,
    whose sources are called `NAME:path`, it holds the "id" of all, and "databases": the "id" and
    the "root" of each by name. `settings` holds "crossfade" (see `options.CrossfadeOptions`) and
    the other settings that the plan was made with.
    `tail_samples` of silence come after the last sound. `sources` identifies the file of each
    source by "hash" (XXH3-128), "bytes" and "modified_ns"; sources that are not listed are not
    checked, and must lie in the corpus folder. `targets` are the descriptors that were searched
    for, and `spectra` those that voices were fitted to, a row for each target, if known.
    """

    sample_rate: int
    channels: int
    database: dict[str, Any]
    steps: tuple[Step, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    tail_samples: int = 0
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: Targets | None = None
    spectra: Spectra | None = None

    @property
    def roots(self) -> Roots:
        """The corpus folders that its sources lie in."""
        return roots_of(self.database)

    @property
    def n_samples(self) -> int:
        """Length of the output."""
        last = (self.steps[voice.stop - 1] for voice in self.voices if voice)
        return max(step.until_sample for step in last) + self.tail_samples

    @property
    def rest_samples(self) -> int:
        """Number of samples in which no voice plays."""
        free = 0
        played = 0
        for step in sorted(self.steps, key=attrgetter("at_sample")):
            played += max(step.until_sample - max(step.at_sample, free), 0)
            free = max(step.until_sample, free)
        return self.n_samples - played

    @property
    def n_voices(self) -> int:
        """The highest voice plus one; lower ones may be empty."""
        return self.steps[-1].voice + 1

    @property
    def voices(self) -> tuple[range, ...]:
        """The numbers of each voice's steps."""
        bounds = [
            bisect_left(self.steps, voice, key=attrgetter("voice"))
            for voice in range(self.n_voices + 1)
        ]
        return tuple(range(first, stop) for first, stop in pairwise(bounds))

    @property
    def has_voices(self) -> bool:
        """True if it has several voices, gains that glide, or spectra."""
        return bool(self.spectra) or any(step.is_of_voices for step in self.steps)

    @property
    def version(self) -> int:
        """The oldest version of the format that can hold it."""
        if "databases" in self.database:
            return VERSION_OF_DATABASES
        return VERSION_OF_VOICES if self.has_voices else VERSION

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
            if step.is_of_voices:
                line += f"\0{step.voice} {step.ramp}"
            digest.update(line.encode(errors="surrogateescape"))
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, one step per line.

        Raises
        ------
        PlanError
            If it holds what `load` would refuse, or is too long for it.
        ParameterError
            If the file cannot be written.
        """
        voices = self.has_voices
        head = {
            "format": FORMAT,
            "version": self.version,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "database": self.database,
            "settings": self.settings,
            "tail_samples": self.tail_samples,
        }
        lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        sources = [
            f"  {json.dumps(name)}: {json.dumps(stamp)}" for name, stamp in self.sources.items()
        ]
        lines += [' "sources": {', ",\n".join(sources), " },"] if sources else [' "sources": {},']
        lines += [
            ' "steps": [',
            ",\n".join("  " + json.dumps(step.to_dict(voices=voices)) for step in self.steps),
        ]
        kept = {"targets": self.targets, "spectra": self.spectra}
        known = [
            f' "{name}": {json.dumps(value.to_dict())}' for name, value in kept.items() if value
        ]
        lines.append(",\n".join([" ]", *known]))
        text = "\n".join(["{", *lines, "}", ""])
        data = text.encode()
        if len(data) > MAX_BYTES:
            raise PlanTooLongError(
                f"{path}: the plan cannot be saved: it has {len(data)} bytes, the limit is"
                f" {MAX_BYTES}; make a shorter one, or one without targets"
            )
        self._parse(data, where=f"{path}: the plan cannot be saved")
        write_text(path, text)

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
        data = read_regular(path, error=PlanError, remedy=REMEDY, max_bytes=MAX_BYTES)
        return cls._parse(data, where=str(path), alternatives=alternatives)

    @classmethod
    def _parse(cls, data: bytes, *, where: str, alternatives: bool = True) -> Self:
        document = parse_plan(data, where=where, alternatives=alternatives)
        try:
            return cls._of(document)
        except (PlanError, ParameterError) as error:  # a root is a wrong URL
            raise PlanError(f"{where}: {error}") from None

    @classmethod
    def _of(cls, document: PlanDocument) -> Self:
        targets = None
        if document.targets is not UNSET:
            targets = Targets(document.targets.n_descriptors, document.targets.float32)
        database = read_database(document)
        return cls(
            document.sample_rate,
            document.channels,
            database,
            make_steps(document, roots_of(database)),
            document.settings,
            document.tail_samples,
            {name: {**stamp} for name, stamp in document.sources.items()},
            targets,
            read_spectra(document, targets),
        )
