"""Draw the picture of db: a source, its frames, their descriptors, and its units."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audio.read import read_mono
from db.analyse import Description, describe_signal
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from scripts.make.pictures.style import BLUE, ORANGE, label, new_figure

SOURCE = CORPUS_DIR / "loop_tabla.ogg"
SECONDS = 2.0
RATE = 44100
HOP = 1024
N_MFCC = 13
SETTINGS = DescriptorSettings(descriptors=("mfcc", "spectral", "loudness"), units="onset")


def draw_analysis() -> Figure:
    samples, _ = read_mono(SOURCE)
    samples = samples[: int(SECONDS * RATE)]
    description = describe_signal([samples], SETTINGS)
    assert description
    figure = new_figure(f"{SOURCE.name}: two seconds of a source, as the database sees it", 7)
    wave, image, lines = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2.5, 1.5])
    draw_units(wave, samples, description)
    draw_mfcc(figure, image, description)
    draw_more(lines, description)
    return figure


def draw_units(axes: Axes, samples: np.ndarray, description: Description) -> None:
    axes.plot(np.arange(len(samples)) / RATE, samples, color="0.25", lw=0.5)
    starts = np.append(0, np.cumsum(description.lengths)) / RATE
    for number, (start, stop) in enumerate(pairwise(starts)):
        axes.axvspan(start, stop, color=(BLUE, ORANGE)[number % 2], alpha=0.18, lw=0)
    axes.set(ylabel="amplitude")
    n_units = len(description.lengths)
    label(axes, f"units that begin with attacks (--units onset): {n_units}, of 60 ms to 2 s")


def draw_mfcc(figure: Figure, axes: Axes, description: Description) -> None:
    mfcc = description.frames[:, :N_MFCC]
    scores = (mfcc - mfcc.mean(axis=0)) / mfcc.std(axis=0)
    image = axes.imshow(
        scores.T,
        origin="lower",
        aspect="auto",
        cmap="RdBu_r",
        vmin=-3,
        vmax=3,
        interpolation="nearest",
        extent=(0, len(scores) * HOP / RATE, -0.5, N_MFCC - 0.5),
    )
    axes.set(ylabel="mfcc", yticks=[0, 4, 8, 12])
    text = "13 MFCC of every frame (a column is 23 ms, and a unit unless asked otherwise)"
    label(axes, f"{text}: {len(scores)} frames")
    figure.colorbar(image, ax=axes, label="standard deviations", pad=0.01)


def draw_more(axes: Axes, description: Description) -> None:
    loudness, centroid = (
        description.frames[:, SETTINGS.frame_names.index(name)] for name in ("loudness", "centroid")
    )
    seconds = (np.arange(len(loudness)) + 0.5) * HOP / RATE
    axes.plot(seconds, loudness, color=BLUE)
    axes.set_ylabel("loudness, LUFS", color=BLUE)
    other = axes.twinx()
    other.plot(seconds, centroid / 1000, color=ORANGE)
    other.set_ylabel("centroid, kHz", color=ORANGE)
    axes.set(xlabel="seconds", xlim=(0, SECONDS))
    option = "--descriptors mfcc,spectral,loudness"
    label(axes, f"two of the descriptors that can be put beside them ({option})")
