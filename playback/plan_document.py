"""Plan files: the JSON document, and the range of each value in it."""

from sys import intern
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from audio.read import MAX_RATE, MAX_SAMPLES, MIN_RATE
from files.documents import check_depth, parse_document, shown_text
from files.errors import PlanError
from playback.spectra import LEAST_EXPONENT, MOST_BANDS, MOST_EXPONENT
from playback.steps import MOST_VOICES, NO_TARGET, NO_UNIT
from playback.transform import MAX_STRETCH, MAX_TRANSPOSE

FORMAT = "demiurge-plan"
VERSION = 1
VERSION_OF_VOICES = 2  # adds `voice` and `ramp` of steps, and `spectra`
VERSION_OF_DATABASES = 3  # adds `databases`: the sources of several
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


Semitones = Annotated[
    float,
    _rule(
        f"be {-MAX_TRANSPOSE:g} to {MAX_TRANSPOSE:g} semitones", ge=-MAX_TRANSPOSE, le=MAX_TRANSPOSE
    ),
]


class AlternativeDocument(TypedDict):
    """One of the units that would fit at a step nearly as well."""

    unit: Unit
    distance: Cost
    join: NotRequired[Cost]
    source: NotRequired[str]
    start_sample: NotRequired[Position]
    transpose: NotRequired[Semitones]
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
    transpose: Semitones = 0.0
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


class MemberDocument(TypedDict):
    """One of several databases that a plan was made from."""

    id: str
    root: Folder


class DatabaseDocument(TypedDict):
    """The database that a plan was made from, or the several as one; see `plan_database`."""

    id: str
    root: NotRequired[Folder]
    databases: NotRequired[
        Annotated[dict[str, MemberDocument], _rule("name at least one database", min_length=1)]
    ]


class StampDocument(TypedDict):
    """What identifies the file of a source."""

    hash: str
    bytes: Integer
    modified_ns: Integer


class TargetsDocument(Struct, forbid_unknown_fields=True):
    """The rows of `targets.Targets`; base64 in the file."""

    n_descriptors: Annotated[int, Meta(ge=1, le=1 << 16)]
    float32: bytes


class SpectraDocument(Struct, forbid_unknown_fields=True):
    """The rows of `spectra.Spectra`; base64 in the file."""

    n_bands: Annotated[int, Meta(ge=1, le=MOST_BANDS)]
    exponent: Annotated[int, Meta(ge=LEAST_EXPONENT, le=MOST_EXPONENT)]
    float16: bytes
    n_samples: bytes


class PlanDocument(Struct, forbid_unknown_fields=True, kw_only=True):
    """A plan file."""

    format: Literal["demiurge-plan"]
    version: Literal[1, 2, 3]
    sample_rate: Annotated[int, Meta(ge=MIN_RATE, le=MAX_RATE)]
    channels: Annotated[int, Meta(ge=1, le=MAX_CHANNELS)]
    database: DatabaseDocument
    settings: dict[str, Any] = {}
    tail_samples: Position = 0
    sources: dict[str, StampDocument] = {}
    steps: Annotated[list[StepDocument], _rule("be a list of at least one step", min_length=1)]
    targets: TargetsDocument | UnsetType = UNSET
    spectra: SpectraDocument | UnsetType = UNSET

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
    if version not in map(str, range(VERSION, VERSION_OF_DATABASES + 1)):
        raise PlanError(
            f'{where}: "version" is {shown_text(version)}, but this Demiurge reads {VERSION} to'
            f" {VERSION_OF_DATABASES}; update Demiurge"
        )
