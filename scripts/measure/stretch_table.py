"""Measure mosaics of drum loops out of other loops, with units stretched to their steps or not.

    python scripts/measure/stretch_table.py LOOPS

Each loop of the folder whose pulse is clear is rebuilt out of all others, without those whose names
begin as its own. The columns are means, with `--stretch auto` and `off`:

stretched  share of the steps that are
pulse      as a share of the target's
tempo      correlation of the autocorrelations of onset strength at 40 to 240 bpm
onsets     share of the target's onsets with one of the render within 50 ms
right      share of the render's onsets with one of the target within 50 ms
"""

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from audio.onsets import find_onsets
from db.build import build_database
from db.settings import DescriptorSettings
from demiurge.domains import Domains
from demiurge.evaluate.rhythm import pulse, tempo_agreement
from demiurge.pipeline import render_mosaic
from query.names import STRETCHES
from query.settings import SearchSettings
from scripts.measure.domains_table import RATE, kept, load

CLEAR_PULSE = 0.3
COLUMNS = ("stretched", "pulse", "tempo", "onsets", "right")
ALIKE = 9  # letters: loop_amen and loop_amen_full are one recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("loops", type=Path)
    parser.add_argument("--units", nargs="+", default=["beat/4", "onset"])
    arguments = parser.parse_args()
    loops = sorted(arguments.loops.iterdir())
    targets = [loop for loop in loops if pulse(load(loop), RATE) >= CLEAR_PULSE]
    print(f"{len(targets)} targets: {', '.join(target.stem for target in targets)}")
    print(f"| units | stretch | {' | '.join(COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for units in arguments.units:
        rows: dict[str, list[list[float]]] = {stretch: [] for stretch in STRETCHES}
        for target in targets:
            with tempfile.TemporaryDirectory() as folder:
                others = [loop for loop in loops if loop.stem[:ALIKE] != target.stem[:ALIKE]]
                database = build(others, Path(folder), units)
                for stretch in STRETCHES:
                    rows[stretch].append(measure(target, database, stretch))
        for stretch, of_targets in rows.items():
            cells = " | ".join(f"{value:.2f}" for value in np.mean(of_targets, axis=0))
            print(f"| {units} | {stretch} | {cells} |", flush=True)


def build(loops: list[Path], folder: Path, units: str) -> Path:
    (folder / "sounds").mkdir()
    for loop in loops:
        shutil.copy(loop, folder / "sounds")
    settings = DescriptorSettings(units=units)
    build_database(folder / "sounds", folder / "my.db", settings=settings)
    return folder / "my.db"


def measure(target: Path, database: Path, stretch: str) -> list[float]:
    """Return the values of a row."""
    search = replace(SearchSettings(), stretch=stretch)
    out = database.with_name("out.wav")
    (result,) = render_mosaic(target, database, out, search=search, domains=Domains())
    wanted = load(target)
    heard = load(out)
    onsets = find_onsets(wanted, RATE)
    found = find_onsets(heard, RATE)
    steps = result.plan.steps
    return [
        sum(step.stretch != 1 for step in steps) / len(steps),
        pulse(heard, RATE) / pulse(wanted, RATE),
        tempo_agreement(heard, wanted, RATE),
        kept(onsets, found),
        kept(found, onsets),
    ]


if __name__ == "__main__":
    main()
