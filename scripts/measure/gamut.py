"""Demiurge beside GAMuT on one corpus: seconds to build, match and render, and how near the result
is as heard.

    python -m venv gamut && gamut/bin/pip install gamut 'numpy<2.2'          # wants libportaudio2 and no newer NumPy
    python scripts/measure/gamut.py CORPUS TARGET… --gamut gamut/bin/python

Nearness is the mean distance, step by step, between the target's and the rendered file's MFCC + Δ +
ΔΔ, z-scored over the corpus, every descriptor counting alike. Both play at the target's length;
GAMuT as its README shows, with its defaults.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.pipeline import describe, render_mosaic
from query.index import UnitIndex
from query.options import PathOptions
from query.settings import SearchSettings

GAMUT = """
import json, sys, time
corpus_dir, target, out = sys.argv[1:]
from gamut.features import Corpus, Mosaic
t0 = time.perf_counter(); corpus = Corpus(source=corpus_dir)
t1 = time.perf_counter(); mosaic = Mosaic(target=target, corpus=corpus)
t2 = time.perf_counter(); audio = mosaic.to_audio()
audio.write(out)
t3 = time.perf_counter()
print("RESULT" + json.dumps([t1 - t0, t2 - t1, t3 - t2]))
"""
SETTINGS = {
    "Demiurge, default": PathOptions(),
    "Demiurge, --continuity 0": PathOptions(continuity=0.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("targets", type=Path, nargs="+")
    parser.add_argument("--gamut", help="the Python of an environment that has GAMuT")
    arguments = parser.parse_args()
    rows: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for target in arguments.targets:
            for name, row in compare(arguments.corpus, target, Path(folder), arguments.gamut):
                rows.setdefault(name, []).append(row)
    print("| | build, s | match, s | render, s | fit, as heard | of each target |")
    print("|---|---|---|---|---|---|")
    for name, of_targets in rows.items():
        build, match, render, fit = np.mean(of_targets, axis=0)
        each = ", ".join(f"{row[3]:.2f}" for row in of_targets)
        print(f"| {name} | {build:.2f} | {match:.2f} | {render:.2f} | {fit:.2f} | {each} |")


def compare(corpus: Path, target: Path, folder: Path, gamut: str | None):
    """(name, [build, match, render, fit]) of everything that is compared."""
    db = folder / target.stem
    started = time.perf_counter()
    build_database(corpus, db)
    built = time.perf_counter() - started
    database = Database(db)
    sequence = describe(target, database.settings).sequence
    wanted = database.normaliser.apply(sequence)
    nearest = UnitIndex(database, weights=even(database.settings)).search(sequence, k=1)
    yield "(the nearest units' own descriptors)", [built, 0, 0, float(nearest.distances.mean())]
    for name, options in SETTINGS.items():
        out = folder / "demiurge.wav"
        started = time.perf_counter()
        described = describe(target, database.settings)
        UnitIndex(database).search(described.sequence, k=32)
        searched = time.perf_counter() - started
        started = time.perf_counter()
        render_mosaic(target, db, out, selection=SearchSettings(path=options))
        whole = time.perf_counter() - started
        yield name, [built, searched, whole - searched, fit(out, wanted, database)]
    if gamut:
        out = folder / "gamut.wav"
        arguments = [gamut, "-c", GAMUT, str(corpus), str(target), str(out)]
        environment = {**os.environ, "KIVY_NO_ARGS": "1", "KIVY_NO_CONSOLELOG": "1"}
        result = subprocess.run(
            arguments, capture_output=True, text=True, check=True, env=environment
        )
        seconds = json.loads(result.stdout.rsplit("RESULT", 1)[1])
        yield "GAMuT", [*seconds, fit(out, wanted, database)]


def even(settings: DescriptorSettings) -> dict[str, float]:
    """Weights with which every descriptor counts alike."""
    return dict.fromkeys(settings.names, 1.0)


def fit(rendered: Path, wanted: np.ndarray, database: Database) -> float:
    heard = database.normaliser.apply(describe(rendered, database.settings).sequence)
    n = min(len(heard), len(wanted))
    return float(np.linalg.norm(heard[:n] - wanted[:n], axis=1).mean())


if __name__ == "__main__":
    main()
