"""Plan files: the JSON document, the range of each value in it, and its steps."""

from collections.abc import Container
from pathlib import PurePosixPath
from sys import intern
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from audio.read import MAX_RATE, MAX_SAMPLES, MIN_RATE
from files.documents import check_depth, parse_document, shown_text
from files.errors import PlanError
from playback.runs import is_contiguous
from playback.steps import MOST_VOICES, NO_TARGET, NO_UNIT, VOICE_KEYS, Step, lies_outside
from playback.transform import MAX_STRETCH, MAX_TRANSPOSE

FORMAT = "demiurge-plan"
VERSION = 1
VERSION_OF_VOICES = 2  # adds `voice` and `ramp` of steps
REMEDY = "give a plan file that demiurge render or mosaic wrote"
CORRECT_IT = "correct it, or make the plan again with demiurge render or mosaic"
MAX_BYTES = 1 << 28
MAX_CHANNELS = 8
FOLLOWS = -1  # at_sample of a step that begins where the one before it in its voice ends

Position = Annotated[int, Meta(ge=0, le=MAX_SAMPLES)]
Length = Annotated[int, Meta(ge=1, le=MAX_SAMPLES)]
Unit = Annotated[int, Meta(ge=NO_UNIT, le=MAX_SAMPLES)]
Cost = Annotated[float, Meta(ge=-1e300, le=1e300, extra={"rule": "be a finite number"})]
Voice = Annotated[int, Meta(ge=0, le=MOST_VOICES - 1)]
Integer = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Folder = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z", extra={"rule": "be the name of a folder"})]


def _rule(text: str, **limits: Any) -> Meta:
    return Meta(**limits, extra={"rule": text})


class AlternativeDocument(TypedDict):
    """One of the units that would fit at a step nearly as well."""

    unit: Unit
    distance: Cost
    join: NotRequired[Cost]
    source: NotRequired[str]
    start_sample: NotRequired[Position]
    removed: NotRequired[str]


class StepDocument(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A step as `Step`, whose keys may be missing."""

    unit: Unit = NO_UNIT
    source: str
    start_sample: Position
    n_samples: Length
    at_sample: Position = FOLLOWS
    gain_db: Annotated[float, _rule("be -200 to 60", ge=-200, le=60)] = 0.0
    reverse: bool = False
    transpose: Annotated[
        float,
        _rule(
            f"be {-MAX_TRANSPOSE:g} to {MAX_TRANSPOSE:g} semitones",
            ge=-MAX_TRANSPOSE,
            le=MAX_TRANSPOSE,
        ),
    ] = 0.0
    stretch: Annotated[
        float,
        _rule(
            f"be {1 / MAX_STRETCH:g} to {MAX_STRETCH:g}; 2 is twice as slow",
            ge=1 / MAX_STRETCH,
            le=MAX_STRETCH,
        ),
    ] = 1.0
    voice: Voice | UnsetType = UNSET
    ramp: bool | UnsetType = UNSET
    distance: Cost = 0.0
    join: Cost = 0.0
    target: Annotated[int, Meta(ge=NO_TARGET, le=MAX_SAMPLES)] = NO_TARGET
    locked: bool = False
    alternatives: tuple[AlternativeDocument, ...] = ()

    def __post_init__(self) -> None:
        """Keep one copy of each name, which takes much less memory."""
        self.source = intern(self.source)
        for alternative in self.alternatives:
            if "source" in alternative:
                alternative["source"] = intern(alternative["source"])


class SkippedDocument(Struct):
    """An object of which nothing is read."""


class ShortStepDocument(StepDocument, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A step whose alternatives are not read."""

    alternatives: tuple[SkippedDocument, ...] = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.source = intern(self.source)
        self.alternatives = ()


class DatabaseDocument(TypedDict):
    """The database that a plan was made from."""

    id: str
    root: Folder


class StampDocument(TypedDict):
    """What identifies the file of a source."""

    hash: str
    bytes: Integer
    modified_ns: Integer


class TargetsDocument(Struct, forbid_unknown_fields=True):
    """The rows of `targets.Targets`; base64 in the file."""

    n_descriptors: Annotated[int, Meta(ge=1, le=1 << 16)]
    float32: bytes


class PlanDocument(Struct, forbid_unknown_fields=True, kw_only=True):
    """A plan file."""

    format: Literal["demiurge-plan"]
    version: Literal[1, 2]
    sample_rate: Annotated[int, Meta(ge=MIN_RATE, le=MAX_RATE)]
    channels: Annotated[int, Meta(ge=1, le=MAX_CHANNELS)]
    database: DatabaseDocument
    settings: dict[str, Any] = {}
    tail_samples: Position = 0
    sources: dict[str, StampDocument] = {}
    steps: Annotated[list[StepDocument], _rule("be a list of at least one step", min_length=1)]
    targets: TargetsDocument | UnsetType = UNSET

    def __post_init__(self) -> None:
        try:
            check_depth(self.settings)
        except ValueError as error:
            raise ValueError(f"settings: {error}") from None


class ShortPlanDocument(PlanDocument, forbid_unknown_fields=True, kw_only=True):
    """A plan file whose alternatives are not read."""

    steps: Annotated[  # type: ignore[assignment]
        list[ShortStepDocument], _rule("be a list of at least one step", min_length=1)
    ]


def parse_plan(data: bytes, *, where: str, alternatives: bool = True) -> PlanDocument:
    """Decode a plan file; a `PlanError` says what breaks a rule."""
    kind = PlanDocument if alternatives else ShortPlanDocument
    try:
        return parse_document(data, kind, where=where, error=PlanError, remedy=CORRECT_IT)
    except PlanError:
        _check_head(data, where)
        raise


def _check_head(data: bytes, where: str) -> None:
    """Raise a `PlanError` for what is no plan, or one of another version."""
    try:
        head = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        head = {}
    except (msgspec.DecodeError, RecursionError):
        return
    if bytes(head.get("format", b"")) != f'"{FORMAT}"'.encode():
        raise PlanError(f'{where}: "format" must be "{FORMAT}"; {REMEDY}')
    version = bytes(head.get("version", b"null")).decode()
    if version not in (str(VERSION), str(VERSION_OF_VOICES)):
        raise PlanError(
            f'{where}: "version" is {shown_text(version)}, but this Demiurge reads {VERSION} and'
            f" {VERSION_OF_VOICES}; update Demiurge"
        )


def make_steps(document: PlanDocument) -> tuple[Step, ...]:
    """Check the steps of a plan against each other and the rest; the document's list is emptied.

    A step without `at_sample` begins where the one before it in its voice ends.
    """
    n_targets = 0
    if document.targets is not UNSET:
        n_targets = len(document.targets.float32) // (4 * document.targets.n_descriptors)
    names = _Names(document.sources)
    steps: list[Step] = []
    before: Step | None = None
    waiting = document.steps[::-1]
    document.steps.clear()
    while waiting:  # each is freed as its step is made
        read = waiting.pop()
        step = _make_step(read, before)
        problem = (
            _unknown_key(read, document.version)
            or _misplaced(step, before, len(steps))
            or _problem_of(step, n_targets, names)
        )
        if problem:
            raise PlanError(f"step {len(steps)}: {problem}")
        steps.append(step)
        before = step
    return tuple(steps)


def _make_step(document: StepDocument, before: Step | None) -> Step:
    alternatives: Any = document.alternatives
    voice = document.voice or 0
    free = before.until_sample if before and before.voice == voice else 0
    return Step(
        document.unit,
        document.source,
        document.start_sample,
        document.n_samples,
        free if document.at_sample == FOLLOWS else document.at_sample,
        document.gain_db,
        document.reverse,
        document.transpose,
        document.stretch,
        voice,
        document.ramp or False,
        document.distance,
        document.join,
        document.target,
        document.locked,
        alternatives,
    )


def _unknown_key(document: StepDocument, version: int) -> str | None:
    """Return the problem with a key that came with a later version."""
    for key in VOICE_KEYS:
        if version == VERSION and getattr(document, key) is not UNSET:
            return (
                f'{key} is not known in "version": {VERSION}; write "version":'
                f" {VERSION_OF_VOICES}, or leave {key} out"
            )
    return None


def _misplaced(step: Step, before: Step | None, number: int) -> str | None:
    """Return the problem with a step's place behind the one before it."""
    if before and step.voice < before.voice:
        return (
            f"voice={step.voice} comes after voice {before.voice} of step {number - 1}; list all"
            " steps of a voice before those of the next"
        )
    if before and step.voice == before.voice and step.at_sample < before.until_sample:
        return (
            f"at_sample={step.at_sample} lies before step {number - 1} ends, at"
            f" {before.until_sample}; steps of a voice must be in order and not overlap: move it,"
            " or leave at_sample out of it and of those that follow at once"
        )
    if step.ramp and not (before and is_contiguous(before, step)):
        return (
            "ramp=true, but it does not go on from the step before in the same voice, source and"
            " manner; make it false"
        )
    return None


def _problem_of(step: Step, n_targets: int, names: "_Names") -> str | None:
    if step.target >= n_targets and step.target != NO_TARGET:
        rule = "-1: the plan holds no targets"
        if n_targets:
            rule = f"a row of the targets, 0 to {n_targets - 1}, or -1 for none"
        return f"target={step.target} must be {rule}"
    return names.problem_of(step.source)


class _Names:
    """The names of sources, each checked once."""

    def __init__(self, known: Container[str]) -> None:
        """Only `known` ones, whose content the plan identifies, may lie outside the corpus."""
        self._known = known
        self._problems: dict[str, str | None] = {}

    def problem_of(self, source: str) -> str | None:
        if source not in self._problems:
            self._problems[source] = self._check(source)
        return self._problems[source]

    def _check(self, source: str) -> str | None:
        path = PurePosixPath(source)
        if "\0" in source or not path.name:
            return f"source={shown_text(repr(source))} is not a valid file name"
        is_known = lies_outside(source) and source in self._known
        if not is_known and (path.is_absolute() or ".." in path.parts):
            return (
                f"source={shown_text(repr(source))} must be a path within the corpus folder,"
                ' relative to it, or an absolute path that "sources" has the hash of'
            )
        return None
