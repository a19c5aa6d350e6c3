"""demiurge query: the nearest units of each step."""

from pathlib import Path

import click

from demiurge.cli.filtering import filter_options, take_filters, take_weights
from demiurge.cli.output import echo_json, echo_table, json_option

SHOWN_STEPS = 20  # rows a person can take in; --json has all


@click.command(epilog="\b\nExamples:\n  demiurge query seed.wav my.db -k 10\n  demiurge query forecast.json my.db -k 3 --json")
@click.argument("seed", type=click.Path(path_type=Path))
@click.argument("database", metavar="DB", type=click.Path(path_type=Path))
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Units per step.")
@click.option(
    "--steps", type=click.IntRange(1), help=f"Steps to look up. [default: {SHOWN_STEPS} in the table, all with --json]"
)
@filter_options
@json_option
def query(seed: Path, database: Path, k: int, steps: int | None, as_json: bool, **options) -> None:
    """List the nearest units in DB of each step of SEED, an audio or a forecast file."""
    from db.database import Database
    from demiurge.pipeline import describe
    from query.index import UnitIndex

    opened, filters, weights = Database(database), take_filters(options), take_weights(options)
    described = describe(seed, opened.settings)
    sequence = described.sequence
    index = UnitIndex(opened, filters=filters, weights=weights)
    shown = sequence[: steps or (len(sequence) if as_json else SHOWN_STEPS)]
    matches = index.search(shown, k=k)
    positions = opened.units.ids.searchsorted(matches.units)
    found = [
        [
            {
                "unit": int(unit), "source": opened.sources[opened.units.source[position]].path,
                "start_sample": int(opened.units.start_sample[position]), "n_samples": int(opened.units.n_samples[position]),
                "distance": round(float(distance), 6),
            }
            for unit, position, distance in zip(*row, strict=True)
        ]
        for row in zip(matches.units, positions, matches.distances, strict=True)
    ]  # fmt: skip
    if as_json:
        echo_json({"seed": str(seed), "database": str(database), "k": k, "steps": found})
        return
    rate, at = opened.sample_rate, [0, *described.step_samples.cumsum()]
    rows = [
        [
            f"{at[step] / rate:.3f} s" if rank == 0 else "", str(rank + 1), match["source"],
            f"{match['start_sample'] / rate:.3f} s", str(match["unit"]), f"{match['distance']:.3f}",
        ]
        for step, row in enumerate(found) for rank, match in enumerate(row)
    ]  # fmt: skip
    echo_table(
        f"{seed}: {len(found)} of {len(sequence)} steps, nearest of {len(index)} units",
        ["at", "rank", "source", "start", "unit", "distance"], rows,
    )  # fmt: skip
