"""What vocoders and generators are both evaluated with: excerpts of recordings, their embeddings,
and distances of sets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from files.errors import ParameterError
from training.frechet import frechet_distance
from synth.mel import MelSettings
from synth.recordings import SILENT, Recordings, Tell, open_recordings

FEWEST_WINDOWS = (
    100  # a Fréchet distance between fewer embeddings is far too high, of whatever sets
)


class Embedding(Protocol):
    """What turns audio into points that are near each other if it sounds alike;
    `synth.musicnn.Musicnn` is one.
    """

    def embed(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """(n_samples,) -> (n_windows, d), n_windows > 0 and given by the length alone."""
        ...


@dataclass(frozen=True)
class Excerpt:
    """Part of one recording: `audio` float32, shape (n_samples,), from `start_seconds` on."""

    name: str
    start_seconds: float
    audio: np.ndarray


class Excerpts(NamedTuple):
    """Two sets of excerpts, and the files of their folder that could not be used, with why."""

    one: list[Excerpt]
    other: list[Excerpt]
    left_out: dict[str, str]


def open_excerpts(
    folder: Path,
    settings: MelSettings,
    *,
    seconds: float,
    most: int,
    seed: int,
    progress: Tell | None = None,
) -> Excerpts:
    """Two sets of excerpts, all equally long, from all over the recordings of a folder, at the
    sample rate of `settings`.

    Files are cut into spans of `seconds`; what is left over at their ends is dropped. Two spans of
    every file are drawn, one for each set, before a third of any file; silent ones are passed over.
    So the sets have no span in common, are spread over the files as evenly as their lengths allow,
    and so is each prefix of them.

    Parameters
    ----------
    most : int > 0
        Excerpts in each set. There are fewer if the recordings are too short.

    Raises
    ------
    ParameterError
        If there is not a span for each set, `seed` is negative, and as `open_recordings`.
    """
    if not isinstance(seed, int) or seed < 0:
        raise ParameterError(f"seed={seed!r} must be an integer that is not negative")
    recordings = open_recordings(folder, settings, progress=progress)
    frames = int(seconds * settings.frame_rate)
    excerpts: list[Excerpt] = []
    for number, start in _in_turn(recordings, frames, np.random.default_rng(seed)):
        if len(excerpts) == 2 * most:
            break
        entry = recordings.entries[number]
        audio = np.array(recordings.audio_of(entry, start, start + frames))
        if np.abs(audio).max() >= SILENT:
            excerpts.append(Excerpt(entry.name, start / settings.frame_rate, audio))
    if len(excerpts) < 2:
        raise ParameterError(
            f"{folder}: not two excerpts of {seconds:g} s can be cut from its files; give longer"
            " recordings"
        )
    left_out = {str(folder / name): reason for name, reason in recordings.left_out.items()}
    return Excerpts(excerpts[::2], excerpts[1::2], left_out)


def _in_turn(
    recordings: Recordings, frames: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """(number of the file, first frame) of all spans, in the order in which they are taken; pairs
    of one file stay together.
    """
    turns = []
    for number, entry in enumerate(recordings.entries):
        spans = rng.permutation(entry.n_frames // frames).tolist()
        for turn in range(0, len(spans), 2):
            turns.append(
                (turn, rng.random(), [(number, span * frames) for span in spans[turn : turn + 2]])
            )
    return [place for _, _, places in sorted(turns) for place in places]


def embed_clips(clips: Iterable[np.ndarray], sample_rate: int, embedding: Embedding) -> np.ndarray:
    """Embeddings of clips of equal length, shape (n_clips, n_windows, d)."""
    return np.stack([embedding.embed(clip, sample_rate) for clip in clips])


def audio_distance(clips: np.ndarray, others: np.ndarray) -> float:
    """Fréchet Audio Distance (arXiv 1812.08466) between the windows of two sets, each (n_clips,
    n_windows, d).
    """
    return frechet_distance(
        clips.reshape(-1, clips.shape[-1]), others.reshape(-1, others.shape[-1])
    )
