"""Compare a codec's joins with crossfades, for docs/rooms/playback.md.

    python scripts/measure/codec_joins.py CORPUS [--decode shipped] [--units 250] [--joins 600]
        [--random-seed 0]

Plans and figures are those of join_table.py. A codec changes all sound: what it does by itself is
the line of its copies, without joins, beside the sources. What its joins do is measured beside the
two sides as the codec copies them, as crossfades are beside the sources.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from audio.resample import resample
from demiurge.decode_plan import CodecDecoder, open_decoder
from playback.options import CrossfadeOptions
from playback.plan import Plan
from scripts.measure.join_table import (
    MARGIN,
    RATE,
    REACH,
    around_joins,
    joins_of,
    means,
    measure,
    open_sources,
    print_row,
    random_plan,
    sides_of,
)
from synth.codec import Codec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--decode", default="shipped", help="the codec")
    parser.add_argument("--units", nargs="+", default=["250"], help="milliseconds, or onset")
    parser.add_argument("--joins", type=int, default=600)
    parser.add_argument("--random-seed", type=int, default=0)
    arguments = parser.parse_args()
    decoder = open_decoder(arguments.decode)
    for units in arguments.units:
        rng = np.random.default_rng(arguments.random_seed)
        plan = random_plan(arguments.corpus, units, arguments.joins, rng)
        print(f"\nunits: {units}{'' if units == 'onset' else ' ms'}\n")
        print("| joins | flux | step | rise | level |\n|---|---|---|---|---|")
        print_row("hard cuts", measure(plan, CrossfadeOptions.plain(0)))
        print_row("crossfades: the default", measure(plan, CrossfadeOptions()))
        print_decoded(plan, decoder)


def print_decoded(plan: Plan, decoder: CodecDecoder) -> None:
    """Print the rows of a codec: its copies of what comes after each join, and its joins."""
    name = decoder.codec.name
    with open_sources(plan) as reader:
        sides = [sides_of(*join, reader, MARGIN) for join in joins_of(plan)]
        copies = [[copy(side, decoder.codec) for side in two] for two in sides]
        own = zip(copies, sides, strict=True)
        print_row(
            f"{name}: copies, no joins", figures_of((new[1], old[1], old[1]) for new, old in own)
        )
        for how, milliseconds in (("joined at a frame", 0.0), ("latents faded over 60 ms", 60.0)):
            crossfade = CrossfadeOptions.plain(milliseconds)
            rendered = np.concatenate(list(decoder.blocks(plan, reader, crossfade)))[:, 0]
            joins = around_joins(plan, reader, rendered)
            beside = ((made[0], *new) for made, new in zip(joins, copies, strict=True))
            print_row(f"{name}: {how}", figures_of(beside))


def copy(sound: np.ndarray, codec: Codec) -> np.ndarray:
    """Return a sound as a codec gives it back."""
    at_rate = resample(sound, RATE, codec.sample_rate)
    decoded = codec.decode(codec.latents(at_rate), n_samples=len(at_rate)).mean(axis=0)
    return resample(decoded, codec.sample_rate, RATE)[: len(sound)]


def figures_of(joins: Iterable[tuple[np.ndarray, ...]]) -> tuple[list[float], float]:
    """Return `means` of what lies around each join."""
    return means(
        tuple(signal[len(signal) // 2 - REACH : len(signal) // 2 + REACH] for signal in signals)
        for signals in joins
    )


if __name__ == "__main__":
    main()
