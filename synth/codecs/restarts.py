"""Entries of codebooks that are hardly ever chosen begin again at what is to be coded now.

Gradients move only the entries that are chosen, so that many random ones would stay unused for
ever. SoundStream (arXiv 2107.03312, section III-C) and Jukebox (arXiv 2005.00341, section 3) begin
them again where there is data; so does this, from the first step on, when all are unused.
"""

import torch
from torch import Tensor, nn

from synth.codecs.quantiser import Quantised, ResidualQuantiser
from training.distributed import Distributed

DECAY = 0.95  # of the moving average of use, per step
UNUSED = 0.1  # of an even share: entries that are chosen less often begin again


class Restarts(nn.Module):
    """The use of each entry, a moving average: 1 if all are chosen equally often.

    It is kept with the training, not with the model.
    """

    use: Tensor

    def __init__(self, n_codebooks: int, codebook_size: int) -> None:
        super().__init__()
        self.register_buffer("use", torch.zeros(n_codebooks, codebook_size))

    @torch.no_grad()
    def update(
        self,
        quantiser: ResidualQuantiser,
        quantised: Quantised,
        n_used: Tensor,
        distributed: Distributed,
    ) -> int:
        """Count the codes of a batch, and begin unused entries again; return how many.

        Parameters
        ----------
        quantised : Quantised
            What `quantiser` returned for `n_used`.
        """
        n_codebooks, codebook_size = self.use.shape
        books = torch.arange(n_codebooks, device=n_used.device)
        # code c of codebook b is counted at b * codebook_size + c
        places = quantised.codes + books * codebook_size
        counted = (books < n_used[:, None, None]).expand_as(places).flatten().float()
        counts = torch.bincount(places.flatten(), counted, self.use.numel()).view_as(self.use)
        (counts,) = distributed.sum(counts)
        totals = counts.sum(1, keepdim=True)
        shares = counts / totals.clamp_min(1) * codebook_size
        is_chosen = (totals > 0).float()  # by chance, no clip may use the last codebooks
        self.use += (shares - self.use) * (1 - DECAY) * is_chosen
        return sum(
            self._restart(number, quantiser, quantised.projected[:, :, number], distributed)
            for number in range(n_codebooks)
        )

    def _restart(
        self,
        number: int,
        quantiser: ResidualQuantiser,
        projected: Tensor,
        distributed: Distributed,
    ) -> int:
        unused = torch.nonzero(self.use[number] < UNUSED).flatten()
        if not len(unused):
            return 0
        vectors = projected.flatten(0, 1)
        order = torch.randperm(len(vectors), device=vectors.device)
        chosen = vectors[order.repeat(-(-len(unused) // len(order)))[: len(unused)]]
        # all processes take those of the first
        (chosen,) = distributed.sum(chosen * float(distributed.is_main))
        quantiser.books[number].entries[unused] = chosen
        self.use[number, unused] = 1.0
        return len(unused)
