"""Compare a generator's audio with its training audio: likeness, variety, novelty."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.audio_distance import (
    FEWEST_WINDOWS,
    AudioDistances,
    Embedding,
    audio_distances,
    embed_clips,
)
from synth.clip_sets import ClipSets, open_clip_sets
from synth.diversity import Diversity, diversity
from synth.generator import Generator
from synth.mel import log_mel
from synth.music_measures import MusicMeasures, measure_music
from synth.vocoder import Vocoder

GENERATED = "generated"
RECORDINGS = "recordings"
OTHER_HALF = "recordings, other half"
REVOCODED = "recordings through the vocoder"
SHUFFLED = "shuffled frames"
NOISE = "white noise"
USUAL_SETS = (GENERATED, OTHER_HALF, REVOCODED, SHUFFLED, NOISE)


@dataclass(frozen=True)
class GeneratorReport:
    """Distances from the training audio, by name of the set, and measures of music.

    `music` is of the generated and of all recorded clips. `clips` and `windows` are the numbers of
    clips and of embeddings in each set, and `left_out` gives the reason for each file that could
    not be used.
    """

    distances: dict[str, AudioDistances]
    music: dict[str, MusicMeasures]
    diversity: Diversity
    clips: int
    windows: int
    seeds: tuple[int, ...]
    left_out: dict[str, str]

    @property
    def fad_is_biased(self) -> bool:
        return self.windows < FEWEST_WINDOWS

    def to_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "distances": {name: one.to_dict() for name, one in self.distances.items()},
            "music": {name: one.to_dict() for name, one in self.music.items()},
            "diversity": self.diversity.to_dict(),
            "fad_is_biased": self.fad_is_biased,
        }


def evaluate_generator(
    generator: Generator,
    vocoder: Vocoder,
    audio: Path,
    *,
    others: dict[str, Path],
    minutes: float,
    random_seed: int,
    embedding: Embedding,
    progress: Progress = no_progress,
) -> GeneratorReport:
    """Compare generated clips, and sets that a good generator must beat, with recordings.

    The recorded clips are split into two halves, and all sets are compared with the first half. The
    sets are: the second half (the best possible distance); the second half passed through the
    vocoder (the best a perfect generator could reach); the same with the frames of all its clips in
    random order; white noise as loud as the recordings; the generated clips; the other folders. All
    are cut to as many clips as the smallest has.

    Parameters
    ----------
    generator, vocoder
        Of the same mel settings.
    audio : Path
        Folder that the generator was trained on.
    others : dict of Path
        Folders of other audio, by the name to be shown.
    minutes : float
        Of each set, in clips of 10 s, at least 4. A clip gives three embeddings; below 6 minutes
        FAD is biased.
    random_seed : int >= 0
        Clip i is generated from `random_seed` + i; recorded clips are chosen by it as well.

    Raises
    ------
    ParameterError
        If mel settings differ, `minutes` is too short, a folder has too little audio, or a name in
        `others` is taken.
    """
    generator.mel.check_matches(vocoder.mel, mine="the generator", theirs="the vocoder")
    if clash := others.keys() & USUAL_SETS:
        raise ParameterError(
            f"{', '.join(clash)}: the name of a set that is always evaluated; choose another name"
        )
    clips = open_clip_sets(
        audio, others, vocoder.mel, minutes=minutes, random_seed=random_seed, progress=progress
    )
    seeds = tuple(range(random_seed, random_seed + clips.n_clips))
    rate = vocoder.mel.sample_rate
    real = embed_clips(clips.reference, rate, embedding)
    music = {RECORDINGS: measure_music(clips.reference + clips.other_half, rate)}
    makers = SetMaker(generator, vocoder, clips, seeds).by_name()
    distances = {}
    for number, (name, make) in enumerate(makers.items()):
        progress(number, len(makers), name)
        made = list(make())
        embeddings = embed_clips(made, rate, embedding)
        distances[name] = audio_distances(embeddings, real, embedding)
        if name == GENERATED:
            music[name] = measure_music(made, rate)
            found = diversity(embeddings.mean(axis=1), real.mean(axis=1))
    return GeneratorReport(
        distances=distances,
        music=music,
        diversity=found,
        clips=clips.n_clips,
        windows=clips.n_clips * real.shape[1],
        seeds=seeds,
        left_out=clips.left_out,
    )


@dataclass(frozen=True)
class SetMaker:
    """Makes sets of as many clips as there are seeds."""

    generator: Generator
    vocoder: Vocoder
    clips: ClipSets
    seeds: tuple[int, ...]

    def by_name(self) -> dict[str, Callable[[], Iterable[np.ndarray]]]:
        return {
            GENERATED: self.generated,
            OTHER_HALF: partial(iter, self.clips.other_half),
            REVOCODED: self.revocoded,
            SHUFFLED: self.shuffled,
            NOISE: self.noise,
            **{name: partial(iter, others) for name, others in self.clips.others.items()},
        }

    def generated(self) -> Iterable[np.ndarray]:
        n_frames = len(self.clips.reference[0]) // self.vocoder.mel.hop_length
        mels = self.generator.sample(n_frames, random_seeds=self.seeds)
        return (self.vocoder.synthesise(mel.numpy()) for mel in mels)

    def revocoded(self) -> Iterable[np.ndarray]:
        return map(self.vocoder.synthesise, self._mels())

    def shuffled(self) -> Iterable[np.ndarray]:
        frames = np.concatenate(list(self._mels()), axis=1)
        frames = np.random.default_rng(self.seeds[0]).permutation(frames, axis=1)
        mels = np.split(frames, len(self.clips.other_half), axis=1)
        return map(self.vocoder.synthesise, mels)

    def noise(self) -> Iterable[np.ndarray]:
        loudness = np.sqrt(np.mean(np.square(self.clips.reference)))
        n_samples = len(self.clips.reference[0])
        rng = np.random.default_rng(self.seeds[0])
        return (loudness * rng.standard_normal(n_samples, np.float32) for _ in self.seeds)

    def _mels(self) -> Iterable[np.ndarray]:
        return (log_mel(clip, self.vocoder.mel) for clip in self.clips.other_half)
