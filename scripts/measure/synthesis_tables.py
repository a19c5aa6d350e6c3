"""Compare vocoders with Griffin-Lim, and a generator with real audio, for docs/rooms/synth.md.

    python scripts/measure/synthesis_tables.py VOCODER [--also VOCODER …] --audio FOLDER …
        [--generator GENERATOR --trained-on FOLDER [--other FOLDER …]] [--picture PNG]
        [--seconds 360] [--minutes 10] [--random-seed 0]

Prints a table for each folder of audio that no vocoder was trained on. The same random seed gives
the same figures, except for speed. Likeness is measured with MusiCNN's weights, which need
pip install --no-deps musicnn==0.1.0
"""

import argparse
from pathlib import Path

from demiurge.cli.synth_evaluation_report import distances_cells, estimate_text, number_text
from synth.evaluate_generator import GeneratorReport, evaluate_generator
from synth.evaluate_vocoder import VocoderScore, evaluate_vocoders
from synth.generator import load_generator
from synth.music_measures import MusicMeasures
from synth.musicnn import Musicnn
from synth.vocoder import Vocoder

BIASED = " With so few windows FAD is biased upwards."


def main() -> None:
    arguments = parse_arguments()
    embedding = Musicnn.find()
    folders = [arguments.vocoder, *arguments.also]
    vocoders = {str(folder): Vocoder.load(folder).prepare() for folder in folders}
    for folder in arguments.audio:
        report = evaluate_vocoders(
            vocoders,
            folder,
            seconds=arguments.seconds,
            random_seed=arguments.random_seed,
            embedding=embedding,
            picture=arguments.picture if folder == arguments.audio[0] else None,
        )
        print(f"\n### {folder}\n\n{vocoder_table(report.scores)}", flush=True)
    if arguments.generator:
        report = evaluate_generator(
            load_generator(arguments.generator),
            vocoders[str(arguments.vocoder)],
            arguments.trained_on,
            others={str(folder): folder for folder in arguments.other},
            minutes=arguments.minutes,
            random_seed=arguments.random_seed,
            embedding=embedding,
        )
        title = f"{arguments.generator}, trained on {arguments.trained_on}"
        print(f"\n### {title}\n\n{generator_table(report)}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    several = {"type": Path, "nargs": "+", "default": []}
    parser.add_argument("vocoder", type=Path)
    parser.add_argument("--also", help="more vocoders to compare", **several)
    parser.add_argument("--audio", help="that no vocoder was trained on", required=True, **several)
    parser.add_argument("--generator", type=Path)
    parser.add_argument("--trained-on", type=Path, help="the generator's training audio")
    parser.add_argument("--other", help="audio of other styles", **several)
    parser.add_argument("--seconds", type=float, default=360, help="of each folder of --audio")
    parser.add_argument("--minutes", type=float, default=10, help="of each set for the generator")
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, help="mel spectrograms of an excerpt, as PNG")
    arguments = parser.parse_args()
    if bool(arguments.generator) != bool(arguments.trained_on):
        parser.error("--generator and --trained-on belong together; give both or neither")
    return arguments


def vocoder_table(scores: list[VocoderScore]) -> str:
    rows = [
        "| | mel L1 | multi-resolution STFT | FAD | KAD | KL of tags | windows | × real time |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for score in scores:
        cells = [
            score.name,
            number_text(score.mel_l1, 3),
            number_text(score.stft, 3),
            *(distances_cells(score.distances) if score.distances else []),
            str(score.windows),
            number_text(score.real_time, 1),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    biased = BIASED * any(score.fad_is_biased for score in scores)
    return "\n".join([*rows, f"\nSpeed on threads: {scores[0].threads}.{biased}"])


def generator_table(report: GeneratorReport) -> str:
    distances = [
        f"| {' | '.join([name, *distances_cells(found)])} |"
        for name, found in report.distances.items()
    ]
    diversity = report.diversity
    spread = f"{diversity.spread:.3f} ({100 * diversity.spread_ratio:.0f} %)"
    rows = [
        "| compared with the training audio | FAD | KAD | KL of tags |",
        "|---|---|---|---|",
        *distances,
        f"\n{report.clips} clips of 10 s, {report.windows} windows, in each set."
        f"{BIASED * report.fad_is_biased} Seeds {report.seeds[0]} to {report.seeds[-1]}.\n",
        *music_rows(report.music),
        "\n| cosine distance | generated | recorded |",
        "|---|---|---|",
        f"| mean of two clips | {spread} | {diversity.recorded_spread:.3f} |",
        f"| nearest recorded clip, mean | {diversity.nearest:.3f} "
        f"| {diversity.recorded_nearest:.3f} |",
        f"| nearest recorded clip, 5th percentile | {diversity.near:.3f} "
        f"| {diversity.recorded_near:.3f} |",
        f"| nearest recorded clip, least | {diversity.closest:.3f} "
        f"| {diversity.recorded_closest:.3f} |",
    ]
    return "\n".join(rows)


def music_rows(music: dict[str, MusicMeasures]) -> list[str]:
    names = ["onsets/s", "pulse clarity", "chroma entropy, bits"]
    rows = [["", *names], ["---"] * 4]
    for name, found in music.items():
        rows.append([name, *(estimate_text(estimate, 3) for estimate in vars(found).values())])
    return [f"| {' | '.join(cells)} |" for cells in rows]


if __name__ == "__main__":
    main()
