"""How one unit gives way to the next, without moving or shortening either.

            outgoing unit      b        incoming unit
        ──────────────────╲    │    ╱──────────────────
                           ╲   │   ╱
                            ╲  │  ╱     gain
                             ╲ │ ╱
          (read before      ╱ ╲│╱ ╲     (read on past
           its start)      ╱   │   ╲     its end)
                         start │  start + length

The boundary b stays where the plan puts it, and every sample keeps its time. The overlap is made of
sound the units' sources hold beyond them: the outgoing source is read on, the incoming one from
before its start. Half of each unit at most takes part in a seam, so no more than two units ever
sound at once. Units that are adjacent in their source are one sound: nothing is done and the
samples pass through untouched. A recording's own beginning and end are not faded, unless it starts
or ends high beside another sound.

Shape. With x = (k + ½) / length and the pair c = cos(πx/2), s = sin(πx/2), two sounds of one power
P and correlation ρ sum to

    E[(c·a + s·b)²] = P (c² + s² + 2ρ·c·s) = P (1 + ρ·sin πx),

so dividing both gains by √(1 + ρ·sin πx) keeps the power throughout: for ρ = 0 this is the
equal-power fade, for ρ = 1 the two gains sum to one, and a sound that fades into itself comes out
as it was (Fink, Holters & Zölzer, "Signal-matched power-complementary cross-fading and dry-wet
mixing", DAFx-16). ρ is measured where both are heard, each sample weighted by c·s.

Place. The middle of the overlap moves by up to `align_ms` to where the two waveforms agree best. An
attack is left alone: the overlap ends before the first one from the boundary on and starts after
the last one before it, whoever it belongs to; one that would only begin behind the unit's end is
thereby never heard.

Level. If one side is louder by d dB (at most ± `level_db`), each is brought halfway towards the
other in the middle of the overlap and back to itself within the overlap's surroundings. Where the
incoming unit begins with an attack, its level is music.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from files.errors import ParameterError, PlanError
from playback import alignment
from playback.attacks import CONTEXT_MS, bracket
from playback.gains import Overlaps, fade_progress, gains
from playback.names import FADES
from playback.steps import Step

LIMITS = {"crossfade_ms": 10_000, "align_ms": 1_000, "level_db": 60}
EDGE_MS = 1.5  # the shortest fade that does not click
# a recording that starts or ends above -50 dB would click without at least so much of a fade
BLINK_MS = 0.5
HIGH = 0.003
ATTACK_TOLERANCE_MS = (
    4.0  # units begin that much before their attack, or a little behind its first rise
)
QUIET = 1e-7  # mean square below which a level is not matched: -70 dB


@dataclass(frozen=True)
class CrossfadeOptions:
    """What is done at crossfade. Each part can be turned off; with all of them off, fades are plain.

    Attributes
    ----------
    crossfade_ms : float, 0 to 10 000
        Length of the overlaps; less is used where the sources or the units hold less. 0: every cut
        is hard.
    fade : "matched", "equal-power" or "linear"
        Shape; "matched" follows the correlation of the two sides.
    align_ms : float, 0 to 1000
        How far an overlap may move to where the waveforms agree.
    attacks : bool
        Whether fades keep off attacks.
    level_db : float, 0 to 60
        Steps in level are evened out up to this.
    """

    # where units are long enough; makes half as much of a seam as 22 ms, see docs/rooms/playback.md
    crossfade_ms: float = 60.0
    fade: str = "matched"
    align_ms: float = 5.0
    attacks: bool = True
    level_db: float = 12.0

    def __post_init__(self) -> None:
        for name, highest in LIMITS.items():
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 <= value <= highest
            ):
                raise ParameterError(f"{name}={value!r} must be a number of 0 to {highest:g}")
        if self.fade not in FADES:
            raise ParameterError(f"fade={self.fade!r} is unknown; known are {', '.join(FADES)}")
        if not isinstance(self.attacks, bool):
            raise ParameterError(f"attacks={self.attacks!r} must be true or false")

    @classmethod
    def plain(cls, crossfade_ms: float, fade: str = "equal-power") -> Self:
        """Fades of one shape and length, in the middle, whatever the sound."""
        return cls(crossfade_ms, fade, align_ms=0.0, attacks=False, level_db=0.0)

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Self:
        """Read the crossfade settings of a plan.

        They are under "crossfade" (plans of version 0.1.0: "seams"); the oldest plans have plain
        fades of "crossfade_ms" and nothing else.

        Raises
        ------
        PlanError
            If an option is unknown or out of its range.
        """
        given = settings.get("crossfade", settings.get("seams", {}))
        try:
            if not {"crossfade", "seams"} & set(settings) and "crossfade_ms" in settings:
                return cls.plain(settings["crossfade_ms"])
            if not isinstance(given, dict) or (
                unknown := sorted(set(given) - {f.name for f in fields(cls)})
            ):
                known = ", ".join(f.name for f in fields(cls))
                raise ParameterError(
                    f"{unknown[0] if isinstance(given, dict) else given!r} is unknown; known are"
                    f" {known}"
                )
            return cls(**given)
        except ParameterError as error:
            raise PlanError(f'"settings": "crossfade": {error}') from None

    def overlap(self, sample_rate: int) -> int:
        """Length of a whole overlap in samples, even."""
        return 2 * round(self.crossfade_ms * sample_rate / 2000)

    def most(self, sample_rate: int) -> int:
        """Samples on either side of a boundary that a seam changes at most."""
        return self.overlap(sample_rate) // 2 + round(self.align_ms * sample_rate / 1000)

    def context(self, sample_rate: int) -> int:
        """Samples beyond those that are listened to."""
        wanted_ms = max(
            CONTEXT_MS if self.attacks else 0, alignment.WINDOW_MS if self.align_ms else 0
        )
        return round(wanted_ms * sample_rate / 1000)


@dataclass(frozen=True)
class Room:
    """What limits the crossfade of a batch; int64 arrays of shape (crossfade,), in samples.

    `left` and `right` of the boundary belong to the units, as far as a seam may change them. An
    overlap must lie within [first, last), counted from the boundary, for which there is sound on
    both sides. Where that is too short the outgoing side ends in a fade of `fade_out` before the
    boundary, and the incoming one begins with one of `fade_in` behind it.
    """

    left: np.ndarray
    right: np.ndarray
    first: np.ndarray
    last: np.ndarray
    fade_out: np.ndarray
    fade_in: np.ndarray


def cross(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    room: Room,
    *,
    options: CrossfadeOptions,
    sample_rate: int,
) -> tuple[np.ndarray, Overlaps]:
    """Decide crossfade by their sound, and make them.

    Parameters
    ----------
    outgoing, incoming : ndarray, float32, shape (crossfade, 2 * reach, channels)
        Both sides from `reach` samples before the boundary to as many after it; zeros where there
        is none.

    Returns
    -------
    mixed : ndarray, float32, shape (crossfade, 2 * overlaps.extent, channels)
        What is heard from `extent` samples before the boundary to as many after it.
    overlaps : Overlaps
    """
    overlaps = plan_overlaps(outgoing, incoming, room, options=options, sample_rate=sample_rate)
    mixed = mix(outgoing, incoming, overlaps, options.fade)
    highest = np.abs(mixed).max(axis=(1, 2), initial=0)
    if (highest > 1).any():
        over = (
            (highest > 1)
            & (np.abs(outgoing).max(axis=(1, 2)) <= 1)
            & (np.abs(incoming).max(axis=(1, 2)) <= 1)
        )
        likeness = np.where(over, 1.0, overlaps.likeness)
        step_db = np.where(over, 0.0, overlaps.step_db)
        overlaps = replace(
            overlaps, likeness=likeness, step_db=step_db
        )  # gains that sum to 1 cannot exceed both sides
        mixed = mix(outgoing, incoming, overlaps, options.fade)
    return mixed, overlaps


def plan_overlaps(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    room: Room,
    *,
    options: CrossfadeOptions,
    sample_rate: int,
) -> Overlaps:
    """Where the overlaps of a batch lie, and what shapes them; arguments as `cross`."""
    overlap = options.overlap(sample_rate)
    shortest = min(overlap, round(EDGE_MS * sample_rate / 1000))
    first = room.first
    last = room.last
    struck = np.full(len(outgoing), outgoing.shape[1])
    if options.attacks and overlap:
        first, last, struck = _keep_off_attacks(
            outgoing, incoming, first, last, shortest, sample_rate
        )
    length = np.minimum(last - first, overlap)
    length = np.where((length >= shortest) & (length > 0), length // 2 * 2, 0)
    lowest = first + length // 2
    highest = last - length // 2
    middle = np.clip(0, lowest, np.maximum(highest, lowest))
    if options.align_ms and overlap:
        window_ms = min(alignment.WINDOW_MS, options.crossfade_ms)
        most, window = (ms * sample_rate / 1000 for ms in (options.align_ms, window_ms))
        middle = alignment.align(
            outgoing, incoming, middle, lowest, highest, most=most, window=window
        )
    start = middle - length // 2
    cut = length == 0
    none = np.zeros(len(outgoing))
    likeness = none
    step_db = none
    if options.fade == "matched" or options.level_db:
        likeness, step_db = _compare(
            outgoing, incoming, start, length, options.context(sample_rate)
        )
        step_db = np.where(
            struck < outgoing.shape[1] // 2,
            0.0,
            np.clip(step_db, -options.level_db, options.level_db),
        )
    fade_out, fade_in = _fades_of_cuts(outgoing, incoming, room, struck, shortest, sample_rate)
    return Overlaps(
        room.left,
        room.right,
        out_start=np.where(cut, -fade_out, start),
        out_length=np.where(cut, fade_out, length),
        in_start=np.where(cut, 0, start),
        in_length=np.where(cut, fade_in, length),
        likeness=likeness if options.fade == "matched" else none,
        step_db=step_db,
    )


def _fades_of_cuts(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    room: Room,
    struck: np.ndarray,
    shortest: int,
    sample_rate: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where there is no overlap: lengths of the fades, within the units, that end the outgoing and
    begin the incoming side.

    They are as `room` says, but for attacks, and for a side that ends or starts high: it gets a
    blink, unless it is the recording's own beginning or end beside silence.
    """
    reach = outgoing.shape[1] // 2
    blink = min(shortest, round(BLINK_MS * sample_rate / 1000))
    if not reach:
        return room.fade_out, room.fade_in
    meets = (room.left > 0) & (room.right > 0)
    ends_high, starts_high = (
        np.abs(side).max(axis=1) > HIGH for side in (outgoing[:, reach - 1], incoming[:, reach])
    )
    fade_in = np.minimum(room.fade_in, struck)
    return (
        np.where(
            ends_high & meets,
            np.maximum(room.fade_out, np.minimum(blink, room.left)),
            room.fade_out,
        ),
        np.where(
            starts_high & (meets | (room.fade_in > 0)),
            np.maximum(fade_in, np.minimum(blink, room.right)),
            fade_in,
        ),
    )


def _keep_off_attacks(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    shortest: int,
    sample_rate: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Narrow [first, last) to between the attacks on either side; and when, from the boundary on,
    the incoming side has one.
    """
    reach = outgoing.shape[1] // 2
    pivot = reach - round(ATTACK_TOLERANCE_MS * sample_rate / 1000)
    out_before, out_after = bracket(outgoing, sample_rate=sample_rate, pivot=pivot)
    in_before, in_after = bracket(incoming, sample_rate=sample_rate, pivot=pivot)
    until = np.minimum(last, np.minimum(out_after, in_after) - reach)
    since = np.maximum(out_before, in_before) - reach
    since = np.maximum(
        first, np.minimum(since, until - shortest)
    )  # with too little room the coming attack goes before
    return since, until, np.maximum(in_after - reach, 0)


def _compare(
    outgoing: np.ndarray, incoming: np.ndarray, start: np.ndarray, length: np.ndarray, context: int
) -> tuple[np.ndarray, np.ndarray]:
    """ρ within [0, 1], and by how many dB the incoming side is louder, over the overlaps; 0 where
    one side is silent.

    `context` samples at either end are in no overlap. How much is summed, and in which order, must
    not depend on the other crossfade of the batch: np.einsum sums a batch of one otherwise.
    """
    extent = outgoing.shape[1] // 2 - context
    outgoing = _middle(outgoing, extent)
    incoming = _middle(incoming, extent)
    weight = np.repeat(
        np.sin(np.float32(np.pi) * fade_progress(start, length, extent)), outgoing.shape[2], axis=1
    )
    ab, aa, bb = (
        ((a * b).reshape(weight.shape) * weight).sum(axis=1).astype(np.float64)
        for a, b in ((outgoing, incoming), (outgoing, outgoing), (incoming, incoming))
    )
    heard = np.minimum(aa, bb) > QUIET * np.maximum(length, 1) * outgoing.shape[2]
    likeness = np.where(heard, np.clip(ab / np.sqrt(np.maximum(aa * bb, 1e-20)), 0, 1), 0)
    return likeness, 10 * np.log10(np.where(heard, bb, 1) / np.where(heard, aa, 1))


def mix(outgoing: np.ndarray, incoming: np.ndarray, overlaps: Overlaps, fade: str) -> np.ndarray:
    """What is heard around the boundaries, as `cross` returns it."""
    extent = overlaps.extent
    falling, rising = gains(overlaps, extent, fade)
    return (
        _middle(outgoing, extent) * falling[:, :, None]
        + _middle(incoming, extent) * rising[:, :, None]
    )


def _middle(zones: np.ndarray, extent: int) -> np.ndarray:
    reach = zones.shape[1] // 2
    return zones[:, reach - extent : reach + extent]


def is_contiguous(outgoing: Step, incoming: Step) -> bool:
    """Whether the incoming unit simply goes on in the outgoing one's source, at the same level and
    without a gap.
    """
    return (
        outgoing.source == incoming.source
        and outgoing.end_sample == incoming.start_sample
        and outgoing.until_sample == incoming.at_sample
        and outgoing.gain_db == incoming.gain_db
        and not (outgoing.is_transformed or incoming.is_transformed)
    )
