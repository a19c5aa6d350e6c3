"""How much what a generator makes sounds like the recordings it was trained on, how varied it is,
and whether it is new.
"""

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

Clips = list[np.ndarray]


@dataclass(frozen=True)
class Diversity:
    """Cosine distances between clips, each the mean of the embeddings of its windows.

    `spread` is the mean distance of two generated clips, `recorded_spread` of two recorded ones: a
    ratio near 0 is mode collapse. `nearest` is the mean, `closest` the least distance of a
    generated clip to the nearest recorded one; far smaller than `recorded_nearest` and
    `recorded_closest`, those of a recorded clip to the nearest other one, is memorising.
    """

    spread: float
    recorded_spread: float
    nearest: float
    recorded_nearest: float
    closest: float
    recorded_closest: float

    @property
    def spread_ratio(self) -> float:
        return self.spread / self.recorded_spread

    def to_dict(self) -> dict[str, float]:
        return {**asdict(self), "spread_ratio": self.spread_ratio}


@dataclass(frozen=True)
class GeneratorReport:
    """`fad`: distance to the recordings, by name of the set; each has `clips` clips and `windows`
    embeddings.

    `left_out` are the recordings that could not be used, with why.
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

    The recordings' clips are dealt into two halves. All sets are compared with the first; the
    second is one of them itself (as near as can be expected), and goes through the vocoder (as near
    as a perfect generator could come), as it is and with the frames of all its clips in random
    order. White noise is as loud as the recordings. All sets are cut to as many clips as the
    smallest has.

    Parameters
    ----------
    generator, vocoder
        Of the same mel settings.
    audio : Path
        Folder of recordings the generator was trained on.
    others : dict of Path
        Folders of other recordings, by the name to be shown.
    minutes : float
        Of each set, in clips of 10 s; at least 4 of them. Each takes three embeddings; below 6
        minutes `fad` is biased.
    random_seed : int >= 0
        Clip i is generated from `random_seed` + i. Decides the choice of clips as well.

    Raises
    ------
    ParameterError
        If mel settings differ, `minutes` is too short, a folder has too little audio, or a name in
        `others` is taken.
    """
    generator.mel.check_matches(vocoder.mel, mine="the generator", theirs="the vocoder")
    if clash := set(others) & {GENERATED, OTHER_HALF, REVOCODED, SHUFFLED, NOISE}:
        raise ParameterError(
            f"{', '.join(clash)}: the name of a set that is always evaluated; call the recordings"
            " otherwise"
        )
    wanted = _n_clips(minutes)
    cut = partial(
        open_excerpts,
        settings=vocoder.mel,
        seconds=CLIP_SECONDS,
        most=wanted,
        random_seed=random_seed,
        progress=progress,
    )
    one, other, left_out = cut(audio)
    reference, other_half = ([excerpt.audio for excerpt in half] for half in (one, other))
    styles: dict[str, Clips] = {}
    for name, folder in others.items():
        one, other, not_used = cut(folder)
        styles[name] = [excerpt.audio for excerpt in one + other]
        left_out = left_out | not_used
    n = _n_common(
        wanted,
        [(len(other_half), audio), *((len(clips), others[name]) for name, clips in styles.items())],
    )
    reference = reference[:n]
    other_half = other_half[:n]
    seeds = tuple(range(random_seed, random_seed + n))
    makers = _makers(generator, vocoder, reference, other_half, seeds)
    makers |= {name: partial(iter, clips[:n]) for name, clips in styles.items()}
    rate = vocoder.mel.sample_rate
    real = embed_clips(reference, rate, embedding)
    sets = {}
    for number, (name, make) in enumerate(makers.items()):
        progress(number, len(makers), name)
        sets[name] = embed_clips(make(), rate, embedding)
    return GeneratorReport(
        fad={name: audio_distance(clips, real) for name, clips in sets.items()},
        diversity=diversity(sets[GENERATED].mean(axis=1), real.mean(axis=1)),
        clips=n,
        windows=n * real.shape[1],
        seeds=seeds,
        left_out=left_out,
    )


def _makers(
    generator: Generator,
    vocoder: Vocoder,
    reference: Clips,
    other_half: Clips,
    seeds: tuple[int, ...],
) -> dict[str, Callable[[], Iterable[np.ndarray]]]:
    """What makes each set that does not depend on other folders: as many clips as there are seeds."""
    n_samples = len(reference[0])
    n_frames = n_samples // vocoder.mel.hop_length
    loudness = np.sqrt(np.mean(np.square(reference)))

    def generated() -> Iterable[np.ndarray]:
        return (
            vocoder.synthesise(mel.numpy())
            for mel in generator.sample(n_frames, random_seeds=seeds)
        )

    def revocoded() -> Iterable[np.ndarray]:
        return (vocoder.synthesise(log_mel(clip, vocoder.mel)) for clip in other_half)

    def shuffled() -> Iterable[np.ndarray]:
        frames = np.concatenate([log_mel(clip, vocoder.mel) for clip in other_half], axis=1)
        frames = np.random.default_rng(seeds[0]).permutation(frames, axis=1)
        return (vocoder.synthesise(mel) for mel in np.split(frames, len(other_half), axis=1))

    def noise() -> Iterable[np.ndarray]:
        rng = np.random.default_rng(seeds[0])
        return (loudness * rng.standard_normal(n_samples, np.float32) for _ in seeds)

    return {
        GENERATED: generated,
        OTHER_HALF: partial(iter, other_half),
        REVOCODED: revocoded,
        SHUFFLED: shuffled,
        NOISE: noise,
    }


def diversity(generated: np.ndarray, recorded: np.ndarray) -> Diversity:
    """How the clips of two sets lie to each other.

    Parameters
    ----------
    generated : ndarray, shape (n >= 2, d)
    recorded : ndarray, shape (m >= 2, d)
        One embedding a row.

    Raises
    ------
    ParameterError
        If all recorded clips are alike.
    """
    among, between, themselves = (
        cosine_distances(a, b)
        for a, b in ((generated, generated), (generated, recorded), (recorded, recorded))
    )
    recorded_spread = _mean_of_pairs(themselves)
    if recorded_spread < 1e-9:
        raise ParameterError(
            "the recordings' clips are all alike, so that nothing can be said of diversity; give"
            " more varied ones"
        )
    np.fill_diagonal(themselves, np.inf)
    nearest = between.min(axis=1)
    recorded_nearest = themselves.min(axis=1)
    return Diversity(
        spread=_mean_of_pairs(among),
        recorded_spread=recorded_spread,
        nearest=float(nearest.mean()),
        recorded_nearest=float(recorded_nearest.mean()),
        closest=float(nearest.min()),
        recorded_closest=float(recorded_nearest.min()),
    )


def cosine_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - cosine of the angle of each row of (n, d) with each of (m, d): (n, m), 0 to 2."""
    a, b = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
        for rows in (np.float64(a), np.float64(b))
    )
    return (1 - a @ b.T).clip(0, 2)


def _mean_of_pairs(distances: np.ndarray) -> float:
    return float(distances[np.triu_indices(len(distances), k=1)].mean())


def _n_clips(minutes: float) -> int:
    if not FEWEST_CLIPS * CLIP_SECONDS <= minutes * 60 < math.inf:
        raise ParameterError(
            f"minutes={minutes} must be at least {FEWEST_CLIPS * CLIP_SECONDS / 60:.2f},"
            f" {FEWEST_CLIPS} clips"
        )
    return int(minutes * 60 / CLIP_SECONDS + 1e-9)


def _n_common(wanted: int, have: list[tuple[int, Path]]) -> int:
    """How many clips every set can have, given how many each folder has for one."""
    fewest, folder = min(have)
    if fewest < FEWEST_CLIPS:
        raise ParameterError(
            f"{folder}: its files give {fewest} clips of {CLIP_SECONDS:g} s for a set,"
            f" {FEWEST_CLIPS} are needed; give more or longer recordings"
        )
    return min(wanted, fewest)
