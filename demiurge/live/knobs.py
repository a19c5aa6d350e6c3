"""The knobs of a live session: their values, ranges and meaning."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from files.errors import ParameterError
from files.ranges import shown
from query.filters import Filters
from query.names import NOVELTY

MODES = ("continue", "mosaic", "accompany", "free")
MOST_VOICES = 4
MOST_WEIGHT = 1e6


@dataclass(frozen=True)
class Knob:
    """A number that is turned while a session runs.

    Attributes
    ----------
    least, most : float
        Its range; `switch` if it is only on or off.
    help : str
        One sentence.
    unit : str
        Such as s or dB; empty for plain numbers.
    """

    least: float
    most: float
    help: str
    unit: str = ""
    is_switch: bool = False
    is_integer: bool = False


KNOBS: dict[str, Knob] = {
    "continuity": Knob(0, 8, "Weight of the join costs: more gives longer runs of one source."),
    "novelty": Knob(0, 8, "Cost of a unit for each doubling of its uses."),
    "temperature": Knob(0, 4, "Random variation of the choice; 0 is none."),
    "min_reuse": Knob(0, 60, "Time before a unit may begin again.", "s"),
    "max_run": Knob(0.05, 60, "Longest run of one source.", "s"),
    "follow_loudness": Knob(0, 1, "How much units follow the loudness of the input."),
    "level": Knob(-60, 12, "Gain of the output.", "dB"),
    "transpose": Knob(-24, 24, "Transposition of all units.", "semitones"),
    "tempo": Knob(0, 300, "Own tempo of parts of beats, 20 or more; 0 follows.", "bpm"),
    "voices": Knob(1, MOST_VOICES, "Number of units that sound at once.", is_integer=True),
    "freeze": Knob(0, 1, "Stay around the moment that is played.", is_switch=True),
}


@dataclass(frozen=True)
class Knobs:
    """The values of all knobs, and what else a scene holds.

    Attributes
    ----------
    mode : str
        One of `MODES`.
    filters : Filters
    weights : dict
        Weights of descriptors, by name.
    pitch_classes : frozenset of int
        Wanted pitch classes, 0 (C) to 11.
    """

    mode: str = "mosaic"
    continuity: float = 0.5
    novelty: float = NOVELTY
    temperature: float = 0.0
    min_reuse: float = 0.0
    max_run: float = 8.0
    follow_loudness: float = 0.0
    level: float = 0.0
    transpose: float = 0.0
    tempo: float = 0.0
    voices: int = 1
    freeze: bool = False
    filters: Filters = field(default_factory=Filters)
    weights: dict[str, float] = field(default_factory=dict)
    pitch_classes: frozenset[int] = frozenset()

    def turned(self, name: str, value: float) -> Self:
        """Return these with one knob at a value.

        Raises
        ------
        ParameterError
            If there is no such knob or the value is out of its range.
        """
        turned: dict[str, Any] = {name: check_value(name, value)}
        return replace(self, **turned)

    def to_dict(self) -> dict[str, Any]:
        """Return them for JSON, as `from_dict` takes them."""
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        values["filters"] = self.filters.to_dict()
        values["pitch_classes"] = sorted(self.pitch_classes)
        return values

    @classmethod
    def from_dict(cls, facts: Any) -> Self:
        """Return the knobs that `to_dict` gave; what is missing has its default.

        Raises
        ------
        ParameterError
            If `facts` is anything else.
        """
        known = [one.name for one in fields(cls)]
        if not isinstance(facts, dict) or not facts.keys() <= set(known):
            raise ParameterError(
                f"knobs={shown(facts)} must be an object with some of {', '.join(known)}"
            )
        knobs = cls()
        for name, value in facts.items():
            if name in KNOBS:
                knobs = knobs.turned(name, value)
        return replace(knobs, **_other_values(facts))


def check_value(name: str, value: Any) -> float | int | bool:
    """Return a knob's value in its own type; raises as `Knobs.turned`."""
    if name not in KNOBS:
        raise ParameterError(f"knob {shown(name)} is unknown; known are {', '.join(KNOBS)}")
    knob = KNOBS[name]
    is_number = isinstance(value, int | float)
    if not is_number or not knob.least <= value <= knob.most:
        unit = f" {knob.unit}" if knob.unit else ""
        raise ParameterError(
            f"{name}={shown(value)} must be a number from {knob.least:g} to {knob.most:g}{unit}"
        )
    if knob.is_switch:
        return value >= 0.5
    return round(value) if knob.is_integer else float(value)


def _other_values(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what is not a knob of one number, checked."""
    values: dict[str, Any] = {}
    if "mode" in facts:
        values["mode"] = check_mode(facts["mode"])
    if "filters" in facts:
        values["filters"] = Filters.from_dict(facts["filters"])
    if "weights" in facts:
        values["weights"] = _check_weights(facts["weights"])
    if "pitch_classes" in facts:
        values["pitch_classes"] = check_pitch_classes(facts["pitch_classes"])
    return values


def check_mode(mode: Any) -> str:
    """Return a mode; raise a ParameterError if there is none of that name."""
    if mode not in MODES:
        raise ParameterError(f"mode={shown(mode)} must be one of {', '.join(MODES)}")
    return mode


def check_pitch_classes(numbers: Any) -> frozenset[int]:
    """Return pitch classes; raise a ParameterError if one is not 0 to 11."""
    is_list = isinstance(numbers, list | tuple | set | frozenset)
    if not is_list or not all(type(one) is int and 0 <= one < 12 for one in numbers):
        raise ParameterError(
            f"pitch_classes={shown(numbers)} must be a list of numbers from 0 (C) to 11 (B)"
        )
    return frozenset(numbers)


def _check_weights(weights: Any) -> dict[str, float]:
    if not isinstance(weights, dict):
        raise ParameterError(f"weights={shown(weights)} must be an object of numbers by name")
    return {name: check_weight(name, value) for name, value in weights.items()}


def check_weight(name: str, value: Any) -> float:
    """Return a weight; raise a ParameterError if it is not a number in its range."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= MOST_WEIGHT:
        raise ParameterError(
            f"weight of {name}={shown(value)} must be a number from 0 to {MOST_WEIGHT:g}"
        )
    return float(value)
