"""Excerpts of a folder of audio, in two disjoint sets, for evaluation."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.dataset import SILENT, AudioDataset, open_dataset
from synth.mel import MelSettings


@dataclass(frozen=True)
class Excerpt:
    """A part of a file: `audio` float32, shape (n_samples,), from `start_seconds` on."""

    name: str
    start_seconds: float
    audio: np.ndarray


class Excerpts(NamedTuple):
    """Two sets of excerpts, and the reason for each file that could not be used."""

    one: list[Excerpt]
    other: list[Excerpt]
    left_out: dict[str, str]


def open_excerpts(
    folder: Path,
    settings: MelSettings,
    *,
    seconds: float,
    most: int,
    random_seed: int,
    progress: Progress = no_progress,
) -> Excerpts:
    """Cut two sets of equally long excerpts out of all files of a folder.

    Files are cut into excerpts of `seconds`; remainders are dropped, and silent excerpts skipped.
    Excerpts are drawn in pairs, one for each set: a first pair of every file, then a second pair,
    and so on. So the sets have no excerpt in common, and each prefix of a set is spread over the
    files as evenly as their lengths allow.

    Parameters
    ----------
    settings : MelSettings
        The excerpts have its sample rate.
    most : int > 0
        Excerpts in each set; fewer if there is less audio.

    Raises
    ------
    ParameterError
        If there is not an excerpt for each set, or `random_seed` is negative; and as
        `open_dataset`.
    """
    if not isinstance(random_seed, int) or random_seed < 0:
        raise ParameterError(f"random_seed={random_seed!r} must be an integer of at least 0")
    dataset = open_dataset(folder, settings, progress=progress)
    frames = int(seconds * settings.frame_rate)
    excerpts: list[Excerpt] = []
    for number, start in _in_turn(dataset, frames, np.random.default_rng(random_seed)):
        if len(excerpts) == 2 * most:
            break
        file = dataset.files[number]
        audio = np.array(dataset.audio_of(file, start, start + frames))
        if np.abs(audio).max() >= SILENT:
            excerpts.append(Excerpt(file.name, start / settings.frame_rate, audio))
    if len(excerpts) < 2:
        raise ParameterError(
            f"{folder}: not two excerpts of {seconds:g} s can be cut from its files; give longer"
            " files"
        )
    left_out = {str(folder / name): reason for name, reason in dataset.left_out.items()}
    return Excerpts(excerpts[::2], excerpts[1::2], left_out)


def _in_turn(dataset: AudioDataset, frames: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return (number of the file, first frame) of all excerpts, in the order of use.

    Pairs of one file stay together.
    """
    turns = []
    for number, file in enumerate(dataset.files):
        positions = rng.permutation(file.n_frames // frames).tolist()
        for turn in range(0, len(positions), 2):
            pair = [(number, position * frames) for position in positions[turn : turn + 2]]
            turns.append((turn, rng.random(), pair))
    return [excerpt for _, _, pair in sorted(turns) for excerpt in pair]
