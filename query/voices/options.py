"""Options of mosaics of voices."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from files.errors import ParameterError
from files.ranges import shown
from query.names import AUTO, FOLLOWS, MOST_TRANSPOSE, MOST_VOICES


@dataclass(frozen=True)
class VoiceOptions:
    """How many voices a mosaic has, and what their units are chosen for.

    Attributes
    ----------
    number : int, 1 to 16
    transpose : int or "auto"
        How far units may be transposed, in semitones, either way; "auto" is as far as the corpus
        needs to reach the pitches of the target.
    follow : str
        What of the target is followed: "both" its pitch and its timbre; "pitch"; or "timbre".
    """

    number: int = 1
    transpose: int | str = 0
    follow: str = "both"

    def __post_init__(self) -> None:
        if type(self.number) is not int or not 1 <= self.number <= MOST_VOICES:
            raise ParameterError(f"voices={shown(self.number)} must be 1 to {MOST_VOICES}")
        is_number = type(self.transpose) is int and 0 <= self.transpose <= MOST_TRANSPOSE
        if not (is_number or self.transpose == AUTO):
            raise ParameterError(
                f"transpose={shown(self.transpose)} must be 0 to {MOST_TRANSPOSE} semitones,"
                f" or {AUTO}"
            )
        if self.follow not in FOLLOWS:
            raise ParameterError(f"follow={shown(self.follow)} must be one of {', '.join(FOLLOWS)}")

    @property
    def fit_spectra(self) -> bool:
        """True if units are chosen by their spectra, not by their descriptors."""
        return self != ONE_VOICE

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Any) -> Self:
        """Read options that `to_dict` wrote; raises a `ParameterError` for others."""
        names = [option.name for option in fields(cls)]
        if not isinstance(facts, dict) or not facts.keys() <= set(names):
            raise ParameterError(
                f"voices={shown(facts)} must be an object with some of {', '.join(names)}"
            )
        return cls(**facts)


ONE_VOICE = VoiceOptions()
