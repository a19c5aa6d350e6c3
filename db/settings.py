"""Analysis settings: what makes two sets of descriptors comparable."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from db.errors import DatabaseError, ParameterError


@dataclass(frozen=True)
class DescriptorSettings:
    """How descriptors are computed. Two sets of descriptors can be compared only if these are equal.

    The defaults are the original Demiurge's, as librosa computes them.
    """

    sample_rate: int = 44100  # Hz
    hop_length: int = 1024  # samples between frames: 23 ms
    n_fft: int = 2048  # samples in a window: twice the hop, every sample is seen twice
    n_mels: int = 128
    n_mfcc: int = 13
    delta_width: int = 9  # frames, odd
    # "span": the window is centred on the span that is played. "start": on the span's first sample, as in librosa's
    # frames and the original's files.
    window_centre: Literal["span", "start"] = "span"

    def __post_init__(self) -> None:
        for name in ("sample_rate", "hop_length", "n_fft", "n_mels", "n_mfcc", "delta_width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise ParameterError(f"{name}={value!r} must be a positive integer")
        if self.n_mfcc > self.n_mels:
            raise ParameterError(f"n_mfcc={self.n_mfcc} must not exceed n_mels={self.n_mels}")
        if self.n_fft < 2:
            raise ParameterError(f"n_fft={self.n_fft} must be at least 2")
        if self.delta_width < 3 or self.delta_width % 2 == 0:
            raise ParameterError(f"delta_width={self.delta_width} must be an odd integer of at least 3")
        if self.window_centre not in ("span", "start"):
            raise ParameterError(f"window_centre={self.window_centre!r} must be 'span' or 'start'")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the original Demiurge's order: static coefficients, then Δ, then ΔΔ."""
        return tuple(f"mfcc{i}" for i in range(self.n_descriptors))

    @property
    def n_descriptors(self) -> int:
        return 3 * self.n_mfcc

    @property
    def hash(self) -> str:
        """16 hex digits that identify these settings."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`.

        Raises
        ------
        DatabaseError
            If a key is missing or unknown: the file was written by another version.
        """
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            difference = ", ".join(sorted(set(values) ^ known))
            raise DatabaseError(
                f"descriptor settings differ from this version's in: {difference}; use the version that wrote them"
            )
        return cls(**values)

    def check_matches(self, other: "DescriptorSettings", *, mine: str, theirs: str) -> None:
        """Raise a `DatabaseError` that names both values of every setting that differs.

        `mine` and `theirs` say whose settings these are, e.g. "the database music.db".
        """
        a, b = self.to_dict(), other.to_dict()
        differing = [f"{name} is {a[name]} in {mine} and {b[name]} in {theirs}" for name in a if a[name] != b[name]]
        if differing:
            raise DatabaseError(
                f"descriptor settings do not match: {'; '.join(differing)}; rebuild one of them with the other's settings"
            )
