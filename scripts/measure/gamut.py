"""Compare Demiurge with GAMuT on one corpus: seconds to build, match and render, and the fit.

    python -m venv gamut && gamut/bin/pip install gamut 'numpy<2.2'   # it needs libportaudio2
    python scripts/measure/gamut.py CORPUS TARGET… --gamut gamut/bin/python

Fit is the mean distance per step between the MFCC + Δ + ΔΔ of the target and of the rendered file,
z-scored over the corpus, with equal weights. Both programs render at the target's length; GAMuT is
used as its README shows, with its defaults.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from db.build import build_database
from db.database import Database
from demiurge.pipeline import render_mosaic
from demiurge.sequences import describe
from query.index import UnitIndex
from query.options import PathOptions
from query.settings import SearchSettings
from query.space import Space

GAMUT = """
import json, sys, time
corpus_dir, target, out = sys.argv[1:]
from gamut.features import Corpus, Mosaic
started = time.perf_counter()
corpus = Corpus(source=corpus_dir)
built = time.perf_counter()
mosaic = Mosaic(target=target, corpus=corpus)
matched = time.perf_counter()
mosaic.to_audio().write(out)
rendered = time.perf_counter()
print("RESULT" + json.dumps([built - started, matched - built, rendered - matched]))
"""
SETTINGS = {
    "Demiurge, default": PathOptions(),
    "Demiurge, --continuity 0": PathOptions(continuity=0.0),
}

Row = tuple[float, float, float, float]  # build, match, render, fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("targets", type=Path, nargs="+")
    parser.add_argument("--gamut", help="the Python of an environment that has GAMuT")
    arguments = parser.parse_args()
    rows: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for target in arguments.targets:
            for name, row in compare(arguments.corpus, target, Path(folder), arguments.gamut):
                rows.setdefault(name, []).append(row)
    print("| | build, s | match, s | render, s | fit | of each target |")
    print("|---|---|---|---|---|---|")
    for name, of_targets in rows.items():
        means = " | ".join(f"{value:.2f}" for value in np.mean(of_targets, axis=0))
        each = ", ".join(f"{row[3]:.2f}" for row in of_targets)
        print(f"| {name} | {means} | {each} |")


def compare(
    corpus: Path, target: Path, folder: Path, gamut: str | None
) -> Iterator[tuple[str, Row]]:
    """Yield the name and the figures of each row."""
    path = folder / target.stem
    started = time.perf_counter()
    build_database(corpus, path)
    built = time.perf_counter() - started
    database = Database(path)
    sequence = describe(target, database.settings).descriptors
    evenly = dict.fromkeys(database.settings.names, 1.0)
    nearest = UnitIndex(Space(database, weights=evenly)).search(sequence, k=1)
    yield "(the nearest units' own descriptors)", (built, 0, 0, float(nearest.distances.mean()))
    wanted = database.normaliser.apply(sequence)
    for name, options in SETTINGS.items():
        out = folder / "demiurge.wav"
        searched, rendered = time_mosaic(target, database, options, out)
        yield name, (built, searched, rendered, fit(out, wanted, database))
    if gamut:
        out = folder / "gamut.wav"
        seconds = time_gamut(gamut, corpus, target, out)
        yield "GAMuT", (*seconds, fit(out, wanted, database))


def time_mosaic(
    target: Path, database: Database, options: PathOptions, out: Path
) -> tuple[float, float]:
    """Return the seconds of the search, and of the rest of the work on the file."""
    started = time.perf_counter()
    sequence = describe(target, database.settings).descriptors
    UnitIndex(Space(database)).search(sequence, k=options.k)
    searched = time.perf_counter() - started
    started = time.perf_counter()
    render_mosaic(target, database.path, out, search=SearchSettings(path=options))
    return searched, time.perf_counter() - started - searched


def time_gamut(python: str, corpus: Path, target: Path, out: Path) -> tuple[float, float, float]:
    """Run GAMuT; return its seconds to build, match and render."""
    command = [python, "-c", GAMUT, str(corpus), str(target), str(out)]
    environment = {**os.environ, "KIVY_NO_ARGS": "1", "KIVY_NO_CONSOLELOG": "1"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    build, match, render = json.loads(result.stdout.rsplit("RESULT", 1)[1])
    return build, match, render


def fit(rendered: Path, wanted: np.ndarray, database: Database) -> float:
    """Return the mean distance of a file from the wanted z-scored sequence."""
    found = database.normaliser.apply(describe(rendered, database.settings).descriptors)
    n = min(len(found), len(wanted))
    return float(np.linalg.norm(found[:n] - wanted[:n], axis=1).mean())


if __name__ == "__main__":
    main()
