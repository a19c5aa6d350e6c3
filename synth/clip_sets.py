"""Equally many clips of several folders of audio, to be compared with one of them."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.excerpts import Excerpts, open_excerpts
from synth.mel import MelSettings

CLIP_SECONDS = 10.0  # three windows of MusiCNN
FEWEST_CLIPS = 4

Clips = list[np.ndarray]


@dataclass(frozen=True)
class ClipSets:
    """Clips of either half of the reference folder, and as many of other folders, by name.

    `left_out` gives the reason for each file that could not be used.
    """

    reference: Clips
    other_half: Clips
    others: dict[str, Clips]
    left_out: dict[str, str]

    @property
    def n_clips(self) -> int:
        """The number of clips in each set."""
        return len(self.reference)


def open_clip_sets(
    reference: Path,
    others: dict[str, Path],
    settings: MelSettings,
    *,
    minutes: float,
    random_seed: int,
    progress: Progress = no_progress,
) -> ClipSets:
    """Cut clips out of all folders, and split those of the first into two halves.

    Parameters
    ----------
    settings : MelSettings
        The clips have its sample rate.
    minutes : float
        Of each set, at least 4 clips of 10 s. All sets are cut to as many clips as the smallest
        has.

    Raises
    ------
    ParameterError
        If `minutes` is too short, or a folder has too little audio.
    """
    wanted = _n_clips(minutes)

    def cut(folder: Path) -> Excerpts:
        return open_excerpts(
            folder,
            settings,
            seconds=CLIP_SECONDS,
            most=wanted,
            random_seed=random_seed,
            progress=progress,
        )

    one, other, left_out = cut(reference)
    found = {}
    for name, folder in others.items():
        excerpts = cut(folder)
        found[name] = [excerpt.audio for excerpt in excerpts.one + excerpts.other]
        left_out = left_out | excerpts.left_out
    n_of_folders = [(len(clips), others[name]) for name, clips in found.items()]
    n = _n_common(wanted, [(len(other), reference), *n_of_folders])
    return ClipSets(
        [excerpt.audio for excerpt in one[:n]],
        [excerpt.audio for excerpt in other[:n]],
        {name: clips[:n] for name, clips in found.items()},
        left_out,
    )


def _n_clips(minutes: float) -> int:
    if not FEWEST_CLIPS * CLIP_SECONDS <= minutes * 60 < math.inf:
        raise ParameterError(
            f"minutes={minutes} must be at least {FEWEST_CLIPS * CLIP_SECONDS / 60:.2f},"
            f" {FEWEST_CLIPS} clips"
        )
    return int(minutes * 60 / CLIP_SECONDS + 1e-9)


def _n_common(wanted: int, have: list[tuple[int, Path]]) -> int:
    """Return the number of clips that every folder can give."""
    fewest, folder = min(have)
    if fewest < FEWEST_CLIPS:
        raise ParameterError(
            f"{folder}: its files give {fewest} clips of {CLIP_SECONDS:g} s for a set,"
            f" {FEWEST_CLIPS} are needed; give more or longer files"
        )
    return min(wanted, fewest)
