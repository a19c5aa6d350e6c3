"""A picture of a rendering: its waveform coloured by source, where units give way to each other,
and its spectrogram.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile as sf
from scipy import fft

from files.atomic import replacing
from files.errors import AudioError, ParameterError
from playback.plan import Plan

NAMED_SOURCES = 12  # as many as a legend can tell apart; the rest are grey
LABEL_LETTERS = 24  # of a source's name
OTHERS = (0.6, 0.6, 0.6)
RANGE_DB = 70  # below the loudest, about what 16-bit recordings hold above their noise
LOWEST_HZ = 40.0
WINDOW_S = 0.046  # of the spectra; shorter where there is less than a second
WINDOWS = 4  # at most, averaged to a pixel column
BLOCK_SAMPLES = 1 << 18  # read at a time
# of the figure; the legend and the scale have the rest
LEFT = 0.075
WIDTH = 0.725
TICKS_S = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # between the labels of a long time axis


def save_picture(audio: Path, plan: Plan, path: Path, *, joins: Sequence[int], title: str) -> None:
    """Write a PNG of rendered audio; the same audio gives the same bytes.

    Parameters
    ----------
    audio : Path
        What was rendered from `plan`, at its sample rate.
    path : Path
        Ends in .png.
    joins : sequence of int
        Samples of the output at which one unit gives way to another; their number per pixel column
        is drawn.

    Raises
    ------
    AudioError
        If the audio cannot be read.
    ParameterError
        If it is empty or of another rate, or `path` cannot be written or is no PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.suffix.lower() != ".png":
        raise ParameterError(f"{path}: a picture is a PNG; give a name that ends in .png")
    figure = Figure(figsize=(11, 5.5), dpi=150)
    FigureCanvasAgg(figure)
    figure.text(LEFT, 0.955, title, fontsize=11, parse_math=False)
    spectrum = figure.add_axes((LEFT, 0.095, WIDTH, 0.435))
    wave = figure.add_axes((LEFT, 0.555, WIDTH, 0.34), sharex=spectrum)
    strip = figure.add_axes((LEFT, 0.9, WIDTH, 0.03), sharex=spectrum)
    draw_waveform(wave, audio, plan)
    _draw_spectrogram(spectrum, audio, plan)
    _draw_seams(strip, joins, spectrum.get_xlim()[1], plan.sample_rate)
    _label_time(spectrum)
    for axes in (strip, wave):
        axes.tick_params(labelbottom=False)
    figure.align_ylabels([wave, spectrum])
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})


def draw_waveform(axes, audio: Path, plan: Plan) -> None:
    """Lowest and highest sample of each pixel column in the colour of the source that has most of
    it, and a legend beside.

    A quiet unit is a thin line; where no unit is played nothing is drawn. `audio` and errors as for
    `save_picture`.
    """
    from matplotlib.collections import PolyCollection

    with _open(audio, plan) as file:
        edges = _edges(file.frames, axes)
        lows, highs = _extremes(file, edges)
    names, owners = _owners(plan, edges)
    colours = np.array([*_palette()[: len(names)], OTHERS])
    limit = max(1.05 * float(np.abs([lows, highs]).max()), 1e-3)
    lows = np.minimum(lows, -limit / 150)
    highs = np.maximum(highs, limit / 150)
    left = edges[:-1] / plan.sample_rate
    right = edges[1:] / plan.sample_rate
    corners = np.stack([left, lows, left, highs, right, highs, right, lows], axis=1).reshape(
        -1, 4, 2
    )
    played = owners >= 0
    bars = PolyCollection(
        list(corners[played]), facecolors=colours[owners[played]], antialiaseds=False, linewidths=0
    )
    axes.add_collection(bars, autolim=False)
    axes.set(xlim=(0, right[-1]), ylim=(-limit, limit), ylabel="amplitude")
    _draw_legend(
        axes, names, colours, n_others=len({step.source for step in plan.steps}) - len(names)
    )


def _draw_legend(axes, names: list[str], colours: np.ndarray, *, n_others: int) -> None:
    from matplotlib.patches import Patch

    stems = [PurePosixPath(name).stem for name in names]
    labels = [
        stem if stems.count(stem) == 1 else name for stem, name in zip(stems, names, strict=True)
    ]
    labels = [
        "".join(letter if letter.isprintable() else " " for letter in label) for label in labels
    ]
    labels = [
        label if len(label) <= LABEL_LETTERS else f"{label[: LABEL_LETTERS - 1]}…"
        for label in labels
    ]
    if n_others:
        labels.append(f"{n_others} other{'s'[: n_others - 1]}")
    handles = [Patch(color=colour) for colour in colours[: len(labels)]]
    legend = axes.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(1, 1.03),
        fontsize=8,
        frameon=False,
        handlelength=1,
        labelspacing=0.25,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_spectrogram(axes, audio: Path, plan: Plan) -> None:
    with _open(audio, plan) as file:
        seconds = file.frames / plan.sample_rate
        bands = np.geomspace(
            min(LOWEST_HZ, plan.sample_rate / 8), plan.sample_rate / 2, round(_pixels(axes)[1]) + 1
        )
        power = _spectrogram(file, len(_edges(file.frames, axes)) - 1, bands)
    decibels = 10 * np.log10(np.maximum(power / max(power.max(), 1e-20), 1e-20))
    ends = np.log10(bands[[0, -1]])
    image = axes.imshow(
        decibels,
        origin="lower",
        extent=(0, seconds, *ends),
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
    )
    ticks = [
        hz
        for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
        if bands[0] <= hz <= bands[-1]
    ]
    axes.set_yticks(np.log10(ticks), [f"{hz // 1000} k" if hz >= 1000 else str(hz) for hz in ticks])
    axes.set_ylabel("frequency (Hz)")
    scale = axes.figure.add_axes((LEFT + WIDTH + 0.012, 0.095, 0.012, 0.435))
    axes.figure.colorbar(image, cax=scale, label="dB, the loudest is 0")


def _draw_seams(axes, joins: Sequence[int], seconds: float, sample_rate: int) -> None:
    counts = np.histogram(
        np.asarray(joins) / sample_rate, bins=round(_pixels(axes)[0]), range=(0, seconds)
    )[0]
    axes.imshow(
        counts[None],
        cmap="Greys",
        vmin=0,
        vmax=max(1, counts.max()),
        aspect="auto",
        extent=(0, seconds, 0, 1),
        interpolation="nearest",
    )
    axes.set_yticks([])
    axes.set_xlim(0, seconds)
    axes.tick_params(bottom=False)
    label = f"{len(joins):,} seam{'s'[: len(joins) != 1]}".replace(",", " ")
    axes.text(1.008, 0.5, label, transform=axes.transAxes, va="center", fontsize=8)


def _label_time(axes) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    seconds = axes.get_xlim()[1]
    axes.set_xlabel("time (s)" if seconds < 120 else "time (min:s)")
    if seconds >= 120:
        step = next(
            (step for step in TICKS_S if seconds / step <= 12),
            math.ceil(seconds / 12 / 3600) * 3600,
        )
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda second, _: f"{second // 60:.0f}:{second % 60:02.0f}")
        )


def _owners(plan: Plan, edges: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Sources with a name, most played first; and which of them has each column: len(names) is
    another one, -1 is none.
    """
    lengths: Counter[str] = Counter()
    for step in plan.steps:
        lengths[step.source] += step.n_samples
    names = [source for source, _ in lengths.most_common(NAMED_SOURCES)]
    spans: list[list[tuple[int, int]]] = [[] for _ in range(len(names) + 1)]
    for step in plan.steps:
        spans[names.index(step.source) if step.source in names else -1].append(
            (step.at_sample, step.until_sample)
        )
    shares = np.array([_covered(np.array(span).reshape(-1, 2), edges) for span in spans])
    return names, np.where(shares.max(axis=0) > 0, shares.argmax(axis=0), -1)


def _covered(spans: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How much of each interval between edges the spans (start, end), in order, cover."""
    passed = np.concatenate([[0], np.cumsum(spans[:, 1] - spans[:, 0])])  # before each span
    before = np.concatenate([[0], spans.ravel()])
    return np.diff(np.interp(edges, before, np.repeat(passed, 2)[:-1]))


def _extremes(file: sf.SoundFile, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sample over all channels between each two edges, both of shape (len(edges)
    - 1,).
    """
    lows = np.full(len(edges) - 1, np.inf)
    highs = np.full(len(edges) - 1, -np.inf)
    at = 0
    for block in file.blocks(BLOCK_SAMPLES, dtype="float32", always_2d=True):
        first, last = np.searchsorted(edges, [at, at + len(block) - 1], side="right") - 1
        cuts = np.maximum(edges[first : last + 1] - at, 0) * file.channels
        columns = slice(first, last + 1)
        lows[columns] = np.minimum(lows[columns], np.minimum.reduceat(block.ravel(), cuts))
        highs[columns] = np.maximum(highs[columns], np.maximum.reduceat(block.ravel(), cuts))
        at += len(block)
    return lows, highs


def _spectrogram(file: sf.SoundFile, n_columns: int, bands: np.ndarray) -> np.ndarray:
    """Mean power of the channels between each two of `bands` (Hz), shape (len(bands) - 1,
    n_columns).

    Windows lie evenly, as many to a column as leave no gap between them but no more than `WINDOWS`.
    """
    length = max(min(1 << round(math.log2(WINDOW_S * file.samplerate)), file.frames // 16), 64)
    per_column = min(math.ceil(2 * file.frames / n_columns / length), WINDOWS)
    starts = (np.arange(n_columns * per_column) + 0.5) * file.frames / (
        n_columns * per_column
    ) - length / 2
    n_fft = 4 * fft.next_fast_len(length)  # finer than the window resolves: low bands become smooth
    frequencies = fft.rfftfreq(n_fft, 1 / file.samplerate)
    window = np.hanning(length).astype(np.float32)
    columns = []
    for group in starts.astype(int).reshape(n_columns, per_column):
        spectra = fft.rfft(
            np.stack([_span(file, start, length) for start in group]) * window, n_fft
        )
        power = (spectra.real**2 + spectra.imag**2).mean(axis=(0, 1), dtype=np.float64)
        below = np.interp(bands, frequencies, np.cumsum(power))  # in all lower bands together
        columns.append(np.diff(below) / np.diff(bands))
    return np.stack(columns, axis=1)


def _span(file: sf.SoundFile, start: int, n_samples: int) -> np.ndarray:
    """Samples, float32, shape (channels, n_samples); silence before the beginning and after the
    end.
    """
    first = max(start, 0)
    last = min(start + n_samples, file.frames)
    file.seek(first)
    samples = file.read(last - first, dtype="float32", always_2d=True)
    return np.pad(samples.T, ((0, 0), (first - start, n_samples - len(samples) - (first - start))))


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


def _edges(n_samples: int, axes) -> np.ndarray:
    """Sample numbers at which the axes' pixel columns begin and end, strictly increasing."""
    n_columns = min(n_samples, max(1, round(_pixels(axes)[0])))
    return np.arange(n_columns + 1) * n_samples // n_columns


def _pixels(axes) -> tuple[float, float]:
    extent = axes.get_window_extent()
    return extent.width, extent.height


def _palette() -> list[tuple[float, ...]]:
    """As many colours as `NAMED_SOURCES`, strong ones first, none of them grey."""
    from matplotlib import colormaps

    # type: ignore[attr-defined]
    strong = colormaps["tab20"].colors[::2]
    pale = colormaps["tab20"].colors[1::2]
    return [*strong[:7], *strong[8:], *pale[:3]]
