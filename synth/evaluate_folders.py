"""Compare folders of audio, recorded or generated, with one of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.audio_distance import (
    FEWEST_WINDOWS,
    AudioDistances,
    Embedding,
    audio_distances,
    embed_clips,
)
from synth.clip_sets import open_clip_sets
from synth.mel import PRESETS

MEL = PRESETS["22k"]  # its rate is enough for MusiCNN, which hears up to 8 kHz
OTHER_HALF = "other half"


@dataclass(frozen=True)
class FoldersReport:
    """Distances from one half of the reference, by name of the set.

    `clips` and `windows` are the numbers of clips and of embeddings in each set, and `left_out`
    gives the reason for each file that could not be used.
    """

    distances: dict[str, AudioDistances]
    clips: int
    windows: int
    left_out: dict[str, str]

    @property
    def fad_is_biased(self) -> bool:
        return self.windows < FEWEST_WINDOWS

    def to_dict(self) -> dict[str, Any]:
        return {
            "distances": {name: one.to_dict() for name, one in self.distances.items()},
            "clips": self.clips,
            "windows": self.windows,
            "left_out": self.left_out,
            "fad_is_biased": self.fad_is_biased,
        }


def evaluate_folders(
    reference: Path,
    others: list[Path],
    *,
    minutes: float,
    random_seed: int,
    embedding: Embedding,
    progress: Progress = no_progress,
) -> FoldersReport:
    """Compare folders with one half of the reference folder.

    The first set is the other half of the reference: the best possible distance. The parameters
    and errors are those of `open_clip_sets`.

    Raises
    ------
    ParameterError
        If a folder is given twice.
    """
    folders = [reference, *others]
    twice = {str(folder) for folder in folders if folders.count(folder) > 1}
    if twice:
        raise ParameterError(f"{', '.join(sorted(twice))}: given twice; give each folder once")
    named = {str(folder): folder for folder in others}
    clips = open_clip_sets(
        reference, named, MEL, minutes=minutes, random_seed=random_seed, progress=progress
    )
    real = embed_clips(clips.reference, MEL.sample_rate, embedding)
    sets = {f"{reference}, {OTHER_HALF}": clips.other_half, **clips.others}
    distances = {}
    for number, (name, ours) in enumerate(sets.items()):
        progress(number, len(sets), name)
        embeddings = embed_clips(ours, MEL.sample_rate, embedding)
        distances[name] = audio_distances(embeddings, real, embedding)
    return FoldersReport(distances, clips.n_clips, clips.n_clips * real.shape[1], clips.left_out)
