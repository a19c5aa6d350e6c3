"""Residual vector quantisation: every codebook codes what those before it left over.

::

    latents ─┬──────────────► − ─┬──────────────► − ─► …      (frames, n_latents) each
             ▼                ▲  ▼                ▲
          inward              │ inward            │           8 numbers
             ▼                │  ▼                │
       nearest entry ─► outward  nearest entry ─► outward     the sum of these is the result

SoundStream (Zeghidour et al. 2021, arXiv 2107.03312), with the codebooks of DAC (Kumar et al. 2023,
arXiv 2306.06546): looked up in 8 dimensions, by the angle, and learnt by gradients. One codebook is
a VQ-VAE (van den Oord et al. 2017, arXiv 1711.00937).
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CODE_SIZE = 8  # numbers of an entry, as in DAC


class Codebook(nn.Module):
    """A codebook with its way in and out."""

    def __init__(self, n_latents: int, codebook_size: int) -> None:
        super().__init__()
        # Without biases, which would be all that is seen of the small rest that the last ones code.
        self.inward = nn.Linear(n_latents, CODE_SIZE, bias=False)
        self.outward = nn.Linear(CODE_SIZE, n_latents, bias=False)
        self.entries = nn.Parameter(torch.randn(codebook_size, CODE_SIZE))

    def nearest(self, projected: Tensor) -> Tensor:
        """Return the codes (...) of the entries at the smallest angle to (..., CODE_SIZE)."""
        directions = F.normalize(self.entries, dim=-1)
        return (F.normalize(projected, dim=-1) @ directions.T).argmax(-1)

    def restore(self, codes: Tensor) -> Tensor:
        """Codes (...) -> their part of the latents (..., n_latents)."""
        restored: Tensor = self.outward(F.embedding(codes, self.entries))
        return restored


class Quantised(NamedTuple):
    """What `ResidualQuantiser.forward` returns.

    Attributes
    ----------
    latents : Tensor, shape (batch, frames, n_latents)
        Gradients pass straight through to what was quantised.
    codes : Tensor of int, shape (batch, frames, n_codebooks)
    projected : Tensor, shape (batch, frames, n_codebooks, CODE_SIZE)
        What each codebook looked up; without a gradient.
    codebook, commitment : Tensor
        Losses, means over the batch; the first moves entries to what they stand for, the second
        the encoder to its entries.
    """

    latents: Tensor
    codes: Tensor
    projected: Tensor
    codebook: Tensor
    commitment: Tensor


class ResidualQuantiser(nn.Module):
    """Latents to codes and back."""

    def __init__(self, n_latents: int, n_codebooks: int, codebook_size: int) -> None:
        super().__init__()
        self.codebooks = nn.ModuleList(
            Codebook(n_latents, codebook_size) for _ in range(n_codebooks)
        )

    @property
    def books(self) -> list[Codebook]:
        return cast(list[Codebook], list(self.codebooks))

    def forward(self, latents: Tensor, n_used: Tensor) -> Quantised:
        """Quantise latents (batch, frames, n_latents), each clip by its own number of codebooks.

        Parameters
        ----------
        n_used : Tensor of int, shape (batch,)
            From 1. The other codebooks add nothing, and have no loss.
        """
        residual = latents
        total = torch.zeros_like(latents)
        losses = []
        codes = []
        projections = []
        for number, codebook in enumerate(self.books):
            projected = codebook.inward(residual)
            found = codebook.nearest(projected)
            entries = F.embedding(found, codebook.entries)
            is_used = (number < n_used).to(latents)  # (batch,)
            errors = [(entries - projected.detach()), (entries.detach() - projected)]
            losses.append([(error.square().mean((1, 2)) * is_used).mean() for error in errors])
            passed = codebook.outward(projected + (entries - projected).detach())
            total = total + passed * is_used[:, None, None]
            residual = residual - passed
            codes.append(found)
            projections.append(projected.detach())
        codebook_loss, commitment = torch.stack([torch.stack(pair) for pair in losses]).sum(0)
        codes_of_all = torch.stack(codes, dim=-1)
        return Quantised(
            total, codes_of_all, torch.stack(projections, 2), codebook_loss, commitment
        )

    def encode(self, latents: Tensor, n_codebooks: int) -> Tensor:
        """Latents (..., n_latents) -> codes (..., n_codebooks) of the first codebooks."""
        residual = latents
        codes = []
        for codebook in self.books[:n_codebooks]:
            codes.append(codebook.nearest(codebook.inward(residual)))
            residual = residual - codebook.restore(codes[-1])
        return torch.stack(codes, dim=-1)

    def restore(self, codes: Tensor) -> Tensor:
        """Codes (..., any number of first codebooks) -> latents (..., n_latents)."""
        books = zip(self.books, codes.unbind(-1), strict=False)
        return torch.stack([book.restore(own) for book, own in books]).sum(0)
