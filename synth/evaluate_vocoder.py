"""Measure how faithfully vocoders resynthesise recordings, beside Griffin-Lim."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audio.resample import resample
from files.atomic import replacing
from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.audio_distance import (
    FEWEST_WINDOWS,
    AudioDistances,
    Embedding,
    audio_distances,
    embed_clips,
)
from synth.excerpts import Excerpt, open_excerpts
from synth.griffin_lim import griffin_lim
from synth.mel import MelSettings, log_mel
from synth.metrics import mel_l1, multi_resolution_stft
from synth.samples import plot_mels
from synth.vocoder import Vocoder

EXCERPT_SECONDS = 6.0  # two windows of MusiCNN
ITERATIONS = 60
GRIFFIN_LIM = f"Griffin-Lim, {ITERATIONS} iterations"
OTHER_HALF = "recordings, other half"


@dataclass(frozen=True)
class VocoderScore:
    """One row of the table. Values that do not apply, or were not asked for, are None.

    `mel_l1` is in nepers; `distances` are between `windows` embeddings of the copies and as many of
    the recordings; `real_time` is in seconds of audio per second of work on `threads` threads.
    """

    name: str
    mel_l1: float | None
    stft: float | None
    distances: AudioDistances | None
    windows: int | None
    real_time: float | None
    threads: int = field(default_factory=torch.get_num_threads)

    @property
    def fad_is_biased(self) -> bool:
        return self.windows is not None and self.windows < FEWEST_WINDOWS

    def to_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "distances": self.distances.to_dict() if self.distances else None,
            "fad_is_biased": self.fad_is_biased,
        }


@dataclass(frozen=True)
class VocoderReport:
    """A row for each method, and the reason for each file that could not be used."""

    scores: list[VocoderScore]
    left_out: dict[str, str]


@dataclass(frozen=True)
class Method:
    """Turns log-mel (n_mels, frames) of these settings into audio."""

    name: str
    mel: MelSettings
    synthesise: Callable[[np.ndarray], np.ndarray]


def evaluate_vocoders(
    vocoders: dict[str, Vocoder],
    audio: Path,
    *,
    seconds: float,
    random_seed: int,
    embedding: Embedding | None,
    picture: Path | None = None,
    progress: Progress = no_progress,
) -> VocoderReport:
    """Resynthesise recordings from their mel spectrograms and compare them with the originals.

    All methods are scored on the same excerpts (`open_excerpts`), at the highest sample rate of the
    vocoders and in that vocoder's mel; those of lower rates lack the treble. Griffin-Lim gets the
    mels of that vocoder. The last row gives the distances between two halves of the recordings;
    others can be nearer, because each set of copies is compared with its own originals.

    Parameters
    ----------
    vocoders : dict, by the name to be shown
    audio : Path
        Folder of recordings that none of them was trained on.
    seconds : float >= 6
        Of recordings to score, or all if there are fewer. For the last row, as many more are
        embedded. Below 300 s FAD is biased, and only rows with equally many windows can be
        compared.
    random_seed : int
        Of the choice of excerpts and of Griffin-Lim's phases.
    embedding : Embedding, optional
        Without one there are no `distances`.
    picture : Path, optional
        Where to plot the mel spectrograms of one excerpt and its copies, as PNG.

    Returns
    -------
    VocoderReport
        Scores of the vocoders, Griffin-Lim and, if there is an embedding, the recordings' other
        half.

    Raises
    ------
    ParameterError
        If `seconds` is too short, no vocoder is given, or the folder has too little audio.
    """
    wanted = _n_excerpts(seconds)
    mel = _highest_mel(vocoders)
    one, other, left_out = open_excerpts(
        audio,
        mel,
        seconds=EXCERPT_SECONDS,
        most=wanted,
        random_seed=random_seed,
        progress=progress,
    )
    scored = (one + other)[:wanted]
    real = _embed([excerpt.audio for excerpt in one + other], mel, embedding)
    methods = _methods(vocoders, mel, random_seed)
    scores: list[VocoderScore] = []
    title = f"{scored[0].name}, from {scored[0].start_seconds:.1f} s"
    mels = {title: log_mel(scored[0].audio, mel)}
    for number, method in enumerate(methods):
        progress(number, len(methods), method.name)
        copies, real_time = _synthesise(method, scored, mel.sample_rate)
        losses = _losses(scored, copies, mel)
        heard = _compare(_embed(copies, mel, embedding), real, embedding, paired=True)
        scores.append(VocoderScore(method.name, *losses, *heard, real_time))
        mels[method.name] = log_mel(copies[0], mel)
    if real is not None:
        heard = _compare(real[: len(one)], real[len(one) :], embedding, paired=False)
        scores.append(VocoderScore(OTHER_HALF, None, None, *heard, None))
    if picture:
        with replacing(picture) as temporary:
            plot_mels(temporary, mels, mel)
    return VocoderReport(scores, left_out)


def _n_excerpts(seconds: float) -> int:
    if not EXCERPT_SECONDS <= seconds < math.inf:
        raise ParameterError(
            f"seconds={seconds} must be at least {EXCERPT_SECONDS:g}, the length of one excerpt"
        )
    return int(seconds / EXCERPT_SECONDS)


def _highest_mel(vocoders: dict[str, Vocoder]) -> MelSettings:
    """Return the mel settings of the highest sample rate and band edge."""
    if not vocoders:
        raise ParameterError("no vocoder to evaluate; give at least one")
    mels = [vocoder.mel for vocoder in vocoders.values()]
    return max(mels, key=lambda mel: (mel.sample_rate, mel.f_max))


def _methods(vocoders: dict[str, Vocoder], mel: MelSettings, random_seed: int) -> list[Method]:
    """Return the vocoders, and Griffin-Lim for `mel`."""
    synthesise = partial(griffin_lim, settings=mel, iterations=ITERATIONS, random_seed=random_seed)
    methods = [Method(name, vocoder.mel, vocoder.synthesise) for name, vocoder in vocoders.items()]
    return [*methods, Method(GRIFFIN_LIM, mel, synthesise)]


def _embed(
    clips: Sequence[np.ndarray], mel: MelSettings, embedding: Embedding | None
) -> np.ndarray | None:
    return embed_clips(clips, mel.sample_rate, embedding) if embedding else None


def _synthesise(
    method: Method, excerpts: Sequence[Excerpt], sample_rate: int
) -> tuple[list[np.ndarray], float]:
    """Return copies of excerpts at `sample_rate`, and how many times faster than real time."""
    rate = method.mel.sample_rate
    mels = [log_mel(resample(e.audio, sample_rate, rate), method.mel) for e in excerpts]
    method.synthesise(mels[0])  # the first call is slower
    started = time.perf_counter()
    made = [method.synthesise(mel) for mel in mels]
    taken = time.perf_counter() - started
    copies = []
    for audio, excerpt in zip(made, excerpts, strict=True):
        copies.append(resample(audio, rate, sample_rate)[: len(excerpt.audio)])
    return copies, sum(map(len, made)) / rate / taken


def _losses(
    excerpts: Sequence[Excerpt], copies: Sequence[np.ndarray], settings: MelSettings
) -> tuple[float, float]:
    """Return mel L1 and multi-resolution STFT distance, means over the excerpts."""
    pairs = [(excerpt.audio, copy) for excerpt, copy in zip(excerpts, copies, strict=True)]
    mel = [mel_l1(original, copy, settings) for original, copy in pairs]
    stft = [multi_resolution_stft(original, copy) for original, copy in pairs]
    return float(np.mean(mel)), float(np.mean(stft))


def _compare(
    made: np.ndarray | None,
    real: np.ndarray | None,
    embedding: Embedding | None,
    *,
    paired: bool,
) -> tuple[AudioDistances | None, int | None]:
    """Return the distances of two sets of clips, cut to the smaller, and their number of windows.

    `paired` says whether the clips are copies of the real ones.
    """
    if made is None or real is None or embedding is None:
        return None, None
    n = min(len(made), len(real))
    distances = audio_distances(made[:n], real[:n], embedding, paired=paired)
    return distances, n * made.shape[1]
