"""Encode a signal of any length as latents, a stretch at a time, as it comes.

    signal      |......context......|==========stretch==========|......context......|
    latents                         |============kept===========|

A codec sees its audio through a window of finite width, so that latents inside a stretch are those
of the whole signal but for what is farther away than the context. Stretches are counted from the
signal's start in whole frames, however it was read.
"""

import numpy as np

from files.errors import AudioError
from synth.codec import Codec

STRETCH_SECONDS = 10.0
CONTEXT_SECONDS = 1.0  # on either side


class BlockEncoder:
    """Encodes blocks at the codec's rate; memory does not grow with the signal but by latents.

    Attributes
    ----------
    latents : list of ndarray, float32, shape (frames, n_latents)
        What is encoded so far.
    """

    def __init__(self, codec: Codec) -> None:
        self.latents: list[np.ndarray] = []
        self._codec = codec
        self._stretch = max(1, round(STRETCH_SECONDS * codec.frame_rate))  # frames
        self._context = max(1, round(CONTEXT_SECONDS * codec.frame_rate))
        self._buffer: np.ndarray | None = None
        self._n_before = 0  # frames of context at the buffer's start

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, float32, (n,) or (channels, n)."""
        buffer = block if self._buffer is None else np.concatenate([self._buffer, block], axis=-1)
        hop = self._codec.hop_length
        while buffer.shape[-1] >= hop * (self._n_before + self._stretch + self._context):
            whole = self._n_before + self._stretch
            self._encode(buffer[..., : hop * (whole + self._context)], self._stretch)
            kept = min(self._context, whole)
            buffer = buffer[..., hop * (whole - kept) :]
            self._n_before = kept
        self._buffer = buffer

    def finish(self) -> np.ndarray:
        """Return the latents of all samples, float32, (codec.n_frames(n_samples), n_latents).

        Raises
        ------
        AudioError
            If they are not finite.
        """
        if self._buffer is not None:
            n_left = self._codec.n_frames(self._buffer.shape[-1]) - self._n_before
            if n_left > 0:
                self._encode(self._buffer, n_left)
        if not self.latents:
            return np.empty((0, self._codec.n_latents), np.float32)
        return np.concatenate(self.latents)

    def _encode(self, audio: np.ndarray, n_frames: int) -> None:
        rows = self._codec.latents(audio)[self._n_before :][:n_frames]
        if not np.isfinite(rows).all():
            raise AudioError(
                f"{self._codec.name} turns it into latents that are NaN or infinite; leave the file"
                " out, or use another codec"
            )
        self.latents.append(rows)


def encode_long(codec: Codec, audio: np.ndarray) -> np.ndarray:
    """Encode audio (n_samples,) or (channels, n_samples); raises as `BlockEncoder.finish`."""
    encoder = BlockEncoder(codec)
    encoder.add(np.asarray(audio, np.float32))
    return encoder.finish()
