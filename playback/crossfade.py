"""Crossfade from one unit to the next, without moving or shortening either.

            outgoing unit      j        incoming unit
        ──────────────────╲    │    ╱──────────────────
                           ╲   │   ╱
                            ╲  │  ╱     gain
                             ╲ │ ╱
          (read before      ╱ ╲│╱ ╲     (read on past
           its start)      ╱   │   ╲     its end)
                         start │  start + length

The join j stays where the plan puts it, and every sample keeps its time. The overlap is made of
sound that the sources hold beyond the units: the outgoing source is read on past its unit's end,
the incoming one from before its unit's start. At most half of each unit takes part, so no more than
two units ever sound at once. Units that are adjacent in their source are one sound: their samples
pass through untouched. A source's own beginning and end are not faded, unless its first or last
samples are far from zero beside another sound.

Shape. With x = (k + ½) / length and the pair c = cos(πx/2), s = sin(πx/2), two sounds of one power
P and correlation ρ sum to

    E[(c·a + s·b)²] = P (c² + s² + 2ρ·c·s) = P (1 + ρ·sin πx),

so dividing both gains by √(1 + ρ·sin πx) keeps the power throughout: for ρ = 0 this is the
equal-power fade, for ρ = 1 the two gains sum to one, and a sound that fades into itself comes out
as it was (Fink, Holters & Zölzer, "Signal-matched power-complementary cross-fading and dry-wet
mixing", DAFx-16). ρ is measured over the overlap, each sample weighted by c·s.

Place. The middle of the overlap moves by up to `align_ms` to where the two waveforms agree best.
Attacks are left alone: the overlap ends before the first one from the join on, and starts after the
last one before it, on either side. An attack that begins only past the outgoing unit's end is
therefore never heard.

Level. If one side is louder by d dB (at most ± `level_db`), each is brought halfway towards the
other in the middle of the overlap and back to itself within the overlap's surroundings. Where the
incoming unit begins with an attack, the step in level is music and stays.
"""

from dataclasses import replace

import numpy as np

from playback.gains import Overlaps, gains
from playback.options import CrossfadeOptions
from playback.overlaps import Limits, middle_of, plan_overlaps


def cross(
    outgoing: np.ndarray,
    incoming: np.ndarray,
    limits: Limits,
    *,
    options: CrossfadeOptions,
    sample_rate: int,
) -> tuple[np.ndarray, Overlaps]:
    """Crossfade a batch of joins.

    Parameters
    ----------
    outgoing, incoming : ndarray, float32, shape (joins, 2 * reach, channels)
        Both sides from `reach` samples before the join to `reach` after it; zeros where there is
        no sound.

    Returns
    -------
    mixed : ndarray, float32, shape (joins, 2 * overlaps.extent, channels)
        The result from `extent` samples before the join to `extent` after it.
    overlaps : Overlaps
    """
    overlaps = plan_overlaps(outgoing, incoming, limits, options=options, sample_rate=sample_rate)
    extent = overlaps.extent
    mixed = mix(outgoing, incoming, overlaps, extent, options.fade)
    rows = np.flatnonzero(_peaks(mixed) > 1)
    rows = rows[(_peaks(outgoing[rows]) <= 1) & (_peaks(incoming[rows]) <= 1)]
    if len(rows):
        overlaps = _limit_gains(overlaps, rows)
        lower = mix(outgoing[rows], incoming[rows], overlaps.rows(rows), extent, options.fade)
        mixed[rows] = lower
    return mixed, overlaps


def mix(
    outgoing: np.ndarray, incoming: np.ndarray, overlaps: Overlaps, extent: int, fade: str
) -> np.ndarray:
    """Apply the gains of both sides and add them; returns `mixed` of `cross`."""
    falling, rising = gains(overlaps, extent, fade)
    outgoing = middle_of(outgoing, extent)
    incoming = middle_of(incoming, extent)
    mixed = np.empty_like(outgoing)
    for channel in range(mixed.shape[2]):  # faster than to broadcast the gains over channels
        falls = outgoing[:, :, channel] * falling
        mixed[:, :, channel] = falls + incoming[:, :, channel] * rising
    return mixed


def _peaks(sides: np.ndarray) -> np.ndarray:
    flat = sides.reshape(len(sides), sides.shape[1] * sides.shape[2])
    return np.maximum(flat.max(axis=1, initial=0), -flat.min(axis=1, initial=0))


def _limit_gains(overlaps: Overlaps, rows: np.ndarray) -> Overlaps:
    """Give some rows gains that sum to 1, so that their peaks cannot exceed those of both sides."""
    likeness = overlaps.likeness.copy()
    step_db = overlaps.step_db.copy()
    likeness[rows] = 1
    step_db[rows] = 0
    return replace(overlaps, likeness=likeness, step_db=step_db)
