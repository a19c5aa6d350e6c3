"""What lies between known steps, by straight lines: where a masked model begins.

    known      o . . . o . . o        steps of which all tokens are known
    between    o \\ \\ \\ o - - o . .    before the first and behind the last, as there

A Gaussian around this gives each code of a level a log density, at the place of what the levels
below have left over. The network learns how far to deviate from it, and how wide it is.
"""

import torch
from torch import Tensor, nn

from sequencer.quantiser import Quantiser

MIN_VARIANCE = 1e-4  # of z-scores or latents


def between(steps: Tensor, known: Tensor) -> Tensor:
    """Return steps (batch, steps, n) with those that are not known (batch, steps) interpolated.

    Zero if none is known.
    """
    n_steps = steps.shape[1]
    positions = torch.arange(n_steps, device=steps.device).expand(known.shape)
    before = positions.masked_fill(~known, -1).cummax(1).values
    after = positions.masked_fill(~known, n_steps).flip(1).cummin(1).values.flip(1)
    only_after = before < 0
    only_before = after == n_steps
    first = torch.where(only_after, after, before).clamp(0, n_steps - 1)
    last = torch.where(only_before, before, after).clamp(0, n_steps - 1)
    share = (positions - first) / (last - first).clamp(min=1)
    mixed = torch.lerp(_gather(steps, first), _gather(steps, last), share[..., None].to(steps))
    return mixed * known.any(1)[:, None, None]


def _gather(steps: Tensor, places: Tensor) -> Tensor:
    return steps.gather(1, places[..., None].expand(-1, -1, steps.shape[-1]))


class Gaussians(nn.Module):
    """Log densities of the codes of each level, around what lies between the known steps."""

    def __init__(self, hidden_size: int, levels: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.precision = nn.Linear(hidden_size, levels * width)

    @torch.no_grad()
    def fit(self, quantiser: Quantiser, sequences: list[Tensor]) -> None:
        """Begin as wide as straight lines err where every other step of codes is missing."""
        errors = torch.zeros(quantiser.levels, self.width)
        for codes in sequences:
            known = torch.arange(len(codes)) % 2 == 0
            rests = self.rests(quantiser, codes[None], known[None])
            for level, rest in enumerate(rests):
                key = quantiser.keys(level)[codes[:, level]]
                errors[level] += ((quantiser.query(level, rest[0]) - key) ** 2)[~known].sum(0)
        variance = errors / sum(max(len(codes) // 2, 1) for codes in sequences)
        self.precision.weight.zero_()
        self.precision.bias.copy_(-variance.clamp_min(MIN_VARIANCE).log().flatten())

    @staticmethod
    def rests(quantiser: Quantiser, codes: Tensor, known: Tensor) -> list[Tensor]:
        """Return what is left for each level, of codes (batch, steps, levels), `n_codes` if masked.

        Zero where a level below is masked.
        """
        masked = codes == quantiser.n_codes
        codes = codes.masked_fill(masked, 0)
        rest = between(quantiser.latents(quantiser.restore(codes)), known)
        rests = [rest]
        for level in range(quantiser.levels - 1):
            rest = rest - quantiser.part(level, codes[..., level])
            rest = rest.masked_fill(masked[..., : level + 1].any(-1, keepdim=True), 0.0)
            rests.append(rest)
        return rests

    def forward(self, level: int, hidden: Tensor, rest: Tensor, quantiser: Quantiser) -> Tensor:
        """Return the log densities (..., codes) up to a constant."""
        own = slice(level * self.width, (level + 1) * self.width)
        weight = self.precision.weight[own]
        precision = nn.functional.linear(hidden, weight, self.precision.bias[own]).exp()
        keys = quantiser.keys(level)
        return (precision * quantiser.query(level, rest)) @ keys.T - 0.5 * precision @ (keys**2).T
