"""The windows in which a codec decodes latents, so that memory does not grow with their length.

frames      |..context..|=======window=======|..context..|
samples                 |========kept========|
"""

from collections.abc import Iterator
from typing import NamedTuple

from synth.codec import Codec

WINDOW_SECONDS = 10.0  # decoded at a time
CONTEXT_SECONDS = 1.0  # decoded on either side of that, and left out


class Window(NamedTuple):
    """Frames that are decoded at a time, with their context.

    Attributes
    ----------
    frames : slice
    n_samples : int
        That these give.
    kept : slice
        Of these samples, without the context.
    """

    frames: slice
    n_samples: int
    kept: slice


def windows_of(codec: Codec, n_samples: int) -> Iterator[Window]:
    """Yield the windows of all frames of so many samples."""
    hop = codec.hop_length
    size = max(1, round(WINDOW_SECONDS * codec.frame_rate))
    context = max(1, round(CONTEXT_SECONDS * codec.frame_rate))
    n_frames = codec.n_frames(n_samples)
    for start in range(0, n_frames, size):
        stop = min(start + size, n_frames)
        first = max(start - context, 0)
        last = min(stop + context, n_frames)
        kept = slice((start - first) * hop, min(stop * hop, n_samples) - first * hop)
        yield Window(slice(first, last), min(last * hop, n_samples) - first * hop, kept)
