"""How one unit gives way to the next, without moving or shortening either.

            outgoing unit      b        incoming unit
        ──────────────────╲    │    ╱──────────────────
                           ╲   │   ╱
                            ╲  │  ╱     gain
                             ╲ │ ╱
          (read before      ╱ ╲│╱ ╲     (read on past
           its start)      ╱   │   ╲     its end)
                       b - pre │  b + post

The boundary b stays where the plan puts it. The overlap is made of sound the units' sources hold beyond them: the outgoing
source is read on for `post` samples, the incoming one from `pre` samples before. With x = (k + ½) / L over the L = pre + post
samples, gains cos(πx/2) and sin(πx/2) satisfy cos² + sin² = 1: two uncorrelated sounds keep their summed power throughout.

Half of each unit at most takes part in a seam, so no more than two units ever sound at once. Units that are adjacent in
their source are one sound: nothing is done and the samples pass through untouched. A source's first and last sample are the
recording's own beginning and end and are never faded.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from playback.plan import Step

EDGE_FADE = 64  # samples, 1.5 ms at 44.1 kHz: the shortest fade that does not click


@dataclass(frozen=True)
class Seam:
    """What happens at the boundary of two steps, or at one end of a step beside silence.

    An overlap of `pre + post` samples around the boundary, or (when there is none) fades inside the two units:
    `fade_out` samples at the end of the outgoing one, `fade_in` at the start of the incoming one.
    """

    pre: int = 0
    post: int = 0
    fade_out: int = 0
    fade_in: int = 0


PLAIN = Seam()


def plan_seam(outgoing: Step | None, incoming: Step | None, *, crossfade: int, outgoing_length: int = 0) -> Seam:
    """Decide the seam between two steps of a plan; None stands for silence.

    Parameters
    ----------
    crossfade : int >= 0
        Samples of overlap wanted; less is used where the sources or the units hold less. 0: every cut is plain.
    outgoing_length : int
        Length of the outgoing step's source in samples.
    """
    if crossfade == 0:
        return PLAIN
    if outgoing and incoming and outgoing.until_sample == incoming.at_sample:
        if is_contiguous(outgoing, incoming):
            return PLAIN
        pre = min(crossfade // 2, incoming.start_sample, outgoing.n_samples // 2)
        post = min(crossfade - crossfade // 2, outgoing_length - outgoing.end_sample, incoming.n_samples // 2)
        if pre + post >= min(EDGE_FADE, crossfade):
            return Seam(pre, post)
    edge = min(EDGE_FADE, crossfade)
    fade_out = min(edge, outgoing.n_samples // 2) if outgoing and outgoing.end_sample < outgoing_length else 0
    fade_in = min(edge, incoming.n_samples // 2) if incoming and incoming.start_sample > 0 else 0
    return Seam(fade_out=fade_out, fade_in=fade_in)


def is_contiguous(outgoing: Step, incoming: Step) -> bool:
    """Whether the incoming unit simply goes on in the outgoing one's source, at the same level and without a gap."""
    return (
        outgoing.source == incoming.source
        and outgoing.end_sample == incoming.start_sample
        and outgoing.until_sample == incoming.at_sample
        and outgoing.gain_db == incoming.gain_db
    )


def mix_overlap(outgoing: np.ndarray, incoming: np.ndarray) -> np.ndarray:
    """Equal-power crossfade of two spans of one shape, (n_samples, channels).

    Two loud sounds in phase would sum to more than either; where that would pass full scale although neither side does, the
    fade is equal-gain instead: a weighted mean cannot exceed its parts.
    """
    fade_in = equal_power(len(incoming))[:, None]
    mixed = outgoing * fade_in[::-1] + incoming * fade_in
    if np.abs(mixed).max(initial=0) > 1 and max(np.abs(outgoing).max(), np.abs(incoming).max()) <= 1:
        linear = ((np.arange(len(incoming), dtype=np.float32) + 0.5) / len(incoming))[:, None]
        return outgoing * (1 - linear) + incoming * linear
    return mixed


@lru_cache(maxsize=64)
def equal_power(n_samples: int) -> np.ndarray:
    """Rising half of an equal-power fade, float32, shape (n_samples,); reversed it falls."""
    x = (np.arange(n_samples) + 0.5) / n_samples
    return np.sin(np.pi / 2 * x).astype(np.float32)
