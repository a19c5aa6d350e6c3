"""Analysis settings: what makes two sets of descriptors comparable."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal, Self

from db.descriptors import DESCRIPTORS
from files.errors import DatabaseError, ParameterError

# columns that units longer than a frame have besides their means
STD_SUFFIX = "_std"
DURATION = "log2_duration"


@dataclass(frozen=True)
class DescriptorSettings:
    """How audio is cut into units and described.

    Two sets of descriptors can be compared only if these are equal.

    The defaults are the original Demiurge's, as librosa computes them.
    """

    sample_rate: int = 44100  # Hz
    hop_length: int = 1024  # samples between frames: 23 ms
    n_fft: int = 2048  # samples in a window: twice the hop, every sample is seen twice
    n_mels: int = 128
    n_mfcc: int = 13
    delta_width: int = 9  # frames, odd
    # "span": the window is centred on the span that is played. "start": on the span's first sample,
    # as in librosa's frames and the original's files.
    window_centre: Literal["span", "start"] = "span"

    descriptors: tuple[str, ...] = ("mfcc",)  # of `db.descriptors.DESCRIPTORS`
    units: str = "frame"  # or "fixed:MS", "onset", "beat"
    min_unit_ms: float = 60.0  # onset and beat: shorter than this is a double trigger, not an event
    max_unit_ms: float = 2000.0  # onset and beat: longer ones are cut where they are quietest

    def __post_init__(self) -> None:
        object.__setattr__(self, "descriptors", tuple(self.descriptors))  # JSON has lists
        for name in ("sample_rate", "hop_length", "n_fft", "n_mels", "n_mfcc", "delta_width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise ParameterError(f"{name}={value!r} must be a positive integer")
        if self.n_mfcc > self.n_mels:
            raise ParameterError(f"n_mfcc={self.n_mfcc} must not exceed n_mels={self.n_mels}")
        if self.n_fft < 2:
            raise ParameterError(f"n_fft={self.n_fft} must be at least 2")
        if self.delta_width < 3 or self.delta_width % 2 == 0:
            raise ParameterError(
                f"delta_width={self.delta_width} must be an odd integer of at least 3"
            )
        if self.window_centre not in ("span", "start"):
            raise ParameterError(f"window_centre={self.window_centre!r} must be 'span' or 'start'")
        unknown = [name for name in self.descriptors if name not in DESCRIPTORS]
        if unknown or not self.descriptors:
            asked = repr(unknown[0]) if unknown else "none"
            raise ParameterError(
                f"descriptors: {asked} is not known; choose among {', '.join(DESCRIPTORS)}"
            )
        if len(set(self.descriptors)) < len(self.descriptors):
            raise ParameterError(
                f"descriptors={','.join(self.descriptors)} names one twice; name each once"
            )
        self._check_units()

    def _check_units(self) -> None:
        if self.units not in ("frame", "onset", "beat") and self.fixed_samples < 1:
            raise ParameterError(
                f"units={self.units!r} must be frame, fixed:MS, onset or beat, with MS milliseconds"
                " of at least one sample"
            )
        if not 0 < self.min_unit_ms * 2 <= self.max_unit_ms < float("inf"):
            raise ParameterError(
                f"min_unit_ms={self.min_unit_ms:g} and max_unit_ms={self.max_unit_ms:g}: the"
                " longest unit must last at least twice the shortest, which must last more than 0"
            )

    @property
    def fixed_samples(self) -> int:
        """Samples in a unit of "fixed:MS", 0 for anything else."""
        kind, _, milliseconds = self.units.partition(":")
        try:
            return round(float(milliseconds) * self.sample_rate / 1000) if kind == "fixed" else 0
        except (ValueError, OverflowError):
            return 0

    @cached_property
    def frame_names(self) -> tuple[str, ...]:
        """Column names of a frame: those of each descriptor in turn; MFCC in the original
        Demiurge's order.
        """
        return tuple(
            column for name in self.descriptors for column in DESCRIPTORS[name].columns(self)
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names of a unit.

        A frame is its own; longer ones have means, standard deviations, and log2 of seconds.
        """
        if self.units == "frame":
            return self.frame_names
        return (
            *self.frame_names,
            *(f"{self.frame_names[i]}{STD_SUFFIX}" for i in self.frame_static),
            DURATION,
        )

    @property
    def n_descriptors(self) -> int:
        return len(self.names)

    @cached_property
    def frame_static(self) -> tuple[int, ...]:
        """Positions in `frame_names` of the columns that do not follow from others, as Δ and ΔΔ do."""
        static: list[int] = []
        first = 0
        for name in self.descriptors:
            descriptor = DESCRIPTORS[name]
            width = len(DESCRIPTORS[name].columns(self))
            static += range(
                first, first + (descriptor.n_static(self) if descriptor.n_static else width)
            )
            first += width
        return tuple(static)

    @property
    def hash(self) -> str:
        """16 hex digits that identify these settings."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`.

        The choice of descriptors and units may be missing: the file is from before there was one.

        Raises
        ------
        DatabaseError
            If another key is missing, or one is unknown: the file was written by another version.
        """
        known = {field.name for field in fields(cls)}
        wrong = (set(values) - known) | (
            known - set(values) - {"descriptors", "units", "min_unit_ms", "max_unit_ms"}
        )
        if wrong:
            raise DatabaseError(
                f"descriptor settings differ from this version's in: {', '.join(sorted(wrong))}; "
                "use the version that wrote them"
            )
        return cls(**values)

    def check_matches(self, other: "DescriptorSettings", *, mine: str, theirs: str) -> None:
        """Raise a `DatabaseError` that names both values of every setting that differs.

        `mine` and `theirs` say whose settings these are, e.g. "the database music.db".
        """
        a = self.to_dict()
        b = other.to_dict()
        differing = [
            f"{name} is {a[name]} in {mine} and {b[name]} in {theirs}"
            for name in a
            if a[name] != b[name]
        ]
        if differing:
            raise DatabaseError(
                f"descriptor settings do not match: {'; '.join(differing)}; rebuild one of them"
                " with the other's settings"
            )
