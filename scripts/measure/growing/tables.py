"""Tables of docs/growth.md: what was measured, and what is computed from it."""

from collections.abc import Iterable

from scripts.measure.growing.corpus import Analysis
from scripts.measure.growing.search import KINDS, Measured
from scripts.measure.growing.simulate import HOUR_UNITS, Model, exponent, simulate

SIZES = (10**6, 10**7, 10**8, 10**9, 10**10)
SEARCHED = (
    "units",
    "index",
    "cells",
    "compared with a step",
    "1000 steps, k = 32",
    "recall@32",
    "making the index",
)
KEPT = (
    "units",
    "index",
    "unit table and masks",
    "index in memory",
    "database on disk",
    "index on disk",
)
COMPUTED = (
    "units",
    "audio",
    "shards",
    "memory of each",
    "on disk",
    "cells of each made in",
    "search of each",
    "merge",
    "network",
    "1000 steps",
)
HOURS = ("units", "a second", "units", "database", "pq index", "memory", "analysis, one core")


def search_table(rows: list[Measured]) -> None:
    """Print times and recall."""
    print_row(SEARCHED)
    print_row(["---"] * len(SEARCHED))
    for row in rows:
        print_row(
            (
                number(row.n_units),
                f"`{row.kind}`",
                number(row.n_cells) if row.n_cells else "",
                number(row.compared),
                time_text(row.seconds),
                f"{row.recall:.3f}",
                time_text(row.build_seconds),
            )
        )


def exponents(rows: list[Measured]) -> None:
    """Print how fast the time of each kind grows with the units."""
    for kind in KINDS:
        ours = [row for row in rows if row.kind == kind]
        if len(ours) > 1:
            print(f"`{kind}`: time grows with units^{exponent(ours):.2f}")


def memory_table(rows: list[Measured]) -> None:
    """Print bytes in memory and on disk."""
    print_row(KEPT)
    print_row(["---"] * len(KEPT))
    for row in rows:
        sizes = (row.table_bytes, row.index_bytes, row.disk_bytes, row.kept_bytes)
        print_row((number(row.n_units), f"`{row.kind}`", *map(size_text, sizes)))


def hours_table(analyses: Iterable[Analysis], model: Model) -> None:
    """Print what 1000 hours of audio need, from the targets' databases."""
    print_row(HOURS)
    print_row(["---"] * len(HOURS))
    for analysis in analyses:
        of_hours = 3_600_000 / analysis.audio_s
        n_units = analysis.n_units * of_hours
        index_bytes = n_units * model.largest.kept_bytes / model.largest.n_units
        print_row(
            (
                f"`{analysis.units}`",
                f"{analysis.n_units / analysis.audio_s:.2f}",
                number(n_units),
                size_text(analysis.n_bytes * of_hours),
                size_text(index_bytes),
                size_text(model.memory(n_units)),
                f"{time_text(analysis.seconds * of_hours)}"
                f" ({analysis.audio_s / analysis.seconds:.0f} × real time)",
            )
        )


def simulated_table(model: Model, shard_units: float, threads: int) -> None:
    """Print what corpora need that are divided into shards of so many units."""
    print_row(COMPUTED)
    print_row(["---"] * len(COMPUTED))
    for n_units in SIZES:
        row = simulate(model, n_units, shard_units, threads)
        print_row(
            (
                number(row.n_units),
                f"{number(row.n_units / HOUR_UNITS)} h",
                number(row.n_shards),
                size_text(row.memory),
                size_text(row.disk),
                time_text(row.build_seconds),
                time_text(row.shard_seconds),
                time_text(row.merge_seconds),
                size_text(row.network_bytes),
                time_text(row.seconds),
            )
        )


def print_row(cells: Iterable[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def number(value: float) -> str:
    """Return a number with groups of three digits, or as a power of ten."""
    if value >= 10**8:
        mantissa, power = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}·10^{int(power)}"
    return f"{value:,.0f}".replace(",", " ")


def size_text(n_bytes: float) -> str:
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
    return f"{n_bytes / 1000:.3g} TB"


def time_text(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    lengths = ((7200, 3600, "h"), (120, 60, "min"), (1, 1, "s"), (0, 1e-3, "ms"))
    _, length, unit = next(row for row in lengths if seconds >= row[0])
    return f"{float(f'{seconds / length:.2g}'):g} {unit}"
