"""Draw the picture of playback: two sources around a join, their gains, and their sum."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audio.read import read_mono
from demiurge.bundled import CORPUS_DIR
from playback.crossfade import cross
from playback.gains import Overlaps, gains
from playback.options import CrossfadeOptions
from playback.overlaps import Limits
from scripts.make.pictures.style import BLUE, DARK, GREEN, ORANGE, label, new_figure

RATE = 44100
OUTGOING = ("guit_em9.ogg", 0.5)  # a source, and the second of the join in it
INCOMING = ("guit_e_fifths.ogg", 1.0)
REACH = 6400  # samples on either side
SHOWN_MS = 70


def draw_join() -> Figure:
    sides = [read_around(*OUTGOING), read_around(*INCOMING)]
    limits = Limits(*(np.array([value]) for value in (5000, 5000, -2600, 2600, 0, 0)))
    options = CrossfadeOptions()
    mixed, overlaps = cross(*sides, limits, options=options, sample_rate=RATE)
    weights = gains(overlaps, overlaps.extent, options.fade)
    figure = new_figure(f"a join: {OUTGOING[0]} gives way to {INCOMING[0]}", 6.5)
    rows = figure.subplots(3, 1, sharex=True)
    draw_side(rows[0], sides[0], weights[0], BLUE)
    label(rows[0], "the outgoing unit, and what follows it in its source; the line is its gain")
    draw_side(rows[1], sides[1], weights[1], ORANGE)
    label(rows[1], "the incoming unit, and what comes before it; the line is its gain")
    rows[2].plot(milliseconds(overlaps.extent), mixed[0, :, 0], color=GREEN, lw=0.6)
    label(rows[2], describe(overlaps))
    mark_join(rows)
    return figure


def mark_join(rows: np.ndarray) -> None:
    for axes in rows:
        axes.axvline(0, color=DARK, lw=0.8, ls="--")
        axes.set_yticks([])
    rows[-1].set(xlabel="milliseconds from the join, where the plan puts it")
    rows[-1].set_xlim(-SHOWN_MS, SHOWN_MS)


def read_around(name: str, second: float) -> np.ndarray:
    """Return a source around a moment, shape (1, samples, 1)."""
    samples, _ = read_mono(CORPUS_DIR / name)
    middle = int(second * RATE)
    return samples[middle - REACH : middle + REACH][None, :, None]


def milliseconds(extent: int) -> np.ndarray:
    return np.arange(-extent, extent) / RATE * 1000


def draw_side(axes: Axes, side: np.ndarray, gain: np.ndarray, colour: str) -> None:
    extent = gain.shape[1] // 2
    samples = side[0, REACH - extent : REACH + extent, 0]
    axes.plot(milliseconds(extent), samples, color=colour, lw=0.6)
    level = np.abs(side).max()
    axes.plot(milliseconds(extent), gain[0] * level, color=DARK, lw=1.5)
    axes.set_ylim(-1.1 * level, 1.4 * level)


def describe(overlaps: Overlaps) -> str:
    length = overlaps.in_length[0] / RATE * 1000
    middle = (overlaps.in_start + overlaps.in_length / 2)[0] / RATE * 1000
    return (
        f"their sum: {length:.0f} ms of overlap, moved by {middle:+.1f} ms to where the two agree; "
        f"their correlation is {overlaps.likeness[0]:.2f}, the step in level "
        f"{overlaps.step_db[0]:+.1f} dB"
    )
