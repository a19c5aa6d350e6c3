"""How true vocoders are to recordings, next to Griffin-Lim."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audio.resample import resample
from files.atomic import replacing
from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.audio_distance import FEWEST_WINDOWS, Embedding, audio_distance, embed_clips
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
    """One row of the table. What does not apply, or was not asked for, is None.

    `mel_l1` in nepers; `fad` between `windows` embeddings of what is named and as many of the
    recordings; `real_time` in seconds of audio per second of work on `threads` threads.
    """

    name: str
    mel_l1: float | None
    stft: float | None
    fad: float | None
    windows: int | None
    real_time: float | None
    threads: int = field(default_factory=torch.get_num_threads)

    @property
    def fad_is_biased(self) -> bool:
        return self.windows is not None and self.windows < FEWEST_WINDOWS

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "fad_is_biased": self.fad_is_biased}


@dataclass(frozen=True)
class VocoderReport:
    """A row for each way, and the recordings that could not be used, with why."""

    scores: list[VocoderScore]
    left_out: dict[str, str]


@dataclass(frozen=True)
class Way:
    """A way from log-mel (n_mels, frames) of these settings to audio."""

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
    """Synthesise recordings from their mel spectrograms and compare them with what they were.

    All are scored on the same samples: excerpts (`open_excerpts`) at the highest sample rate of the
    vocoders, where one of a lower rate lacks the treble, and in its mel. Griffin-Lim gets the mels
    of that vocoder. The last row says how far apart two halves of the recordings are; since the
    others are compared with the recordings they are made of, they can be nearer.

    Parameters
    ----------
    vocoders : dict, by the name to be shown
    audio : Path
        Folder of recordings that none of them was trained on.
    seconds : float >= 6
        Of recordings to score, less if there are not as many. For `fad` as many more are embedded.
        Below 300 s `fad` is biased, and only rows with equally many windows may be compared.
    random_seed : int
        Of the choice of excerpts and of Griffin-Lim's phases.
    embedding : Embedding, optional
        Without one there is no `fad`.
    picture : Path, optional
        Where to draw the mel spectrograms of one excerpt and what was made of it, as PNG.

    Returns
    -------
    VocoderReport
        Scores of the vocoders, Griffin-Lim and, if there is an embedding, the recordings' other
        half.

    Raises
    ------
    ParameterError
        If `seconds` is too short, no vocoder is given, or the folder does not do.
    """
    wanted = _n_excerpts(seconds)
    yardstick = _yardstick(vocoders)
    one, other, left_out = open_excerpts(
        audio,
        yardstick,
        seconds=EXCERPT_SECONDS,
        most=wanted,
        random_seed=random_seed,
        progress=progress,
    )
    scored = (one + other)[:wanted]
    real = (
        embed_clips((e.audio for e in one + other), yardstick.sample_rate, embedding)
        if embedding
        else None
    )
    ways = [Way(name, vocoder.mel, vocoder.synthesise) for name, vocoder in vocoders.items()]
    ways.append(
        Way(
            GRIFFIN_LIM,
            yardstick,
            partial(
                griffin_lim, settings=yardstick, iterations=ITERATIONS, random_seed=random_seed
            ),
        )
    )
    scores: list[VocoderScore] = []
    mels = {
        f"{scored[0].name}, from {scored[0].start_seconds:.1f} s": log_mel(
            scored[0].audio, yardstick
        )
    }
    for number, way in enumerate(ways):
        progress(number, len(ways), way.name)
        copies, real_time = _synthesise(way, scored, yardstick.sample_rate)
        made = embed_clips(copies, yardstick.sample_rate, embedding) if embedding else None
        scores.append(
            VocoderScore(
                way.name, *_fidelity(scored, copies, yardstick), *_fad(made, real), real_time
            )
        )
        mels[way.name] = log_mel(copies[0], yardstick)
    if real is not None:
        scores.append(
            VocoderScore(OTHER_HALF, None, None, *_fad(real[: len(one)], real[len(one) :]), None)
        )
    if picture:
        with replacing(picture) as temporary:
            plot_mels(temporary, mels, yardstick)
    return VocoderReport(scores, left_out)


def _n_excerpts(seconds: float) -> int:
    if not EXCERPT_SECONDS <= seconds < math.inf:
        raise ParameterError(
            f"seconds={seconds} must be at least {EXCERPT_SECONDS:g}, the length of one excerpt"
        )
    return int(seconds / EXCERPT_SECONDS)


def _yardstick(vocoders: dict[str, Vocoder]) -> MelSettings:
    if not vocoders:
        raise ParameterError("no vocoder to evaluate; give at least one")
    return max(
        (vocoder.mel for vocoder in vocoders.values()), key=lambda mel: (mel.sample_rate, mel.f_max)
    )


def _synthesise(
    way: Way, excerpts: Sequence[Excerpt], sample_rate: int
) -> tuple[list[np.ndarray], float]:
    """What a way makes of excerpts at `sample_rate`, as long as they are, and how many times faster
    than they last.
    """
    rate = way.mel.sample_rate
    mels = [log_mel(resample(excerpt.audio, sample_rate, rate), way.mel) for excerpt in excerpts]
    way.synthesise(mels[0])  # a first call sets things up
    started = time.perf_counter()
    made = [way.synthesise(mel) for mel in mels]
    taken = time.perf_counter() - started
    copies = [
        resample(a, rate, sample_rate)[: len(e.audio)] for a, e in zip(made, excerpts, strict=True)
    ]
    return copies, sum(map(len, made)) / rate / taken


def _fidelity(
    excerpts: Sequence[Excerpt], copies: Sequence[np.ndarray], settings: MelSettings
) -> tuple[float, float]:
    """Mel L1 and multi-resolution STFT distance, means over the excerpts."""
    pairs = [(excerpt.audio, copy) for excerpt, copy in zip(excerpts, copies, strict=True)]
    mel = float(np.mean([mel_l1(recording, copy, settings) for recording, copy in pairs]))
    return mel, float(
        np.mean([multi_resolution_stft(recording, copy) for recording, copy in pairs])
    )


def _fad(made: np.ndarray | None, real: np.ndarray | None) -> tuple[float | None, int | None]:
    """The distance of two sets of clips, cut to the smaller, and its number of windows."""
    if made is None or real is None:
        return None, None
    n = min(len(made), len(real))
    return audio_distance(made[:n], real[:n]), n * made.shape[1]
