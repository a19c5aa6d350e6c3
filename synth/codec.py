"""A codec: audio to latents or codes and back, exact to the sample whatever the model rounds to.

    audio (channels, n_samples) ──► latents (frames, n_latents) ──► codes (frames, n_codebooks)
                ▲                             │      ▲                        │
                └────────── decode ───────────┘      └──────── restore ───────┘

Every codec of the house is one of these: our own, published ones, exports of RAVE. Subclasses
define the methods whose names begin with an underscore; the others check what they are given.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from files.errors import AudioError, ParameterError


@dataclass(frozen=True)
class Level:
    """One level of a residual quantiser: codes what the levels before it left over.

    Attributes
    ----------
    codebook : ndarray, float32, shape (codes, code_size)
    by_angle : bool
        Whether the nearest entry is found by angle rather than by Euclidean distance.
    in_weight, in_bias : ndarray, float32, shapes (code_size, n_latents), (code_size,), optional
        From what is left over to where entries are compared; None if they are latents themselves.
    out_weight, out_bias : ndarray, float32, shapes (n_latents, code_size), (n_latents,), optional
        From an entry to what it adds to the latents.
    """

    codebook: np.ndarray
    by_angle: bool = False
    in_weight: np.ndarray | None = None
    in_bias: np.ndarray | None = None
    out_weight: np.ndarray | None = None
    out_bias: np.ndarray | None = None


class Codec(ABC):
    """Base of the codecs.

    Attributes
    ----------
    name : str
        For messages and manifests: the kind and the folder's or file's name.
    licence : str
        Of the weights, as their publisher states it; "unknown" if nothing does.
    hash : str
        32 hex digits that identify sizes and weights.
    sample_rate : int
        Hz.
    channels : int
        Of the audio that it decodes; mono audio is copied to all of them before encoding.
    hop_length : int
        Samples in a frame.
    n_latents : int
        Numbers in a frame of latents.
    n_codebooks, codebook_size : int
        0 if it has latents only.
    """

    name: str
    licence: str = "unknown"
    hash: str
    sample_rate: int
    channels: int = 1
    hop_length: int
    n_latents: int
    n_codebooks: int = 0
    codebook_size: int = 0

    @property
    def frame_rate(self) -> float:
        """Frames in a second."""
        return self.sample_rate / self.hop_length

    @property
    def details(self) -> dict[str, str | int | float]:
        """What else is worth showing of it, by name."""
        return {}

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames of so many samples; the last one may be part of a hop."""
        return -(-n_samples // self.hop_length)

    def latents(self, audio: np.ndarray) -> np.ndarray:
        """Encode audio as latents, before any quantisation.

        Parameters
        ----------
        audio : ndarray, float32, shape (channels, samples)
            At the codec's sample rate, of any length above 0; mono may be (samples,).

        Returns
        -------
        ndarray, float32, shape (frames, n_latents)

        Raises
        ------
        AudioError
            If it is empty or not finite, or has other channels.
        """
        return self._latents(self._checked(audio))

    def encode(self, audio: np.ndarray, n_codebooks: int | None = None) -> np.ndarray:
        """Encode audio as codes of the first `n_codebooks`, by default all.

        `audio` as for `latents`.

        Returns
        -------
        ndarray, int64, shape (frames, n_codebooks)
        """
        return self.quantise(self.latents(audio), n_codebooks)

    def quantise(self, latents: np.ndarray, n_codebooks: int | None = None) -> np.ndarray:
        """Quantise latents (frames, n_latents) to codes (frames, n_codebooks), int64."""
        wanted = self._checked_count(n_codebooks)
        return self._quantise(self._checked_frames(latents), wanted)

    def restore(self, codes: np.ndarray) -> np.ndarray:
        """Turn codes (frames, any number of first codebooks) into latents (frames, n_latents)."""
        return self._restore(self._checked_codes(codes))

    def decode(self, frames: np.ndarray, *, n_samples: int) -> np.ndarray:
        """Decode codes (integers) or latents (floats) to audio.

        Parameters
        ----------
        frames : ndarray, shape (frames, n_codebooks or n_latents)
        n_samples : int > 0

        Returns
        -------
        ndarray, float32, shape (channels, samples)

        Raises
        ------
        ParameterError
            If there are other frames than such a length has, or they are not finite.
        """
        if np.issubdtype(frames.dtype, np.integer):
            frames = self.restore(frames)
        latents = self._checked_frames(frames)
        self._check_length(latents, n_samples)
        return self._decode(latents, n_samples)

    def levels(self) -> list[Level]:
        """Return the levels that quantise latents, for a forecaster that learns the codes.

        Raises
        ------
        ParameterError
            If they are not levels of which each codes what those before it left over.
        """
        self._check_codebooks()
        raise ParameterError(
            f"the codes of {self.name} cannot be learnt, as not every codebook codes what those"
            " before it left over; use our own codec, EnCodec of 24 or 32 kHz, or DAC"
        )

    @abstractmethod
    def _latents(self, audio: np.ndarray) -> np.ndarray:
        """As `latents`, of checked audio (channels, n_samples)."""

    @abstractmethod
    def _decode(self, latents: np.ndarray, n_samples: int) -> np.ndarray:
        """As `decode`, of checked latents."""

    def _quantise(self, latents: np.ndarray, n_codebooks: int) -> np.ndarray:
        """As `quantise`, of checked latents; only of a codec with codebooks."""
        raise NotImplementedError

    def _restore(self, codes: np.ndarray) -> np.ndarray:
        """As `restore`, of checked codes; only of a codec with codebooks."""
        raise NotImplementedError

    def _checked(self, audio: np.ndarray) -> np.ndarray:
        audio = np.atleast_2d(np.asarray(audio, np.float32))
        if audio.ndim != 2 or audio.shape[0] not in (1, self.channels):
            raise AudioError(
                f"audio of shape {audio.shape} does not fit {self.name}; give mono, or"
                f" {self.channels} channels as (channels, samples)"
            )
        if audio.shape[1] == 0:
            raise AudioError(f"0 samples cannot be encoded by {self.name}; give a longer sound")
        if not np.isfinite(audio).all():
            raise AudioError(
                f"audio with NaN or infinite samples cannot be encoded by {self.name}; repair it"
            )
        return np.ascontiguousarray(np.broadcast_to(audio, (self.channels, audio.shape[1])))

    def _check_codebooks(self) -> None:
        if not self.n_codebooks:
            raise ParameterError(
                f"{self.name} has latents but no codebooks; use it where latents are enough"
            )

    def _checked_count(self, n_codebooks: int | None) -> int:
        self._check_codebooks()
        wanted = self.n_codebooks if n_codebooks is None else n_codebooks
        if not 1 <= wanted <= self.n_codebooks:
            raise ParameterError(
                f"n_codebooks={wanted} must be from 1 to {self.n_codebooks}, those of {self.name}"
            )
        return wanted

    def _checked_codes(self, codes: np.ndarray) -> np.ndarray:
        self._check_codebooks()
        if codes.ndim != 2 or not 1 <= codes.shape[1] <= self.n_codebooks:
            raise ParameterError(
                f"codes of shape {codes.shape} are not {self.name}'s; they must be (frames, 1 to"
                f" {self.n_codebooks})"
            )
        if codes.size and not (codes.min() >= 0 and codes.max() < self.codebook_size):
            raise ParameterError(
                f"codes from {codes.min()} to {codes.max()} must be from 0 to"
                f" {self.codebook_size - 1}, those of {self.name}"
            )
        return codes

    def _check_length(self, frames: np.ndarray, n_samples: int) -> None:
        if n_samples < 1 or len(frames) != self.n_frames(n_samples):
            raise ParameterError(
                f"{len(frames)} frames of {self.name} cannot give {n_samples} samples; a length"
                f" has one frame per {self.hop_length} samples begun"
            )

    def _checked_frames(self, latents: np.ndarray) -> np.ndarray:
        if latents.ndim != 2 or latents.shape[1] != self.n_latents:
            raise ParameterError(
                f"latents of shape {latents.shape} are not {self.name}'s; they must be (frames,"
                f" {self.n_latents})"
            )
        if not np.isfinite(latents).all():
            raise ParameterError(
                f"latents for {self.name} hold NaN or infinite values; make them again"
            )
        return np.asarray(latents, np.float32)
