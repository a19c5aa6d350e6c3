"""Measure mosaics of targets that are unlike, or like, their corpus: before and after.

    python scripts/measure/domains_table.py drums.wav=SPEECH voice.wav=ORCHESTRA piano.wav=CLICKS

Before is `--range shared --level own`, after the default. Each corpus is a folder, analysed in
frames. The columns:

far       how many times as far the target lies from the units as they from one another
distinct  units played, as a share of the steps
highest   loudest 100 ms of the render, LUFS
course    correlation of the loudness of every 100 ms, down to 50 dB below the loudest
onsets    share of the target's onsets with one of the render within 50 ms
rise      median of the steepest rise within 10 ms at the target's onsets, dB; of the target in ()
fit       mean distance per step between the z-scored MFCC + Δ + ΔΔ of target and render
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from audio.loudness import k_weighting
from audio.onsets import find_onsets
from audio.read import read_mono
from audio.resample import resample
from db.build import build_database
from db.database import Database
from demiurge.domains import ALIKE, Domains
from demiurge.pipeline import render_mosaic
from demiurge.results import RenderResult
from demiurge.sequences import describe
from query.settings import SearchSettings

RATE = 44100  # Hz
COURSE_SECONDS = 0.1
COURSE_DB = 50.0  # below the loudest: as silent as anything quieter
TOLERANCE_SECONDS = 0.05
RISE_SECONDS = 0.005  # of an envelope's value
SETTINGS = {"before": ALIKE, "after": Domains()}
COLUMNS = ("far", "distinct", "highest", "course", "onsets", "rise", "fit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="TARGET=CORPUS")
    pairs = [pair.split("=", 1) for pair in parser.parse_args().pairs]
    print(f"| target, corpus | | {' | '.join(COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for target, corpus in pairs:
            print_pair(Path(target), Path(corpus), Path(folder))


def print_pair(target: Path, corpus: Path, folder: Path) -> None:
    """Print the rows of one target and corpus."""
    path = folder / f"{corpus.name}.db"
    if not path.exists():
        build_database(corpus, path)
    for name, domains in SETTINGS.items():
        out = folder / "out.wav"
        (result,) = render_mosaic(target, path, out, search=SearchSettings(), domains=domains)
        cells = " | ".join(measure(result, target, Database(path)))
        print(f"| {target.stem}, {corpus.name} | {name} | {cells} |", flush=True)


def measure(result: RenderResult, target: Path, database: Database) -> list[str]:
    """Return the cells of a row."""
    wanted = load(target)
    heard = load(result.wav)
    onsets = find_onsets(wanted, RATE)
    courses = [course(audio) for audio in (wanted, heard)]
    shortest = min(map(len, courses))
    correlation = np.corrcoef(courses[0][:shortest], courses[1][:shortest])[0, 1]
    settled = result.settled
    assert settled is not None
    return [
        "" if settled.farness is None else f"{settled.farness:.2f}, {settled.range}",
        f"{result.n_distinct_units / len(result.plan.steps):.0%}",
        f"{courses[1].max():.0f}",
        f"{correlation:.2f}",
        f"{kept(onsets, find_onsets(heard, RATE)):.0%}",
        f"{rise(heard, onsets):.0f} ({rise(wanted, onsets):.0f})",
        f"{fit(result.wav, target, database):.2f}",
    ]


def load(path: Path) -> np.ndarray:
    audio, info = read_mono(path)
    return resample(audio, info.sample_rate, RATE)


def course(audio: np.ndarray) -> np.ndarray:
    """Return the K-weighted loudness of every 100 ms in LUFS."""
    from scipy.signal import sosfilt

    weighted = np.square(sosfilt(k_weighting(RATE), audio.astype(np.float64)))
    size = round(COURSE_SECONDS * RATE)
    power = weighted[: len(weighted) // size * size].reshape(-1, size).mean(axis=1)
    loudness = -0.691 + 10 * np.log10(np.maximum(power, 1e-12))
    return np.maximum(loudness, loudness.max() - COURSE_DB)


def kept(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return the share of onsets, in seconds, that have one of `found` near them."""
    if not len(wanted) or not len(found):
        return 0.0
    away = np.abs(wanted[:, None] - found).min(axis=1)
    return float((away <= TOLERANCE_SECONDS).mean())


def rise(audio: np.ndarray, onsets: np.ndarray) -> float:
    """Return the median of the steepest rise at onsets, in dB within twice `RISE_SECONDS`."""
    size = round(RISE_SECONDS * RATE)
    power = np.square(audio[: len(audio) // size * size].reshape(-1, size)).mean(axis=1)
    envelope = 10 * np.log10(np.maximum(power, 1e-9))
    steps = envelope[2:] - envelope[:-2]
    reach = round(TOLERANCE_SECONDS / RISE_SECONDS)
    places = np.round(onsets / RISE_SECONDS).astype(int)
    near = [steps[max(place - reach, 0) : place + reach] for place in places]
    return float(np.median([values.max() for values in near if len(values)] or [0.0]))


def fit(rendered: Path, target: Path, database: Database) -> float:
    """Return the mean distance of a render from its target in z-scores."""
    rows = [describe(path, database.settings).descriptors for path in (rendered, target)]
    found, wanted = (database.normaliser.apply(each) for each in rows)
    shortest = min(len(found), len(wanted))
    return float(np.linalg.norm(found[:shortest] - wanted[:shortest], axis=1).mean())


if __name__ == "__main__":
    main()
