"""Decide the place and shape of each overlap of a batch; `playback.crossfade` has the idea.

both sides ──► keep off attacks ──► align the waveforms ──► measure correlation, level ──► Overlaps
"""

from dataclasses import dataclass

import numpy as np

from playback import alignment
from playback.attacks import CONTEXT_MS, bracket
from playback.gains import Overlaps, fade_curve, sine
from playback.options import CrossfadeOptions

EDGE_MS = 1.5  # the shortest fade that does not click
# a source that starts or ends above -50 dB (HIGH) clicks without a fade of SHORTEST_FADE_MS or more
SHORTEST_FADE_MS = 0.5
HIGH = 0.003
ATTACK_TOLERANCE_MS = 4.0  # units begin up to this long before their attack, or just behind it
QUIET = 1e-7  # mean square below which a level is not matched: -70 dB


@dataclass(frozen=True)
class Limits:
    """The limits of the crossfades of a batch; int64 arrays of shape (joins,), in samples.

    A crossfade may change `left` samples before the join and `right` after it. The overlap must lie
    within [first, last), counted from the join, where both sides have sound. If that is too short,
    the outgoing side ends in a fade of `fade_out` before the join, and the incoming side begins
    with a fade of `fade_in` after it.
    """

    left: np.ndarray
    right: np.ndarray
    first: np.ndarray
    last: np.ndarray
    fade_out: np.ndarray
    fade_in: np.ndarray


def plan_overlaps(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    limits: Limits,
    *,
    options: CrossfadeOptions,
    sample_rate: int,
) -> Overlaps:
    """Decide place, length and shape of a batch's overlaps; arguments as for `crossfade.cross`."""
    overlap = options.overlap_samples(sample_rate)
    shortest = min(overlap, edge_samples(sample_rate))
    first = limits.first
    last = limits.last
    attack = np.full(len(outgoing), outgoing.shape[1])  # none
    if options.attacks and overlap:
        first, last, attack = _keep_off_attacks(outgoing, incoming, limits, shortest, sample_rate)
    length = np.minimum(last - first, overlap)
    length = np.where((length >= shortest) & (length > 0), length // 2 * 2, 0)
    start = _align(outgoing, incoming, first, last, length, options, sample_rate)
    likeness, step_db = _match(outgoing, incoming, start, length, attack, options, sample_rate)
    fade_out, fade_in = _fades_of_cuts(outgoing, incoming, limits, attack, shortest, sample_rate)
    cut = length == 0
    return Overlaps(
        limits.left,
        limits.right,
        out_start=np.where(cut, -fade_out, start),
        out_length=np.where(cut, fade_out, length),
        in_start=np.where(cut, 0, start),
        in_length=np.where(cut, fade_in, length),
        likeness=likeness,
        step_db=step_db,
    )


def edge_samples(sample_rate: int) -> int:
    """Return the length of the shortest fade that does not click."""
    return round(EDGE_MS * sample_rate / 1000)


def context_samples(options: CrossfadeOptions, sample_rate: int) -> int:
    """Return the number of samples that are analysed beyond those a crossfade may change."""
    for_attacks = CONTEXT_MS if options.attacks else 0
    for_alignment = alignment.WINDOW_MS if options.align_ms else 0
    return round(max(for_attacks, for_alignment) * sample_rate / 1000)


def middle_of(sides: np.ndarray, extent: int) -> np.ndarray:
    """Return the samples from `extent` before the joins to `extent` after them."""
    reach = sides.shape[1] // 2
    return sides[:, reach - extent : reach + extent]


def _keep_off_attacks(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    limits: Limits,
    shortest: int,
    sample_rate: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Narrow [first, last) of the limits to the space between the attacks of both sides.

    The third result is the first attack of the incoming side from the join on, in samples.
    """
    reach = outgoing.shape[1] // 2
    pivot = reach - round(ATTACK_TOLERANCE_MS * sample_rate / 1000)
    out_before, out_after = bracket(outgoing, sample_rate=sample_rate, pivot=pivot)
    in_before, in_after = bracket(incoming, sample_rate=sample_rate, pivot=pivot)
    until = np.minimum(limits.last, np.minimum(out_after, in_after) - reach)
    since = np.maximum(out_before, in_before) - reach
    # if the two are too close together, the coming attack matters more than the past one
    since = np.maximum(limits.first, np.minimum(since, until - shortest))
    return since, until, np.maximum(in_after - reach, 0)


def _align(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    length: np.ndarray,
    options: CrossfadeOptions,
    sample_rate: int,
) -> np.ndarray:
    """Return the starts of the overlaps: around the join, or where the waveforms agree best."""
    lowest = first + length // 2
    highest = last - length // 2
    middle = np.clip(0, lowest, np.maximum(highest, lowest))
    movable = np.flatnonzero(lowest < highest)
    if options.align_ms and options.overlap_samples(sample_rate) and len(movable):
        window_ms = min(alignment.WINDOW_MS, options.crossfade_ms)
        middle[movable] = alignment.align(
            outgoing[movable],
            incoming[movable],
            middle[movable],
            lowest[movable],
            highest[movable],
            max_move=options.align_ms * sample_rate / 1000,
            window=window_ms * sample_rate / 1000,
        )
    return middle - length // 2


def _match(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
    attack: np.ndarray,
    options: CrossfadeOptions,
    sample_rate: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ρ and the step in level; zeros for those that the options turn off."""
    none = np.zeros(len(outgoing))
    if options.fade != "matched" and not options.level_db:
        return none, none
    context = context_samples(options, sample_rate)
    likeness, step_db = _measure(outgoing, incoming, start, length, context)
    begins_with_attack = attack < outgoing.shape[1] // 2
    limited = np.clip(step_db, -options.level_db, options.level_db)
    step_db = np.where(begins_with_attack, 0.0, limited)
    return likeness if options.fade == "matched" else none, step_db


def _measure(
    outgoing: np.ndarray, incoming: np.ndarray, start: np.ndarray, length: np.ndarray, context: int
) -> tuple[np.ndarray, np.ndarray]:
    """Measure ρ, within [0, 1], and how many dB the incoming side is louder, over the overlaps.

    Both are 0 if one side is silent. No overlap extends into the outermost `context` samples.
    """
    extent = outgoing.shape[1] // 2 - context
    outgoing = middle_of(outgoing, extent)
    incoming = middle_of(incoming, extent)
    weight = fade_curve(start, length, extent, sine)
    weight = np.repeat(weight, outgoing.shape[2], axis=1)
    ab = _weighted_products(outgoing, incoming, weight)
    aa = _weighted_products(outgoing, outgoing, weight)
    bb = _weighted_products(incoming, incoming, weight)
    audible = np.minimum(aa, bb) > QUIET * np.maximum(length, 1) * outgoing.shape[2]
    correlation = ab / np.sqrt(np.maximum(aa * bb, 1e-20))
    likeness = np.where(audible, np.clip(correlation, 0, 1), 0)
    ratio = np.where(audible, bb, 1) / np.where(audible, aa, 1)
    return likeness, 10 * np.log10(ratio)


def _weighted_products(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the sums of a·b·weight, float64, shape (joins,).

    A join's sum must not depend on the rest of its batch, not even in the last bit. The sum of
    np.einsum does, when the batch is a single join.
    """
    products = (a * b).reshape(weight.shape)
    products *= weight
    return products.sum(axis=1).astype(np.float64)


def _fades_of_cuts(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    limits: Limits,
    attack: np.ndarray,
    shortest: int,
    sample_rate: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths of the fades out and in where there is no overlap.

    They are those of `limits`, with two exceptions. A fade ends before an attack. A side that ends
    or starts far from zero gets a very short fade, unless it is a source's own beginning or end
    beside silence.
    """
    reach = outgoing.shape[1] // 2
    if not reach:
        return limits.fade_out, limits.fade_in
    blink = min(shortest, round(SHORTEST_FADE_MS * sample_rate / 1000))
    ends_high = np.abs(outgoing[:, reach - 1]).max(axis=1) > HIGH
    starts_high = np.abs(incoming[:, reach]).max(axis=1) > HIGH
    meets_sound = (limits.left > 0) & (limits.right > 0)
    fade_out = limits.fade_out
    fade_in = np.minimum(limits.fade_in, attack)
    longer_out = np.maximum(fade_out, np.minimum(blink, limits.left))
    longer_in = np.maximum(fade_in, np.minimum(blink, limits.right))
    needs_out = ends_high & meets_sound
    needs_in = starts_high & (meets_sound | (limits.fade_in > 0))
    return np.where(needs_out, longer_out, fade_out), np.where(needs_in, longer_in, fade_in)
