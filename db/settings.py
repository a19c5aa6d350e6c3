"""Descriptor settings: descriptors can be compared only if their settings are equal."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal, Self

from db.columns import DESCRIPTOR_NAMES, Columns, columns_of
from db.model_descriptor import ModelDescriptor
from db.names import MODEL_KINDS
from files.errors import DatabaseError, ParameterError
from files.ranges import shown

# columns that units longer than a frame have beside their means
STD_SUFFIX = "_std"
DURATION = "log2_duration"
# columns that units beat/N have beside these (`db.beat_grid.BeatGrid.columns`)
METRICAL = ("beat_cos", "beat_sin", "tempo", "pulse")

BEAT_PARTS = re.compile(r"beat/([1-9]\d?)")
MOST_PARTS = 24  # of a beat: thirty-second notes in triplets

# least and most of each number; far beyond what describes sound, but soon computed
LIMITS = {
    "sample_rate": (1000, 768_000),
    "hop_length": (1, 1 << 17),
    "n_fft": (2, 1 << 17),
    "n_mels": (1, 1024),
    "n_mfcc": (1, 1024),
    "delta_width": (3, 999),
}
MOST_FRAMES = 4000  # per second
MOST_OVERLAP = 512  # windows that hold the same sample
LONGEST_UNIT_MS = 3_600_000.0

# settings that files of the first versions lack, when there was no choice yet
# and those that are left out where they are empty
OPTIONAL = frozenset({"descriptors", "units", "min_unit_ms", "max_unit_ms", "models"})


@dataclass(frozen=True)
class DescriptorSettings:
    """The settings for cutting audio into units and describing them.

    Two sets of descriptors can be compared only if these are equal. The defaults are the original
    Demiurge's, as librosa computes them.
    """

    sample_rate: int = 44100  # Hz
    hop_length: int = 1024  # samples between frames: 23 ms
    n_fft: int = 2048  # samples in a window; twice the hop, so that every sample is in two windows
    n_mels: int = 128
    n_mfcc: int = 13
    delta_width: int = 9  # frames, odd
    # "span": a window is centred on the samples that the frame plays. "start": on the first of
    # them, as in librosa's frames and in the original's files.
    window_centre: Literal["span", "start"] = "span"

    descriptors: tuple[str, ...] = ("mfcc",)  # of `db.columns.DESCRIPTOR_NAMES`, or a model's kind
    units: str = "frame"  # or "fixed:MS", "onset", "beat", "beat/N"
    min_unit_ms: float = 60.0  # onset and beat: shorter than this is a double trigger, not an event
    max_unit_ms: float = 2000.0  # onset and beat: longer ones are cut where they are quietest
    models: tuple[ModelDescriptor, ...] = ()  # one for each of the descriptors that a model gives

    def __post_init__(self) -> None:
        if isinstance(self.descriptors, list):  # as JSON has it
            object.__setattr__(self, "descriptors", tuple(self.descriptors))
        if isinstance(self.models, list | tuple):
            object.__setattr__(self, "models", tuple(map(ModelDescriptor.of, self.models)))
        self._check_analysis()
        self._check_descriptors()
        self._check_units()

    def _check_analysis(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ParameterError(
                    f"{name}={shown(value)} must be an integer from {least} to {most}"
                )
        if self.n_mfcc > self.n_mels:
            raise ParameterError(f"n_mfcc={self.n_mfcc} must not exceed n_mels={self.n_mels}")
        if self.delta_width % 2 == 0:
            raise ParameterError(f"delta_width={self.delta_width} must be odd")
        if self.window_centre not in ("span", "start"):
            raise ParameterError(
                f"window_centre={shown(self.window_centre)} must be 'span' or 'start'"
            )
        least = max(1, -(-self.sample_rate // MOST_FRAMES), -(-self.n_fft // MOST_OVERLAP))
        if self.hop_length < least:
            raise ParameterError(
                f"hop_length={self.hop_length} must be at least {least} at"
                f" sample_rate={self.sample_rate} and n_fft={self.n_fft}"
            )

    def _check_descriptors(self) -> None:
        choices = ", ".join((*DESCRIPTOR_NAMES, *(f"{kind}:PATH" for kind in MODEL_KINDS)))
        if not isinstance(self.descriptors, tuple):
            raise ParameterError(
                f"descriptors={shown(self.descriptors)} must be a list of {choices}"
            )
        if not self.descriptors:
            raise ParameterError(f"descriptors: none is given; choose among {choices}")
        for name in self.descriptors:
            if name not in DESCRIPTOR_NAMES and name not in MODEL_KINDS:
                raise ParameterError(
                    f"descriptors: {shown(name)} is not known; choose among {choices}"
                )
        if len(set(self.descriptors)) < len(self.descriptors):
            raise ParameterError(
                f"descriptors={','.join(self.descriptors)} names one twice; name each once"
            )
        self._check_models()

    def _check_models(self) -> None:
        if not isinstance(self.models, tuple):
            raise ParameterError(f"models={shown(self.models)} must be a list")
        kinds = sorted(model.kind for model in self.models)
        wanted = sorted({name for name in self.descriptors if name in MODEL_KINDS})
        if missing := [kind for kind in wanted if kind not in kinds]:
            raise ParameterError(
                f"descriptors: {missing[0]} needs its model; name it as {missing[0]}:PATH"
            )
        if kinds != wanted:
            raise ParameterError(
                f"models of {', '.join(kinds)} must be one for each of the descriptors"
                f" {', '.join(wanted) or 'that need one, of which there are none'}"
            )

    def _check_units(self) -> None:
        is_known = isinstance(self.units, str) and (
            self.units == "frame" or self.units_vary or self.fixed_samples > 0
        )
        if not is_known:
            raise ParameterError(
                f"units={shown(self.units)} must be frame, fixed:MS, onset, beat or beat/N, with MS"
                f" milliseconds of at least one sample and at most {LONGEST_UNIT_MS:.0f}, and N"
                f" from 1 to {MOST_PARTS}"
            )
        for name in ("min_unit_ms", "max_unit_ms"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value <= LONGEST_UNIT_MS:
                raise ParameterError(
                    f"{name}={shown(value)} must be above 0 and at most {LONGEST_UNIT_MS:.0f}"
                )
        if self.min_unit_ms * 2 > self.max_unit_ms:
            raise ParameterError(
                f"min_unit_ms={self.min_unit_ms:g} and max_unit_ms={self.max_unit_ms:g}: the"
                " longest unit must last at least twice the shortest"
            )

    @property
    def fixed_samples(self) -> int:
        """Samples in a unit of "fixed:MS"; 0 for other kinds."""
        kind, _, milliseconds = self.units.partition(":")
        try:
            length_ms = float(milliseconds) if kind == "fixed" else 0.0
        except ValueError:
            return 0
        return round(length_ms * self.sample_rate / 1000) if length_ms <= LONGEST_UNIT_MS else 0

    @property
    def units_vary(self) -> bool:
        """True if units vary in length: onsets, beats and parts of beats."""
        return self.units == "onset" or self.beat_parts > 0

    @cached_property
    def beat_parts(self) -> int:
        """The number of units in a beat: N of "beat/N", 1 of "beat"; 0 for other kinds."""
        if self.units == "beat":
            return 1
        match = BEAT_PARTS.fullmatch(self.units)
        return int(match[1]) if match and int(match[1]) <= MOST_PARTS else 0

    @property
    def is_metrical(self) -> bool:
        """True if units have the columns `METRICAL`: those of "beat/N"."""
        return self.beat_parts > 0 and self.units != "beat"

    @cached_property
    def columns(self) -> dict[str, Columns]:
        """The columns of each descriptor."""
        of_models = {model.kind: model.columns for model in self.models}
        return {
            name: of_models.get(name) or columns_of(name, n_mfcc=self.n_mfcc)
            for name in self.descriptors
        }

    @cached_property
    def frame_names(self) -> tuple[str, ...]:
        """Column names of a frame, descriptor by descriptor."""
        return tuple(name for columns in self.columns.values() for name in columns.names)

    @cached_property
    def frame_static(self) -> tuple[int, ...]:
        """Positions in `frame_names` of the independent columns, which leave out Δ and ΔΔ."""
        static = {name for columns in self.columns.values() for name in columns.static_names}
        return tuple(i for i, name in enumerate(self.frame_names) if name in static)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names of a unit.

        A unit that is a frame has the frame's columns; longer ones have means, standard deviations,
        and log2 of their duration in seconds. Parts of beats have the columns `METRICAL` as well.
        """
        if self.units == "frame":
            return self.frame_names
        deviations = [f"{self.frame_names[i]}{STD_SUFFIX}" for i in self.frame_static]
        metrical = METRICAL if self.is_metrical else ()
        return (*self.frame_names, *deviations, DURATION, *metrical)

    @property
    def n_descriptors(self) -> int:
        return len(self.names)

    @property
    def hash(self) -> str:
        """16 hex digits that identify these settings, wherever their models lie."""
        return hashlib.sha256(json.dumps(self._compared, sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return all of them; `models` only if there are any, so that older versions read them."""
        values = asdict(self)
        if not self.models:
            del values["models"]
        return values

    @property
    def _compared(self) -> dict[str, Any]:
        """What must be equal for rows to be comparable; every kind of model by itself."""
        values = self.to_dict()
        values.pop("models", None)
        return values | {f"{model.kind} hash": model.identity for model in self.models}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild settings from `to_dict`.

        Raises
        ------
        DatabaseError
            If a key is missing or unknown, since the file was written by another version.
        ParameterError
            If a value is outside its range.
        """
        if not isinstance(values, dict):
            raise ParameterError(f"descriptor settings={values!r:.60} must be an object")
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        missing = known - set(values) - OPTIONAL
        if wrong := unknown | missing:
            raise DatabaseError(
                f"descriptor settings differ from this version's in: {', '.join(sorted(wrong))}; "
                "use the version that wrote them"
            )
        return cls(**values)

    def check_matches(self, other: "DescriptorSettings", *, mine: str, theirs: str) -> None:
        """Raise a `DatabaseError` that names both values of every setting that differs.

        `mine` and `theirs` say whose settings these are, e.g. "the database music.db".
        """
        own = self._compared
        others = other._compared
        differing = [
            f"{name} is {_value(own, name)} in {mine} and {_value(others, name)} in {theirs}"
            for name in {**own, **others}
            if own.get(name) != others.get(name)
        ]
        if differing:
            raise DatabaseError(
                f"descriptor settings do not match: {'; '.join(differing)}; rebuild one of them"
                " with the other's settings"
            )


def _value(values: dict[str, Any], name: str) -> Any:
    """Return a setting as messages show it: of a model, its hash."""
    value = values.get(name, "not there")
    return value["hash"] if isinstance(value, dict) else value


# what a continuation needs: tempo, harmony and level beside the spectrum
FOR_CONTINUATIONS = DescriptorSettings(units="beat/4", descriptors=("mfcc", "chroma", "loudness"))
