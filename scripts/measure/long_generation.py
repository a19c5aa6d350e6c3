"""Measure minutes of sound that a flow makes from one random seed, for docs/rooms/synth.md.

    python scripts/measure/long_generation.py FLOW [--vocoder VOCODER] [--minutes 10]
        [--random-seed 0]

Prints how smooth the joins of its windows are, the peak of the memory after one minute and after
all, and for each minute its level and how far its style has moved. Style is MusiCNN's, which needs
pip install --no-deps musicnn==0.1.0
"""

import argparse
import math
import resource
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from audio.decibels import to_decibels
from demiurge.shipped import model_path
from files.errors import ParameterError
from synth.audio_distance import Embedding
from synth.diversity import cosine_distances
from synth.flow_generator import FlowGenerator
from synth.flow_windows import CONTEXT_SHARE, windows
from synth.generator import load_generator
from synth.musicnn import Musicnn
from synth.vocoder import Vocoder


def main() -> None:
    arguments = parse_arguments()
    generator = load_generator(arguments.flow)
    if not isinstance(generator, FlowGenerator):
        raise ParameterError(f"{arguments.flow} is no flow; give a generator that is one")
    vocoder = Vocoder.load(model_path(arguments.vocoder, "vocoder")).prepare()
    embedding = Musicnn.find()
    memory = []
    for minutes in (1, arguments.minutes):
        mel, audio = make(generator, vocoder, minutes, arguments.random_seed)
        memory.append(f"{peak_megabytes():.0f} MB after {minutes} min")
    joins = measure_joins(mel * generator.mel.nepers, join_frames(generator, mel.shape[1]))
    print(f"{arguments.flow}, {arguments.minutes} min, seed {arguments.random_seed}\n")
    print(join_lines(joins))
    print(f"peak of the memory: {', '.join(memory)}\n")
    print(minute_table(audio, generator.mel.sample_rate, embedding))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flow", type=Path)
    parser.add_argument("--vocoder", type=Path, default=Path("shipped"))
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--random-seed", type=int, default=0)
    return parser.parse_args()


def make(
    generator: FlowGenerator, vocoder: Vocoder, minutes: int, random_seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return log-mel (n_mels, frames) and audio (n_samples,)."""
    frames = math.ceil(60 * minutes * generator.mel.frame_rate)
    mel = generator.sample(frames, random_seeds=[random_seed])[0].numpy()
    return mel, vocoder.synthesise(mel)


def peak_megabytes() -> float:
    """Return the most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def join_frames(generator: FlowGenerator, frames: int) -> np.ndarray:
    """Return the first frame of each window's own part, but for the first window."""
    length = generator.window_frames
    parts = windows(torch.zeros(frames, dtype=torch.bool), length, int(length * CONTEXT_SHARE))
    return np.array([stop for _, stop in parts][:-1], np.int64)


@dataclass(frozen=True)
class Joins:
    """Steps from frame to frame, mean absolute differences of log-mel in nepers.

    `share_above` is the share of joins with a step above the median of all: 0.5 where joins are as
    smooth as the rest. `rank` is the share of all steps that are smaller than the largest at a
    join.
    """

    n_joins: int
    median: float
    median_at_joins: float
    largest_at_joins: float
    share_above: float
    rank: float


def measure_joins(mel: np.ndarray, joins: np.ndarray) -> Joins:
    """Compare the steps into the frames `joins` of log-mel (n_mels, frames) with all steps."""
    steps = np.abs(np.diff(mel, axis=1)).mean(axis=0)
    at_joins = steps[joins - 1]
    median = float(np.median(steps))
    return Joins(
        n_joins=len(joins),
        median=median,
        median_at_joins=float(np.median(at_joins)),
        largest_at_joins=float(at_joins.max()),
        share_above=float((at_joins > median).mean()),
        rank=float((steps < at_joins.max()).mean()),
    )


def join_lines(joins: Joins) -> str:
    return (
        f"{joins.n_joins} joins of windows, steps from frame to frame in nepers: median"
        f" {joins.median_at_joins:.3f} at joins and {joins.median:.3f} in all;"
        f" {100 * joins.share_above:.0f} % of joins are above the median (50 % by chance); the"
        f" largest, {joins.largest_at_joins:.3f}, is above {100 * joins.rank:.1f} % of all steps"
        f" ({100 * (1 - 1 / joins.n_joins):.1f} % by chance)"
    )


def minute_table(audio: np.ndarray, sample_rate: int, embedding: Embedding) -> str:
    """Return a table of the whole minutes of audio (n_samples,)."""
    length = 60 * sample_rate
    minutes = audio[: len(audio) // length * length].reshape(-1, length)
    levels = [to_decibels(float(np.sqrt(np.mean(minute**2)))) for minute in minutes]
    styles = np.stack([embedding.embed(minute, sample_rate).mean(axis=0) for minute in minutes])
    from_first = cosine_distances(styles, styles[:1])[:, 0]
    from_mean = cosine_distances(styles, styles.mean(axis=0, keepdims=True))[:, 0]
    rows = ["| minute | level, dB | style: from the first | from the mean |", "|---|---|---|---|"]
    for number, values in enumerate(zip(levels, from_first, from_mean, strict=True)):
        level, first, mean = values
        rows.append(f"| {number + 1} | {level:.1f} | {first:.3f} | {mean:.3f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
