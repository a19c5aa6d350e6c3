"""Draw a picture of a render: its waveform coloured by source, joins, voices and spectrogram."""

import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile as sf

from files.atomic import replacing
from files.errors import AudioError, ParameterError
from files.names import printable
from playback.database_shares import database_shares
from playback.pixel_sources import find_owners, find_owners_of_voices
from playback.plan import Plan
from playback.source_colours import OTHERS, Colour, database_colour, palette, shades_of
from playback.spectrogram import measure_spectrogram

LABEL_LETTERS = 24  # of a source's name
LABELLED_SOURCES = 3  # of each of several databases
NOTHING = (1.0, 1.0, 1.0)
RANGE_DB = 70  # dB shown below the loudest; about the useful range of 16 bits
LOWEST_HZ = 40.0
BLOCK_SAMPLES = 1 << 18  # read at a time
# share of the figure; the legend and the scale take the rest
LEFT = 0.075
WIDTH = 0.725
LANES_HEIGHT = 0.14
TICKS_S = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # between the labels of a long time axis
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


def save_picture(audio: Path, plan: Plan, path: Path, *, joins: Sequence[int], title: str) -> None:
    """Write a PNG of rendered audio; the same audio gives the same bytes.

    Parameters
    ----------
    audio : Path
        The audio rendered from `plan`, at its sample rate.
    path : Path
        Must end in .png.
    joins : sequence of int
        Samples of the output at which units are joined; their number per pixel column is plotted.

    Raises
    ------
    AudioError
        If the audio cannot be read.
    ParameterError
        If it is empty or of another rate, or `path` cannot be written or is not a PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.suffix.lower() != ".png":
        raise ParameterError(f"{path}: a picture is a PNG; give a name that ends in .png")
    figure = Figure(figsize=(11, 5.5), dpi=150)
    FigureCanvasAgg(figure)
    figure.text(LEFT, 0.955, title, fontsize=11, parse_math=False)
    spectrum = figure.add_axes((LEFT, 0.095, WIDTH, 0.435))
    lanes_height = LANES_HEIGHT if plan.n_voices > 1 else 0
    place = LEFT, 0.555 + lanes_height, WIDTH, 0.34 - lanes_height
    wave = figure.add_axes(place, sharex=spectrum)
    strip = figure.add_axes((LEFT, 0.9, WIDTH, 0.03), sharex=spectrum)
    draw_waveform(wave, audio, plan)
    if lanes_height:
        lanes = figure.add_axes((LEFT, 0.555, WIDTH, lanes_height - 0.01), sharex=spectrum)
        _draw_voices(lanes, plan)
        lanes.tick_params(bottom=False, labelbottom=False)
    _draw_spectrogram(spectrum, audio, plan)
    _draw_joins(strip, joins, spectrum.get_xlim()[1], plan.sample_rate)
    _label_time(spectrum)
    for axes in (strip, wave):
        axes.tick_params(labelbottom=False)
    figure.align_ylabels([wave, spectrum])
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})


def draw_waveform(axes, audio: Path, plan: Plan) -> None:
    """Draw the lowest and highest sample of each pixel column, with a legend beside.

    Each column has the colour of the source that covers most of it. A quiet unit is a thin line;
    where no unit is played, nothing is drawn. `audio` and errors are as for `save_picture`.
    """
    from matplotlib.collections import PolyCollection

    with _open(audio, plan) as file:
        edges = _column_edges(file.frames, axes)
        lows, highs = _measure_extremes(file, edges)
    names, owners = find_owners(plan, edges)
    colours = np.array([*_colours(plan, names), OTHERS])
    limit = max(1.05 * float(np.abs([lows, highs]).max()), 1e-3)
    corners = _bar_corners(
        edges / plan.sample_rate,
        np.minimum(lows, -limit / 150),
        np.maximum(highs, limit / 150),
    )
    is_played = owners >= 0
    style = {"facecolors": colours[owners[is_played]], "antialiaseds": False, "linewidths": 0}
    axes.add_collection(PolyCollection(list(corners[is_played]), **style), autolim=False)
    seconds = edges[-1] / plan.sample_rate
    axes.set(xlim=(0, seconds), ylim=(-limit, limit), ylabel="amplitude")
    if plan.roots.several:
        _draw_legend(axes, *_database_labels(plan, names, colours))
        return
    n_sources = len({step.source for step in plan.steps})
    labels = _source_labels(names, n_others=n_sources - len(names))
    _draw_legend(axes, labels, list(colours[: len(labels)]))


def _draw_voices(axes, plan: Plan) -> None:
    """Draw a lane for each voice, the first at the top, in the colours of its sources."""
    edges = _column_edges(plan.n_samples, axes)
    names, _ = find_owners(plan, edges)
    colours = np.array([*_colours(plan, names), OTHERS, NOTHING])  # -1 is the last
    owners = find_owners_of_voices(plan, names, edges)
    place = {"extent": (0, plan.n_samples / plan.sample_rate, plan.n_voices, 0), "aspect": "auto"}
    axes.imshow(colours[owners], **place, interpolation="nearest")
    axes.set_yticks(np.arange(plan.n_voices) + 0.5, range(plan.n_voices), fontsize=7)
    axes.set_ylabel("voice")


def _bar_corners(edges: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Return the corners (x, y) of the bars between successive edges, shape (bars, 4, 2)."""
    left = edges[:-1]
    right = edges[1:]
    corners = np.stack([left, lows, left, highs, right, highs, right, lows], axis=1)
    return corners.reshape(-1, 4, 2)


def _colours(plan: Plan, names: list[str]) -> list[Colour]:
    """Return the colours of sources that are named."""
    return shades_of(plan, names) if plan.roots.several else palette()[: len(names)]


def _database_labels(
    plan: Plan, names: list[str], colours: np.ndarray
) -> tuple[list[str], list[Colour]]:
    """Return the labels and colours of databases, each with those of its most played sources."""
    roots = plan.roots
    labels = []
    shown: list[Colour] = []
    shares = [share for share in database_shares(plan) if share["database"] is not None]
    for number, share in enumerate(shares):
        database = share["database"]
        labels.append(_shorten(f"{database}, {share['share']:.0%}"))
        shown.append(database_colour(number))
        own = [n for n, name in enumerate(names) if roots.split(name)[0] == database]
        for n in own[:LABELLED_SOURCES]:
            labels.append("  " + _shorten(PurePosixPath(roots.split(names[n])[1]).stem))
            shown.append(colours[n])
    return labels, shown


def _source_labels(names: list[str], *, n_others: int) -> list[str]:
    """Return the labels of sources, and of the others if there are any."""
    stems = [PurePosixPath(name).stem for name in names]
    labels = []
    for stem, name in zip(stems, names, strict=True):
        labels.append(_shorten(stem if stems.count(stem) == 1 else name))
    if n_others:
        labels.append("1 other" if n_others == 1 else f"{n_others} others")
    return labels


def _draw_legend(axes, labels: list[str], colours: list[Colour]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour) for colour in colours]  # type: ignore[arg-type]
    place = {"loc": "upper left", "bbox_to_anchor": (1, 1.03)}
    size = {"fontsize": 8, "handlelength": 1, "labelspacing": 0.25}
    legend = axes.legend(handles, labels, **place, **size, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _shorten(label: str) -> str:
    """Return a label in printable form, cut if it is too long."""
    label = printable(label)
    return label if len(label) <= LABEL_LETTERS else f"{label[: LABEL_LETTERS - 1]}…"


def _draw_spectrogram(axes, audio: Path, plan: Plan) -> None:
    lowest = min(LOWEST_HZ, plan.sample_rate / 8)
    with _open(audio, plan) as file:
        seconds = file.frames / plan.sample_rate
        bands = np.geomspace(lowest, plan.sample_rate / 2, round(_pixels(axes)[1]) + 1)
        power = measure_spectrogram(file, len(_column_edges(file.frames, axes)) - 1, bands)
    loudest = max(power.max(), 1e-20)
    decibels = 10 * np.log10(np.maximum(power / loudest, 1e-20))
    bottom, top = np.log10(bands[[0, -1]])
    place = {"extent": (0, seconds, bottom, top), "origin": "lower", "aspect": "auto"}
    colour = {"cmap": "magma", "vmin": -RANGE_DB, "vmax": 0}
    image = axes.imshow(decibels, **place, **colour, interpolation="nearest")
    _label_frequency(axes, bands[0], bands[-1])
    scale = axes.figure.add_axes((LEFT + WIDTH + 0.012, 0.095, 0.012, 0.435))
    axes.figure.colorbar(image, cax=scale, label="dB, the loudest is 0")


def _draw_joins(axes, joins: Sequence[int], seconds: float, sample_rate: int) -> None:
    times = np.asarray(joins) / sample_rate
    n_columns = round(_pixels(axes)[0])
    counts, _ = np.histogram(times, bins=n_columns, range=(0, seconds))
    place = {"extent": (0, seconds, 0, 1), "aspect": "auto"}
    colour = {"cmap": "Greys", "vmin": 0, "vmax": max(1, counts.max())}
    axes.imshow(counts[None], **place, **colour, interpolation="nearest")
    axes.set(xlim=(0, seconds), yticks=[])
    axes.tick_params(bottom=False)
    count = f"{len(joins):,}".replace(",", " ")
    label = "1 join" if len(joins) == 1 else f"{count} joins"
    axes.text(1.008, 0.5, label, transform=axes.transAxes, va="center", fontsize=8)


def _label_frequency(axes, lowest: float, highest: float) -> None:
    ticks = [hz for hz in TICKS_HZ if lowest <= hz <= highest]
    labels = [f"{hz // 1000} k" if hz >= 1000 else str(hz) for hz in ticks]
    axes.set_yticks(np.log10(ticks), labels)
    axes.set_ylabel("frequency (Hz)")


def _label_time(axes) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    seconds = axes.get_xlim()[1]
    axes.set_xlabel("time (s)" if seconds < 120 else "time (min:s)")
    if seconds >= 120:
        hours = math.ceil(seconds / 12 / 3600) * 3600
        step = next((step for step in TICKS_S if seconds / step <= 12), hours)
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda second, _: f"{second // 60:.0f}:{second % 60:02.0f}")
        )


def _measure_extremes(
    file: sf.SoundFile, edges: np.ndarray, block_samples: int = BLOCK_SAMPLES
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest sample of all channels between successive edges.

    Both have shape (len(edges) - 1,).
    """
    lows = np.full(len(edges) - 1, np.inf)
    highs = np.full(len(edges) - 1, -np.inf)
    at = 0
    for block in file.blocks(block_samples, dtype="float32", always_2d=True):
        ends = [at, at + len(block) - 1]
        first, last = np.searchsorted(edges, ends, side="right") - 1
        columns = slice(first, last + 1)
        cuts = np.maximum(edges[columns] - at, 0) * file.channels
        samples = block.ravel()
        lowest = np.minimum.reduceat(samples, cuts)
        highest = np.maximum.reduceat(samples, cuts)
        lows[columns] = np.minimum(lows[columns], lowest)
        highs[columns] = np.maximum(highs[columns], highest)
        at += len(block)
    return lows, highs


def _open(audio: Path, plan: Plan) -> sf.SoundFile:
    try:
        file = sf.SoundFile(audio)
    except (OSError, sf.LibsndfileError) as error:
        raise AudioError(
            f"{audio}: cannot be read ({error}); give the audio that was rendered from the plan"
        ) from error
    if file.samplerate == plan.sample_rate and file.frames:
        return file
    file.close()
    raise ParameterError(
        f"{audio}: {file.frames} samples at {file.samplerate} Hz; give the audio that was rendered"
        f" from the plan, which is at {plan.sample_rate} Hz"
    )


def _column_edges(n_samples: int, axes) -> np.ndarray:
    """Return the samples at which the axes' pixel columns begin and end, strictly increasing."""
    n_columns = min(n_samples, max(1, round(_pixels(axes)[0])))
    return np.arange(n_columns + 1) * n_samples // n_columns


def _pixels(axes) -> tuple[float, float]:
    extent = axes.get_window_extent()
    return extent.width, extent.height
