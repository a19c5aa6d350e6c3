"""DAC of 16, 24 and 44.1 kHz: convolutions, codebooks of few dimensions, mono.

Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", arXiv:2306.06546.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from synth.codec import Level
from synth.codecs.published import Provenance, PublishedCodec


class DacCodec(PublishedCodec):
    """Latents are what the codebooks are given: 8 numbers for each, the first ones coarsest.

    The encoder's own output, of 1024 numbers, is never what the decoder gets: it was trained on
    sums of entries of the codebooks, and nothing keeps the rest of that space small. So latents are
    rounded to the nearest entry of each codebook when they are decoded, and sound as codes do.
    """

    def __init__(self, model: Any, provenance: Provenance) -> None:
        super().__init__(model, provenance)
        config = model.config
        self.hop_length = int(config.hop_length)
        self.n_latents = config.n_codebooks * config.codebook_dim
        self.n_codebooks = config.n_codebooks
        self.codebook_size = config.codebook_size

    def _encode_tensor(self, audio: Tensor) -> Tensor:
        return self._convolve_down(self._project, audio, self.hop_length)

    def _project(self, audio: Tensor) -> Tensor:
        """Encode a window of audio; each codebook is given what those before it left over."""
        return self.model.quantizer(self.model.encoder(audio))[2]

    def _decode_tensor(self, latents: Tensor) -> Tensor:
        return self._convolve_up(self._sound, latents, self.hop_length)

    def _sound(self, latents: Tensor) -> Tensor:
        """Decode a window of latents."""
        sums = torch.zeros((), device=latents.device)
        for book, part in self._books(latents):
            entries, _ = book.decode_latents(part)
            given = (part != 0).any(dim=1, keepdim=True)  # zeros: of a codebook that was left out
            sums = sums + book.out_proj(entries) * given
        return self.model.decoder(sums)

    def _quantise_tensor(self, latents: Tensor) -> Tensor:
        return torch.cat([book.decode_latents(part)[1] for book, part in self._books(latents)])

    def _restore_tensor(self, codes: Tensor) -> Tensor:
        latents = self.model.quantizer.from_codes(codes[None])[1]
        return F.pad(latents, (0, 0, 0, self.n_latents - latents.shape[1]))

    def levels(self) -> list[Level]:
        size = self.n_latents // self.n_codebooks
        slots = np.eye(self.n_latents, dtype=np.float32)
        levels = []
        for number, book in enumerate(self.model.quantizer.quantizers):
            own = slots[number * size : (number + 1) * size]  # its part of the latents
            levels.append(
                Level(
                    book.codebook.weight.detach().cpu().numpy(),
                    by_angle=True,
                    in_weight=own,
                    in_bias=np.zeros(size, np.float32),
                    out_weight=np.ascontiguousarray(own.T),
                    out_bias=np.zeros(self.n_latents, np.float32),
                )
            )
        return levels

    def _books(self, latents: Tensor) -> Iterable[tuple[Any, Tensor]]:
        """Return each codebook with its part of the latents."""
        parts = latents.chunk(self.n_codebooks, dim=1)
        return zip(self.model.quantizer.quantizers, parts, strict=True)
