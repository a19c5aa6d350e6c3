"""Measure how well a generator fills gaps in recordings, beside copying another passage.

::

    recording  ──────────────────┐  1 s  ┌──────────────────    9 s
                          before └───────┘ after
    heard                     ─────────────                     3 s
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.audio_distance import Embedding, audio_distances, embed_clips
from synth.dataset import open_dataset
from synth.diversity import cosine_distances
from synth.excerpts import Excerpt, open_excerpts
from synth.flow_generator import FlowGenerator, FlowRequest
from synth.generator import Generator
from synth.mel import MelSettings, log_mel
from synth.nearest_passage import Gap, fill_gaps
from synth.vocoder import Vocoder
from training.bootstrap import Estimate, estimate_mean

EXCERPT_SECONDS = 9.0  # about a window of the shipped flow
SPAN_SECONDS = 1.0
FEWEST_SPANS = 4
RECORDED = "the recording"
FILLED = "generated"
COPIED = "nearest passage"

# log-mel (n_mels, frames), which frames are given (frames,) bool, random seed -> log-mel
Fill = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class InfillingScore:
    """Means over all spans; lower is better.

    `mel_step` is the mean absolute difference of the log-mel frames on either side of a border, in
    nepers; `embedding_step` the cosine distance of the seconds on either side, 0 to 2; `kad` that
    of the spans, with a second on either side, from the recordings, so for these it is 0.
    """

    mel_step: Estimate
    embedding_step: Estimate
    kad: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {name: estimate.to_dict() for name, estimate in vars(self).items()}


@dataclass(frozen=True)
class InfillingReport:
    """Scores of `RECORDED`, `FILLED` and `COPIED`.

    `left_out` gives the reason for each file that could not be used.
    """

    scores: dict[str, InfillingScore]
    spans: int
    left_out: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        return {
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
            "spans": self.spans,
            "left_out": self.left_out,
        }


def filling(generator: Generator, name: str) -> Fill:
    """Return the function by which a flow fills gaps, in the style of what is around them.

    Raises
    ------
    ParameterError
        If the generator, called `name` in the message, is no flow.
    """
    if not isinstance(generator, FlowGenerator):
        raise ParameterError(
            f"{name} is a generator of the architecture {generator.architecture}, which cannot fill"
            " spans; give a flow"
        )

    def fill(mel: np.ndarray, given: np.ndarray, random_seed: int) -> np.ndarray:
        around = torch.from_numpy(mel)
        is_given = torch.from_numpy(given)
        style = generator.style_of(around[:, is_given])
        request = FlowRequest(mel=around, given=is_given, style=style)
        mels = generator.sample(len(given), random_seeds=[random_seed], request=request)
        return mels[0].numpy()

    return fill


def evaluate_infilling(
    fill: Fill,
    vocoder: Vocoder,
    audio: Path,
    *,
    copy_from: Path | None,
    spans: int,
    random_seed: int,
    embedding: Embedding,
    progress: Progress = no_progress,
) -> InfillingReport:
    """Cut a second out of the middle of excerpts of 9 s, and fill it.

    Beside it, the gap is filled with the passage whose surroundings, a second on either side, are
    nearest in log-mel. All of it is heard through the vocoder, the recordings too.

    Parameters
    ----------
    fill : callable
        What it returns for frames that are given is not used. The seed of span i is `random_seed`
        + i.
    audio : Path
        Folder of recordings that the generator was not trained on.
    copy_from : Path, optional
        Folder to take passages from; by default from the other files of `audio`.
    spans : int >= 4
        At most; fewer if there is less audio.

    Raises
    ------
    ParameterError
        If there are too few excerpts, or no passages to copy; and as `open_excerpts`.
    """
    excerpts, left_out = _open_excerpts(audio, vocoder.mel, spans, random_seed, progress)
    mels = np.stack([log_mel(excerpt.audio, vocoder.mel) for excerpt in excerpts])
    span = _Span.in_middle(mels.shape[2], vocoder.mel)
    without = np.where(span.is_missing, vocoder.mel.silence, mels).astype(np.float32)
    filled = mels.copy()
    for number, mel in enumerate(without):
        progress(number, len(mels), FILLED)
        made = fill(mel, ~span.is_missing, random_seed + number)
        filled[number][:, span.is_missing] = made[:, span.is_missing]
    copied = mels.copy()
    copied[:, :, span.is_missing] = _copy(mels, excerpts, span, copy_from or audio, vocoder.mel)
    listener = _Listener(span, vocoder, embedding)
    sets = {RECORDED: mels, FILLED: filled, COPIED: copied}
    heard: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, ours in sets.items():
        progress(len(heard), len(sets), f"{name}, through the vocoder")
        heard[name] = listener.hear(ours)
    reference, _ = heard[RECORDED]
    scores = {}
    for name, (windows, embedding_steps) in heard.items():
        scores[name] = InfillingScore(
            mel_step=estimate_mean(vocoder.mel.nepers * span.mel_steps(sets[name])),
            embedding_step=estimate_mean(embedding_steps),
            kad=audio_distances(windows, reference, embedding, paired=True).kad,
        )
    return InfillingReport(scores, len(excerpts), left_out)


def _open_excerpts(
    audio: Path, mel: MelSettings, spans: int, random_seed: int, progress: Progress
) -> tuple[list[Excerpt], dict[str, str]]:
    one, other, left_out = open_excerpts(
        audio,
        mel,
        seconds=EXCERPT_SECONDS,
        most=-(-spans // 2),
        random_seed=random_seed,
        progress=progress,
    )
    excerpts = (one + other)[:spans]
    if len(excerpts) < FEWEST_SPANS:
        raise ParameterError(
            f"{audio}: {len(excerpts)} excerpts of {EXCERPT_SECONDS:g} s, {FEWEST_SPANS} are"
            " needed; give more or longer files, or more spans"
        )
    return excerpts, left_out


@dataclass(frozen=True)
class _Span:
    """Frames `start` to `stop`, of `frames`."""

    start: int
    stop: int
    frames: int

    @classmethod
    def in_middle(cls, frames: int, mel: MelSettings) -> "_Span":
        length = round(SPAN_SECONDS * mel.frame_rate)
        start = (frames - length) // 2
        return cls(start, start + length, frames)

    @property
    def length(self) -> int:
        return self.stop - self.start

    @property
    def is_missing(self) -> np.ndarray:
        place = np.arange(self.frames)
        return (place >= self.start) & (place < self.stop)

    def mel_steps(self, mels: np.ndarray) -> np.ndarray:
        """Return the mean step at the borders of each excerpt, (n,), of (n, n_mels, frames)."""
        borders = np.array([self.start, self.stop])
        return np.abs(mels[..., borders] - mels[..., borders - 1]).mean(axis=(1, 2))


@dataclass(frozen=True)
class _Listener:
    """Hears mels through a vocoder, and describes what is around the span."""

    span: _Span
    vocoder: Vocoder
    embedding: Embedding

    def hear(self, mels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return embeddings of the span with its surroundings, and distances at the borders.

        Shapes (n, 1, d) and (n,), of (n, n_mels, frames).
        """
        rate = self.vocoder.mel.sample_rate
        length = self.span.length * self.vocoder.mel.hop_length
        start = self.span.start * self.vocoder.mel.hop_length - length
        around = [self.vocoder.synthesise(mel)[start : start + 3 * length] for mel in mels]
        thirds = np.reshape(around, (3 * len(mels), length))
        parts = embed_clips(thirds, rate, self.embedding).mean(axis=1).reshape(len(mels), 3, -1)
        steps = [cosine_distances(one[:2], one[1:]).diagonal().mean() for one in parts]
        whole = embed_clips(around, rate, self.embedding).mean(axis=1, keepdims=True)
        return whole, np.array(steps)


def _copy(
    mels: np.ndarray, excerpts: list[Excerpt], span: _Span, folder: Path, settings: MelSettings
) -> np.ndarray:
    """Return the passages with the nearest surroundings, (n, n_mels, length of the span)."""
    dataset = open_dataset(folder, settings)
    cut = slice(span.start - span.length, span.stop + span.length)
    gaps = [
        Gap(mel[:, cut], span.length, excerpt.name)
        for mel, excerpt in zip(mels, excerpts, strict=True)
    ]
    copied = np.stack(fill_gaps(gaps, dataset))
    if np.isnan(copied).any():
        raise ParameterError(
            f"{folder}: no other file of at least {3 * SPAN_SECONDS:g} s to copy passages from;"
            " give more files, or another folder to copy from"
        )
    return copied
