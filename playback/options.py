"""Options of a render: how units overlap, and how the file is written.

This module imports nothing slow, so that the command line can list the choices quickly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, Self

from files.errors import ParameterError, PlanError
from files.ranges import shown

if TYPE_CHECKING:
    import numpy as np

    from playback.plan import Plan
    from playback.sources import SampleReader

FADES = ("matched", "equal-power", "linear")
STEMS_BY = ("source", "voice")
MAX_VALUES = {"crossfade_ms": 10_000, "align_ms": 1_000, "level_db": 60}


@dataclass(frozen=True)
class CrossfadeOptions:
    """Options for the overlaps of units.

    Each part can be turned off; with all of them off, fades are plain.

    Attributes
    ----------
    crossfade_ms : float, 0 to 10 000
        Length of the overlaps, unless the sources or the units are too short for it. With 0, every
        join is a hard cut.
    fade : "matched", "equal-power" or "linear"
        Shape of the fades; "matched" follows the correlation of the two sides.
    align_ms : float, 0 to 1000
        Farthest that an overlap may move to where the waveforms agree.
    attacks : bool
        Keep fades off attacks.
    level_db : float, 0 to 60
        Largest step in level that is evened out.
    """

    # where units are long enough; half as audible as 22 ms, see docs/rooms/playback.md
    crossfade_ms: float = 60.0
    fade: str = "matched"
    align_ms: float = 5.0
    attacks: bool = True
    level_db: float = 12.0

    def __post_init__(self) -> None:
        for name, highest in MAX_VALUES.items():
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= highest:
                raise ParameterError(f"{name}={shown(value)} must be a number of 0 to {highest:g}")
        if self.fade not in FADES:
            raise ParameterError(
                f"fade={shown(self.fade)} is unknown; known are {', '.join(FADES)}"
            )
        if not isinstance(self.attacks, bool):
            raise ParameterError(f"attacks={shown(self.attacks)} must be true or false")

    @classmethod
    def plain(cls, crossfade_ms: float, fade: str = "equal-power") -> Self:
        """Return options for fades of one shape and length, centred on the join."""
        return cls(crossfade_ms, fade, align_ms=0.0, attacks=False, level_db=0.0)

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Self:
        """Read the crossfade settings of a plan.

        Their key is "crossfade" (in plans of version 0.1.0 "seams"). The oldest plans have only
        "crossfade_ms", and get plain fades.

        Raises
        ------
        PlanError
            If an option is unknown or out of range.
        """
        try:
            for key in ("crossfade", "seams"):  # "seams": 0.1.0
                if key in settings:
                    return cls._from_dict(settings[key])
            if "crossfade_ms" in settings:  # before 0.1.0
                return cls.plain(settings["crossfade_ms"])
        except ParameterError as error:
            raise PlanError(f'"settings": "crossfade": {error}') from None
        return cls()

    @classmethod
    def _from_dict(cls, document: Any) -> Self:
        names = [f.name for f in fields(cls)]
        if not isinstance(document, dict):
            raise ParameterError(f"{document!r} is unknown; known are {', '.join(names)}")
        if unknown := sorted(set(document) - set(names)):
            raise ParameterError(f"{unknown[0]!r} is unknown; known are {', '.join(names)}")
        return cls(**document)

    def overlap_samples(self, sample_rate: int) -> int:
        """Return the full length of an overlap in samples, an even number."""
        return 2 * round(self.crossfade_ms * sample_rate / 2000)

    def reach_samples(self, sample_rate: int) -> int:
        """Return the most samples on either side of a join that a crossfade can change."""
        moved = round(self.align_ms * sample_rate / 1000)
        return self.overlap_samples(sample_rate) // 2 + moved


@dataclass(frozen=True)
class OutputOptions:
    """Options for writing a render.

    Attributes
    ----------
    bits : {"16", "24", "float"}, optional
        24 by default; must be None for OGG.
    lufs : float, optional
        Integrated loudness (ITU-R BS.1770) of the whole, as far as `true_peak_db` allows.
    true_peak_db : float, optional
        Highest true peak of the whole in dBTP; -1 by default if `lufs` is given.
    loop : bool
        Join the end to the beginning, as any two units are joined.
    """

    bits: str | None = None
    lufs: float | None = None
    true_peak_db: float | None = None
    loop: bool = False

    def __post_init__(self) -> None:
        for name, lowest in (("lufs", -70.0), ("true_peak_db", -60.0)):
            value = getattr(self, name)
            if value is not None and not lowest <= value <= 0:
                raise ParameterError(f"{name}={value} must be {lowest:g} to 0")


class PlanDecoder(Protocol):
    """What sounds a plan in place of crossfades, such as a codec."""

    @property
    def facts(self) -> dict[str, str]:
        """What it is, for plans and reports: codec, hash, licence."""
        ...

    def blocks(
        self, plan: Plan, reader: SampleReader, crossfade: CrossfadeOptions
    ) -> Iterator[np.ndarray]:
        """Yield the audio of a plan, float32, (any, channels), `plan.n_samples` in all."""
        ...


@dataclass(frozen=True)
class RenderOptions:
    """The crossfade and the output options of a render, and what sounds it if not crossfades."""

    crossfade: CrossfadeOptions = field(default_factory=CrossfadeOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
    decoder: PlanDecoder | None = None

    def __post_init__(self) -> None:
        if self.decoder and self.output.loop:
            raise ParameterError(
                "loop: a decoder makes no loops; leave out loop, or decode, so that crossfades join"
            )

    @property
    def decoded_by(self) -> dict[str, str] | None:
        """The decoder's facts, if there is one."""
        return self.decoder.facts if self.decoder else None


DEFAULT_CROSSFADE = CrossfadeOptions()
DEFAULT_RENDER = RenderOptions()
