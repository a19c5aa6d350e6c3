"""The tables of docs/rooms/synth.md: vocoders against Griffin-Lim, and a generator against what it
must beat.

    python scripts/measure/synthesis_tables.py VOCODER --held-out FOLDER [FOLDER ...] [--also
    VOCODER ...]
        [--generator UNAGAN --trained-on FOLDER [--other FOLDER ...]] [--seconds 360] [--minutes 10]
        [--seed 0] [--picture PNG]

There is one table for each folder of recordings that no vocoder was trained on. Same seed, same
figures, but for the speed. Likeness is measured with MusiCNN's weights: pip install --no-deps
musicnn==0.1.0
"""

import argparse
from pathlib import Path

from synth.evaluate_generator import GeneratorReport, evaluate_generator
from synth.evaluate_vocoder import VocoderScore, evaluate_vocoders
from synth.generator import Generator
from synth.musicnn import Musicnn
from synth.vocoder import Vocoder

BIASED = " With so few windows FAD is biased upwards."


def main() -> None:
    arguments = _arguments()
    embedding = Musicnn.find()
    vocoder = Vocoder.load(arguments.vocoder).prepare()
    vocoders = {str(arguments.vocoder): vocoder} | {
        str(folder): Vocoder.load(folder).prepare() for folder in arguments.also
    }
    for folder in arguments.validation:
        picture = arguments.picture if folder == arguments.validation[0] else None
        report = evaluate_vocoders(
            vocoders,
            folder,
            seconds=arguments.seconds,
            random_seed=arguments.seed,
            embedding=embedding,
            picture=picture,
        )
        print(f"\n### {folder}\n\n{vocoder_table(report.scores)}", flush=True)
    if arguments.generator:
        found = evaluate_generator(
            Generator.load(arguments.generator),
            vocoder,
            arguments.trained_on,
            others={str(folder): folder for folder in arguments.other},
            minutes=arguments.minutes,
            random_seed=arguments.seed,
            embedding=embedding,
        )
        print(
            f"\n### {arguments.generator}, trained on"
            f" {arguments.trained_on}\n\n{generator_table(found)}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vocoder", type=Path)
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="more vocoders to compare")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True)
    parser.add_argument("--generator", type=Path)
    parser.add_argument(
        "--trained-on", type=Path, help="the recordings the generator was trained on"
    )
    parser.add_argument(
        "--other", type=Path, nargs="+", default=[], help="recordings of other styles"
    )
    parser.add_argument("--seconds", type=float, default=360, help="of each held-out folder")
    parser.add_argument(
        "--minutes", type=float, default=10, help="of each set the generator is compared with"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--picture", type=Path, help="mel spectrograms of one held-out excerpt, as PNG"
    )
    arguments = parser.parse_args()
    if bool(arguments.generator) != bool(arguments.trained_on):
        parser.error("--generator and --trained-on belong together; give both or neither")
    return arguments


def vocoder_table(scores: list[VocoderScore]) -> str:
    rows = [
        "| | mel L1 | multi-resolution STFT | FAD | windows | × real time |",
        "|---|---|---|---|---|---|",
    ]
    for s in scores:
        figures = (
            "" if value is None else f"{value:.{n}f}"
            for value, n in ((s.mel_l1, 3), (s.stft, 3), (s.fad, 2))
        )
        speed = "" if s.real_time is None else f"{s.real_time:.1f}"
        rows.append(f"| {s.name} | {' | '.join(figures)} | {s.windows} | {speed} |")
    note = (
        f"\nSpeed on threads: {scores[0].threads}.{BIASED * any(s.fad_is_biased for s in scores)}"
    )
    return "\n".join([*rows, note])


def generator_table(report: GeneratorReport) -> str:
    rows = ["| compared with the recordings | FAD |", "|---|---|"]
    rows += [f"| {name} | {fad:.1f} |" for name, fad in report.fad.items()]
    d = report.diversity
    note = (
        f"\n{report.clips} clips of 10 s, {report.windows} windows, in each"
        f" set.{BIASED * report.fad_is_biased} Seeds {report.seeds[0]} to {report.seeds[-1]}.\n\n|"
        " cosine distance | generated | recorded |\n|---|---|---|\n| mean of two clips |"
        f" {d.spread:.3f} ({100 * d.spread_ratio:.0f} %) | {d.recorded_spread:.3f} |\n| nearest"
        f" recorded clip, mean | {d.nearest:.3f} | {d.recorded_nearest:.3f} |\n| nearest recorded"
        f" clip, least | {d.closest:.3f} | {d.recorded_closest:.3f} |"
    )
    return "\n".join([*rows, note])


if __name__ == "__main__":
    main()
