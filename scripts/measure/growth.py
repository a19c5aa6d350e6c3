"""Measure how search grows with the corpus, and compute what many machines need: docs/growth.md.

    python scripts/measure/growth.py FOLDER --audio AUDIO_DIR … [--most 10000000]
        [--kinds flat ivf pq] [--memory-gb 64] [--threads 16]

All audio of AUDIO_DIR … is analysed, most of it several times, at other rates, offsets and levels,
until there are `--most` units; one file in eight is what is searched for. FOLDER keeps everything:
when the same command is run again, it goes on where it was ended. 10^7 units need 4 GB of disk,
4 GB of memory, and half an hour of two quiet cores.

The first tables hold what was measured; how the others are computed, `growing/simulate.py` says.
"""

import argparse
import sys
from pathlib import Path

from scripts.measure.growing.corpus import UNITS, Corpus
from scripts.measure.growing.search import KINDS, Measured, measured
from scripts.measure.growing.simulate import Model
from scripts.measure.growing.tables import (
    exponents,
    hours_table,
    memory_table,
    search_table,
    simulated_table,
)

SIZES = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000)
SHARD_UNITS = 10_000_000
FILLED = 0.8  # of a node's memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--audio", type=Path, nargs="+", required=True)
    parser.add_argument("--most", type=int, default=SHARD_UNITS, help="units")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--memory-gb", type=float, default=64, help="of a node")
    parser.add_argument("--threads", type=int, default=16, help="of a node")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(arguments.folder, arguments.audio, show)
    analyses = [corpus.analysis(units) for units in UNITS]
    sizes = sorted({min(size, arguments.most) for size in SIZES})
    rows = measure(corpus, sizes, arguments.kinds)
    print("\n## Measured\n")
    search_table(rows)
    print()
    exponents(rows)
    print()
    memory_table(rows)
    compressed = [row for row in rows if row.kind == "pq"]
    if len(compressed) < 2:
        print("\nnothing is computed from one number of units: raise --most")
        return
    model = Model(compressed)
    print("\n## Computed: 1000 hours\n")
    hours_table(analyses, model)
    print(f"\n## Computed: shards of at most {SHARD_UNITS} units, one thread each\n")
    simulated_table(model, SHARD_UNITS, 1)
    print(f"\n## Computed: nodes of {arguments.memory_gb} GB and {arguments.threads} threads\n")
    fitting = FILLED * arguments.memory_gb * 1e9 / model.memory(1)
    simulated_table(model, fitting, arguments.threads)


def measure(corpus: Corpus, sizes: list[int], kinds: list[str]) -> list[Measured]:
    """Measure all kinds, "flat" first: it finds what the others are compared with."""
    rows = []
    for size in sizes:
        corpus.database(size)
        for kind in [kind for kind in KINDS if kind in {"flat", *kinds}]:
            print(f"measuring {kind} with {size} units", file=sys.stderr, flush=True)
            rows.append(measured(corpus.folder, size, kind))
    return rows


def show(done: int, total: int, label: str) -> None:
    print(f"\r{label}: {done} of {total}", end="\n" if done >= total > 0 else "", file=sys.stderr)


if __name__ == "__main__":
    main()
