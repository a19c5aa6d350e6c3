"""A window of MusicGen: the tokens that its language model makes, and its audio among others."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

JOIN_FRAMES = 5  # before the end of what two windows share, where both know what follows


class NotFiniteError(Exception):
    """The scores of the next tokens are NaN, so that none can be drawn."""


class TokensHeard:
    """Keeps the tokens (n_codebooks, steps) that a language model has made before its last step."""

    tokens: Tensor

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.tokens = input_ids
        if scores.isnan().any():
            raise NotFiniteError
        return scores


@dataclass(frozen=True)
class Window:
    """A part of a sound.

    Attributes
    ----------
    n_made : int
        Frames of new sound before it.
    n_heard : int
        Frames at its beginning that are not new.
    audio : ndarray, float32, shape (channels, n_samples)
    """

    n_made: int
    n_heard: int
    audio: np.ndarray

    def put_into(self, made: np.ndarray, lead: int, hop_length: int) -> None:
        """Put it into a sound whose new part begins at the sample `lead`."""
        first = lead + (self.n_made - self.n_heard) * hop_length
        start = 0
        if self.n_made:  # the frames before its new ones are in `made`, too: fade where both are
            start = first + max(self.n_heard - JOIN_FRAMES, 0) * hop_length
            fade = slice(start, start + hop_length)
            rise = np.linspace(0, 1, hop_length, dtype=np.float32)[: made[:, fade].shape[1]]
            made[:, fade] += rise * (self.audio[:, start - first :][:, : len(rise)] - made[:, fade])
            start += hop_length
        part = self.audio[:, start - first :][:, : made.shape[1] - start]
        made[:, start : start + part.shape[1]] = part
