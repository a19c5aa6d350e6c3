"""Compare a generator's audio with its training audio: likeness, variety, novelty."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.audio_distance import FEWEST_WINDOWS, Embedding, audio_distance, embed_clips
from synth.diversity import Diversity, diversity
from synth.excerpts import open_excerpts
from synth.generator import Generator
from synth.mel import log_mel
from synth.vocoder import Vocoder

CLIP_SECONDS = 10.0  # three windows of MusiCNN
FEWEST_CLIPS = 4
GENERATED = "generated"
OTHER_HALF = "recordings, other half"
REVOCODED = "recordings through the vocoder"
SHUFFLED = "shuffled frames"
NOISE = "white noise"
USUAL_SETS = (GENERATED, OTHER_HALF, REVOCODED, SHUFFLED, NOISE)

Clips = list[np.ndarray]


@dataclass(frozen=True)
class GeneratorReport:
    """Distances from the training audio.

    `fad` is the Fréchet distance by name of the set, `clips` and `windows` are the numbers of clips
    and of embeddings in each set, and `left_out` gives the reason for each file that could not be
    used.
    """

    fad: dict[str, float]
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
            **asdict(self),
            "diversity": self.diversity.to_dict(),
            "fad_is_biased": self.fad_is_biased,
        }


@dataclass(frozen=True)
class ClipSets:
    """Equally many clips of either half of the training audio, and of other folders."""

    reference: Clips
    other_half: Clips
    others: dict[str, Clips]
    left_out: dict[str, str]


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
        `fad` is biased.
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
    cut = partial(
        open_excerpts,
        settings=vocoder.mel,
        seconds=CLIP_SECONDS,
        random_seed=random_seed,
        progress=progress,
    )
    clips = _open_clips(audio, others, _n_clips(minutes), cut)
    n = len(clips.reference)
    seeds = tuple(range(random_seed, random_seed + n))
    makers = SetMaker(generator, vocoder, clips, seeds).by_name()
    rate = vocoder.mel.sample_rate
    real = embed_clips(clips.reference, rate, embedding)
    sets = {}
    for number, (name, make) in enumerate(makers.items()):
        progress(number, len(makers), name)
        sets[name] = embed_clips(make(), rate, embedding)
    return GeneratorReport(
        fad={name: audio_distance(embeddings, real) for name, embeddings in sets.items()},
        diversity=diversity(sets[GENERATED].mean(axis=1), real.mean(axis=1)),
        clips=n,
        windows=n * real.shape[1],
        seeds=seeds,
        left_out=clips.left_out,
    )


def _open_clips(
    audio: Path, others: dict[str, Path], wanted: int, cut: Callable[..., Any]
) -> ClipSets:
    """Cut clips out of all folders, equally many from each."""
    one, other, left_out = cut(audio, most=wanted)
    reference = [excerpt.audio for excerpt in one]
    other_half = [excerpt.audio for excerpt in other]
    found = {}
    for name, folder in others.items():
        one, other, not_used = cut(folder, most=wanted)
        found[name] = [excerpt.audio for excerpt in one + other]
        left_out = left_out | not_used
    n_of_folders = [(len(clips), others[name]) for name, clips in found.items()]
    n = _n_common(wanted, [(len(other_half), audio), *n_of_folders])
    cut_others = {name: clips[:n] for name, clips in found.items()}
    return ClipSets(reference[:n], other_half[:n], cut_others, left_out)


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
