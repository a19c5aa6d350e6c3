"""The pictures of the rooms' pages, of bundled sounds, made by the program itself.

    make demo
    python scripts/make/doc_pictures.py demo docs/pictures

overview.png (the demo's own), db.png, query.png, playback.png, synth.png and training.png. map.png
and timeline.png are screenshots (scripts/make/screenshots.py); forecasts.png is that of the
comparison in docs/rooms/sequencer.md.
"""

import io
import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from audio.read import read_mono
from db.analyse import describe_file, describe_signal
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.shipped import shipped_model
from playback.crossfade import cross
from playback.gains import gains
from playback.options import CrossfadeOptions
from playback.overlaps import Limits
from query.explain import explain
from query.index import UnitIndex
from query.options import PathOptions
from query.path import UnitPath, select_path
from synth.generator import Generator
from synth.vocoder import Vocoder

RATE = 44100
HOP = 1024
SYNTH_SEED = 3
SEAM_MS = 70  # shown to either side
BLUE = "tab:blue"
ORANGE = "tab:orange"
GREEN = "tab:green"
GREY = "0.7"


def main(demo: str, folder: str) -> None:
    """All of them."""
    out = Path(folder)
    shutil.copyfile(Path(demo) / "overview.png", out / "overview.png")
    database = Database(Path(demo) / "corpus.db")
    figures = {
        "db": draw_analysis(),
        "query": draw_path(database),
        "playback": draw_seam(),
        "synth": draw_synthesis(),
        "training": draw_training(Path(demo) / "forecaster" / "log.jsonl"),
    }
    for name, figure in figures.items():
        save(figure, out / f"{name}.png")


def save(figure: Figure, path: Path) -> None:
    """In 256 colours: a third of the size, and no difference that is seen."""
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, dpi=110)
    Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def new_figure(title: str, height: float) -> Figure:
    figure = Figure(figsize=(11, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def label(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9)


def draw_analysis() -> Figure:
    """db: a sound, its frames, their descriptors, and the events that it can be cut into."""
    source = CORPUS_DIR / "loop_tabla.ogg"
    seconds = 2.0
    samples, _ = read_mono(source)
    samples = samples[: int(seconds * RATE)]
    settings = DescriptorSettings(descriptors=("mfcc", "spectral", "loudness"), units="onset")
    described = describe_signal([samples], settings)
    assert described
    scores = described.frames[:, :13]
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    columns = {
        name: described.frames[:, settings.frame_names.index(name)]
        for name in ("loudness", "centroid")
    }
    starts = np.append(0, np.cumsum(described.lengths)) / RATE
    figure = new_figure(f"{source.name}: two seconds of a source, as the database sees it", 7)
    wave, image, lines = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2.5, 1.5])
    wave.plot(np.arange(len(samples)) / RATE, samples, color="0.25", lw=0.5)
    for number, (start, stop) in enumerate(pairwise(starts)):
        wave.axvspan(start, stop, color=(BLUE, ORANGE)[number % 2], alpha=0.18, lw=0)
    wave.set(ylabel="amplitude")
    label(
        wave,
        f"units that begin with attacks (--units onset): {len(described.lengths)}, of 60 ms to 2 s",
    )
    drawn = image.imshow(
        scores.T,
        origin="lower",
        aspect="auto",
        cmap="RdBu_r",
        vmin=-3,
        vmax=3,
        interpolation="nearest",
        extent=(0, len(scores) * HOP / RATE, -0.5, 12.5),
    )
    image.set(ylabel="mfcc", yticks=[0, 4, 8, 12])
    label(
        image,
        "13 MFCC of every frame (a column is 23 ms, and a unit unless asked otherwise):"
        f" {len(scores)} frames",
    )
    figure.colorbar(drawn, ax=image, label="standard deviations", pad=0.01)
    at = (np.arange(len(scores)) + 0.5) * HOP / RATE
    lines.plot(at, columns["loudness"], color=BLUE)
    lines.set_ylabel("loudness, LUFS", color=BLUE)
    other = lines.twinx()
    other.plot(at, columns["centroid"] / 1000, color=ORANGE)
    other.set_ylabel("centroid, kHz", color=ORANGE)
    lines.set(xlabel="seconds", xlim=(0, seconds))
    label(
        lines,
        "two of the descriptors that can be put beside them (--descriptors mfcc,spectral,loudness)",
    )
    return figure


def draw_path(database: Database) -> Figure:
    """query: the candidates of some steps, the cheapest path through them, and the nearest unit of
    each.
    """
    steps = slice(17, 41)
    shown = 10
    _, described = describe_file(SEED_FILE, database.settings)
    index = UnitIndex(database)
    figure = new_figure(
        f"{SEED_FILE.name}, half a second: what sounds like each step, and what is played", 6.5
    )
    whole, detail = figure.subplots(2, 1, sharex=True, sharey=True)
    colours: dict[str, str] = {}
    for axes, continuity in ((whole, 0.0), (detail, PathOptions().continuity)):
        options = PathOptions(continuity=continuity)
        path = select_path(
            index, described.units[steps], options, step_samples=described.lengths[steps]
        )
        joins = explain(index, path, options).joins
        draw_candidates(axes, database, path, shown, colours)
        target = float(path.distances.sum())
        join = float(path.joins.sum())
        changes = int((path.joins > 0).sum())
        axes.set_ylabel("target cost")
        name = (
            "the nearest unit of each step (--continuity 0)"
            if not continuity
            else f"the path (--continuity {continuity:g})"
        )
        label(
            axes,
            f"{name}: target costs {target:.0f}, join costs {join:.0f}, {changes} joins in"
            f" {joins.shape[0]} steps",
        )
    detail.set_xlabel("step of the target, 23 ms each")
    return figure


def draw_candidates(
    axes: Axes, database: Database, path: UnitPath, shown: int, colours: dict[str, str]
) -> None:
    """Candidates grey; what is played in the colour of its source, joined by a line where the
    recording simply goes on.
    """
    near = path.matches.distances[:, :shown]
    axes.plot(np.repeat(np.arange(len(near)), near.shape[1]), near.ravel(), ".", color=GREY, ms=5)
    sources = np.array(
        [
            Path(database.sources[i].path).name
            for i in database.units.source[database.positions(path.units)]
        ]
    )
    for name in dict.fromkeys(sources.tolist()):
        colours.setdefault(name, f"C{len(colours)}")
    for step in range(1, len(sources)):
        goes_on = (
            {"color": colours[sources[step]], "lw": 3.0}
            if path.joins[step] == 0
            else {"color": "0.2", "lw": 0.7, "ls": ":"}
        )
        axes.plot([step - 1, step], path.distances[step - 1 : step + 1], **goes_on)
    for name in dict.fromkeys(sources.tolist()):
        mine = np.flatnonzero(sources == name)
        axes.plot(mine, path.distances[mine], "o", color=colours[name], ms=6, label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1.02), fontsize=8, frameon=False)


def draw_seam() -> Figure:
    """playback: two recordings around a boundary, the gains they are given, and what is heard."""
    reach = 6400
    sides = [read_mono(CORPUS_DIR / name)[0] for name in ("guit_em9.ogg", "guit_e_fifths.ogg")]
    starts = (0.5, 1.0)  # seconds: where the boundary lies in each
    both = [
        side[(at := int(start * RATE)) - reach : at + reach][None, :, None]
        for side, start in zip(sides, starts, strict=True)
    ]
    limits = Limits(*(np.array([value]) for value in (5000, 5000, -2600, 2600, 0, 0)))
    options = CrossfadeOptions()
    mixed, overlaps = cross(*both, limits, options=options, sample_rate=RATE)
    extent = overlaps.extent
    weights = gains(overlaps, extent, options.fade)
    t = np.arange(-extent, extent) / RATE * 1000
    figure = new_figure("a seam: guit_em9.ogg gives way to guit_e_fifths.ogg", 6.5)
    rows = figure.subplots(3, 1, sharex=True)
    said = (
        "the outgoing unit, and what follows it in its recording",
        "the incoming unit, and what comes before it",
    )
    for axes, side, gain, colour, text in zip(
        rows, both, weights, (BLUE, ORANGE), said, strict=False
    ):
        axes.plot(t, side[0, reach - extent : reach + extent, 0], color=colour, lw=0.6)
        level = np.abs(side).max()
        axes.plot(t, gain[0] * level, color="0.2", lw=1.5)
        axes.set_ylim(-1.1 * level, 1.4 * level)
        label(axes, f"{text}; the line is its gain")
    rows[2].plot(t, mixed[0, :, 0], color=GREEN, lw=0.6)
    length = overlaps.in_length[0] / RATE * 1000
    middle = (overlaps.in_start + overlaps.in_length / 2)[0] / RATE * 1000
    label(
        rows[2],
        f"what is heard: {length:.0f} ms of overlap, moved by {middle:+.1f} ms to where the two"
        f" agree; their correlation is {overlaps.likeness[0]:.2f}, the step in level"
        f" {overlaps.step_db[0]:+.1f} dB",
    )
    for axes in rows:
        axes.axvline(0, color="0.2", lw=0.8, ls="--")
        axes.set_yticks([])
    rows[2].set(
        xlabel="milliseconds from the boundary, where the plan puts it", xlim=(-SEAM_MS, SEAM_MS)
    )
    return figure


def draw_synthesis() -> Figure:
    """synth: noise, the mel spectrogram that the generator makes of it, and the audio of the
    vocoder.
    """
    generator = Generator.load(shipped_model("unagan"))
    vocoder = Vocoder.load(shipped_model("vocoder")).prepare()
    settings = generator.mel
    seconds = 4.0
    frames = round(seconds * settings.frame_rate)
    noise = generator.latent.draw(
        np.random.default_rng(SYNTH_SEED), frames // generator.config.frames_per_step
    ).numpy()
    mel = generator.sample(frames, random_seeds=[SYNTH_SEED])[0].numpy()
    audio = vocoder.synthesise(mel)
    figure = new_figure("from noise to sound: the shipped generator and vocoder", 6.5)
    rows = figure.subplots(3, 1, sharex=True, height_ratios=[1, 2, 1.3])
    extent = (0, seconds, 0, 1)
    rows[0].imshow(noise, aspect="auto", cmap="gray", extent=extent, interpolation="nearest")
    rows[0].set_yticks([])
    label(rows[0], "noise, 20 values every 93 ms")
    rows[1].imshow(
        mel,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=mel.max() - 9,
        extent=(0, seconds, 0, len(mel)),
    )
    rows[1].set_ylabel("mel band")
    label(rows[1], "the generator makes a mel spectrogram of it")
    rows[2].plot(np.arange(len(audio)) / settings.sample_rate, audio, color="0.25", lw=0.4)
    rows[2].set(ylabel="amplitude", xlabel="seconds", xlim=(0, seconds))
    label(rows[2], "the vocoder makes audio of that: piano that nobody played")
    return figure


def draw_training(log: Path) -> Figure:
    """training: losses on what is learned and on what is held out; the best of the latter is kept."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    epochs = [line["epoch"] for line in lines]
    learned, validation = (
        [line[key] for line in lines] for key in ("train/loss", "validation/loss")
    )
    best = int(np.argmin(validation))
    figure = new_figure("training the demo's forecaster on the bundled loops", 4)
    axes = figure.subplots()
    axes.plot(epochs, learned, color=GREY, label="on what it learns from")
    axes.plot(epochs, validation, color=BLUE, label="on a loop that it never hears")
    axes.plot(
        epochs[best], validation[best], "o", color=ORANGE, ms=9, label=f"kept: epoch {epochs[best]}"
    )
    axes.set(xlabel="epoch", ylabel="nats per step: lower is better")
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main(*sys.argv[1:])
