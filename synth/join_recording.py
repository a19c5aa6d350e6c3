"""Put generated audio into a recording, with a crossfade inside each border of the span.

::

        recording ─────────────────╲         ╱───────────────
                                 │  ╲       ╱  │
                                 │   ╲     ╱   │   gain
                                 │  ╱ ╲   ╱ ╲  │
        generated                │ ╱───────────│
                               start          stop

Samples outside the span are those of the recording. A vocoder invents its phases: the generated
audio is moved, by at most one period of the lowest tone, to where it agrees best with the recording
at both borders. Where it still does not agree, the gains keep the power (Fink, Holters & Zölzer,
"Signal-matched power-complementary cross-fading and dry-wet mixing", DAFx-16):

    with c = cos(πx/2), s = sin(πx/2), for sounds of correlation ρ: c, s divided by √(1 + ρ sin πx)
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

FADE_SECONDS = 0.01
LARGEST_LAG_SECONDS = 0.02  # one period of 50 Hz
HEARD_SECONDS = 0.02  # of the recording beside a border, compared with what is generated there
TINY = 1e-12  # of energy, so that silence agrees with nothing
LOUDEST = 0.999  # of the sum of two sounds


@dataclass(frozen=True)
class Border:
    """Samples of the recording: those compared, [first, last), and those faded, [start, stop)."""

    first: int
    last: int
    start: int
    stop: int


def replace_span(
    recording: np.ndarray,
    generated: np.ndarray,
    *,
    first: int,
    start: int,
    stop: int,
    sample_rate: int,
) -> np.ndarray:
    """Return a recording with a span replaced.

    Parameters
    ----------
    recording : ndarray, float32, shape (n_samples,) or (channels, n_samples)
    generated : ndarray, float32, shape (n,) or (channels, n)
        It covers the span, and `reach_samples` more on either side where the recording goes on.
    first : int
        Sample of the recording at which `generated` begins.
    start, stop : int
        Samples of the recording. A span that ends after the recording makes it longer.

    Returns
    -------
    ndarray, float32, shape (max(n_samples, stop),), or (channels, max(n_samples, stop))
    """
    fade = min(round(FADE_SECONDS * sample_rate), (stop - start) // 2)
    heard = round(HEARD_SECONDS * sample_rate)
    n_samples = recording.shape[-1]
    borders = []
    if start > 0:
        borders.append(Border(max(start - heard, 0), start + fade, start, start + fade))
    if stop < n_samples:
        borders.append(Border(stop - fade, min(stop + heard, n_samples), stop - fade, stop))
    reach = reach_samples(sample_rate)
    padded = _padded(generated, reach, reach)
    offset = reach - first
    offset += _best_lag(
        recording, padded, borders, offset, round(LARGEST_LAG_SECONDS * sample_rate)
    )
    joined = _padded(recording, 0, max(stop - n_samples, 0))
    joined[..., start:stop] = padded[..., start + offset : stop + offset]
    for border in borders:
        span = slice(border.start, border.stop)
        recorded = recording[..., span]
        made = joined[..., span]
        rises = border.start == start
        outgoing, incoming = (recorded, made) if rises else (made, recorded)
        joined[..., span] = _crossfade(outgoing, incoming).clip(-LOUDEST, LOUDEST)
    return joined


def _padded(audio: np.ndarray, before: int, after: int) -> np.ndarray:
    """Return audio with silence before and after it."""
    return np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(before, after)])


def reach_samples(sample_rate: int) -> int:
    """Return how far from a span the generated audio is compared with the recording."""
    return round(HEARD_SECONDS * sample_rate) + round(LARGEST_LAG_SECONDS * sample_rate)


def _best_lag(
    recording: np.ndarray, padded: np.ndarray, borders: list[Border], offset: int, largest: int
) -> int:
    """Return by how many samples to move what is generated, ± `largest`: all channels alike."""
    agreement = np.zeros(2 * largest + 1)
    for border in borders:
        compared = np.atleast_2d(recording[..., border.first : border.last])
        reached = slice(border.first + offset - largest, border.last + offset + largest)
        for recorded, around in zip(
            compared.astype(np.float64),
            np.atleast_2d(padded[..., reached]).astype(np.float64),
            strict=True,
        ):
            windows = sliding_window_view(around, len(recorded))
            energy = np.square(windows).sum(axis=1) * np.square(recorded).sum()
            agreement += windows @ recorded / np.sqrt(energy + TINY)
    return int(agreement.argmax()) - largest


def _crossfade(outgoing: np.ndarray, incoming: np.ndarray) -> np.ndarray:
    """Fade from one sound into another of the same shape, with the power kept."""
    n_samples = outgoing.shape[-1]
    x = (np.arange(n_samples) + 0.5) / n_samples
    fall = np.cos(np.pi * x / 2)
    rise = np.sin(np.pi * x / 2)
    weights = fall * rise
    energy = (weights * np.square(outgoing)).sum() * (weights * np.square(incoming)).sum()
    correlation = (weights * outgoing * incoming).sum() / np.sqrt(energy + TINY)
    norm = np.sqrt(1 + max(correlation, 0.0) * np.sin(np.pi * x))
    faded = (fall * outgoing + rise * incoming) / norm
    return faded.astype(np.float32)
