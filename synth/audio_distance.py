"""Distances between two sets of clips: FAD, KAD, and the divergence of their tags.

FAD, the Fréchet Audio Distance (arXiv 1812.08466), and KAD, the Kernel Audio Distance (arXiv
2502.15602), are between embeddings. FAD grows as sets get smaller, so only sets of equal sizes can
be compared; KAD does not. The divergence of tags is KL(reference || set), as in AudioGen (arXiv
2209.15352) and MusicGen (arXiv 2306.05284). They compare clips of one prompt in pairs; there are no
prompts here, so the mean probabilities of a set, scaled to sum 1, are one distribution over tags.

Intervals are from clips drawn anew, with replacement. Copies of clips add to FAD and the divergence
of tags, so the intervals of these are moved to the value; those of FAD are rather too wide.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from training.bootstrap import (
    RESAMPLES,
    Estimate,
    centred_interval,
    draw_counts,
    percentile_interval,
)
from training.embeddings import checked_rows
from training.frechet import Gaussian, frechet_distance, gaussian_distance
from training.kernel_distance import Kernels

FEWEST_WINDOWS = 100  # with fewer embeddings, the FAD of any two sets is far too high
LEAST_PROBABILITY = 1e-6  # of a tag, so that logarithms are finite


class Embedding(Protocol):
    """Turns audio into vectors, close if it sounds similar, like `synth.musicnn.Musicnn`."""

    def embed(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """(n_samples,) -> (n_windows, d), n_windows > 0 and given by the length alone."""
        ...

    def tags(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings (..., d) -> the probability of each tag, (..., n_tags)."""
        ...


@dataclass(frozen=True)
class AudioDistances:
    """Distances of a set of clips from a reference; lower is better.

    `fad` >= 0; `kad` around 0 for clips of one distribution, and then as often negative; `tag_kl`
    >= 0, in nats.
    """

    fad: Estimate
    kad: Estimate
    tag_kl: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {name: estimate.to_dict() for name, estimate in vars(self).items()}


def embed_clips(clips: Iterable[np.ndarray], sample_rate: int, embedding: Embedding) -> np.ndarray:
    """Embed clips of equal length: shape (n_clips, n_windows, d)."""
    return np.stack([embedding.embed(clip, sample_rate) for clip in clips])


def audio_distances(
    clips: np.ndarray, reference: np.ndarray, embedding: Embedding, *, paired: bool = False
) -> AudioDistances:
    """Return the distances between the windows of two sets of clips, with 95 % intervals.

    Parameters
    ----------
    clips : ndarray, shape (n, n_windows, d)
    reference : ndarray, shape (m, n_windows, d)
        Embeddings of clips, made by `embedding`.
    paired : bool
        Whether each clip was made of the same clip of the reference, as a copy is of its original.

    Raises
    ------
    ParameterError
        As `frechet_distance` and `kernel_distance`.
    """
    n = len(clips)
    m = len(reference)
    resamples = RESAMPLES if min(n, m) > 1 else 0
    draws = (
        draw_counts(n, resamples=resamples) if paired else draw_counts(n, m, resamples=resamples)
    )
    of_clips = draws[:, :n]
    of_reference = draws[:, -m:]
    return AudioDistances(
        fad=_fad(clips, reference, of_clips, of_reference),
        kad=_kad(clips, reference, draws, paired=paired),
        tag_kl=_tag_kl(embedding.tags(clips), embedding.tags(reference), of_clips, of_reference),
    )


def _fad(
    clips: np.ndarray, reference: np.ndarray, of_clips: np.ndarray, of_reference: np.ndarray
) -> Estimate:
    rows, others = checked_rows(clips=_windows(clips), reference=_windows(reference))
    drawn = []
    for a, b in zip(of_clips, of_reference, strict=True):
        ours = Gaussian.of_counted_rows(rows, np.repeat(a, clips.shape[1]))
        theirs = Gaussian.of_counted_rows(others, np.repeat(b, reference.shape[1]))
        drawn.append(gaussian_distance(ours, theirs))
    return _positive(frechet_distance(rows, others), drawn)


def _kad(clips: np.ndarray, reference: np.ndarray, draws: np.ndarray, *, paired: bool) -> Estimate:
    """Draws are counts of all clips that are drawn: if `paired`, pairs, else first the set's."""
    n_groups = draws.shape[1]
    kernels = Kernels.of(_windows(clips), _windows(reference))
    groups = np.repeat(np.arange(len(clips)), clips.shape[1])
    references = np.arange(n_groups - len(reference), n_groups)
    grouped = kernels.by_group(groups, np.repeat(references, reference.shape[1]), paired=paired)
    value = grouped.distance(np.ones(n_groups))
    return Estimate(value, *percentile_interval([grouped.distance(counts) for counts in draws]))


def _tag_kl(
    tags: np.ndarray, others: np.ndarray, of_clips: np.ndarray, of_reference: np.ndarray
) -> Estimate:
    """Compare probabilities of tags, (n, n_windows, n_tags) and (m, n_windows, n_tags)."""
    tags = tags.mean(axis=1, dtype=np.float64)
    others = others.mean(axis=1, dtype=np.float64)
    drawn = [_divergence(b @ others, a @ tags) for a, b in zip(of_clips, of_reference, strict=True)]
    return _positive(_divergence(others.sum(axis=0), tags.sum(axis=0)), drawn)


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Return KL(p || q) in nats of two distributions (n,), known but for their scale."""
    p, q = ((x / x.sum()).clip(LEAST_PROBABILITY) for x in (p, q))
    return float((p * np.log(p / q)).sum())


def _positive(value: float, drawn: list[float]) -> Estimate:
    lower, upper = centred_interval(value, drawn)
    return Estimate(value, max(lower, 0.0), upper)


def _windows(clips: np.ndarray) -> np.ndarray:
    return clips.reshape(-1, clips.shape[-1])
