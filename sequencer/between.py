"""What lies between known steps, by straight lines: where a masked model begins.

    known      o . . . o . . o        steps of which all tokens are known
    between    o \\ \\ \\ o - - o . .    before the first and behind the last, as there

A Gaussian around this gives each code of a level a log density, at the place of what the levels
below have left over. The network learns how far to deviate from it, and how wide it is.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sequencer.mask_schedule import draw_masks, spread
from sequencer.quantiser import Quantiser

MIN_VARIANCE = 1e-4  # of z-scores or latents
N_DISTANCES = 6  # classes of distances, each twice as long as the one before
FIT_MASKS = 8  # of each sequence, for the first widths
FEWEST = 32  # tokens that a width is found from
MOST_EXAMPLES = 8192  # tokens of a level, for the first widths
FACTORS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)  # by which they are widened


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


def distances(known: Tensor) -> Tensor:
    """Return how far the nearest known step is in classes, int64, shape as `known`.

    0 for up to 2 steps, 1 for up to 6, 2 for up to 14 and so on; the last class is for longer
    distances, and where nothing is known.
    """
    n_steps = known.shape[-1]
    positions = torch.arange(n_steps, device=known.device).expand(known.shape)
    far = 1 << N_DISTANCES
    before = positions - positions.masked_fill(~known, -far).cummax(-1).values
    after = positions.masked_fill(~known, n_steps + far).flip(-1).cummin(-1).values.flip(-1)
    nearest = torch.minimum(before, after - positions)
    return (nearest + 1).float().log2().floor().long().sub(1).clamp(0, N_DISTANCES - 1)


class Rest(NamedTuple):
    """What a level of each step codes.

    Attributes
    ----------
    mean : Tensor, shape (batch, steps, n)
        Straight lines, less what the levels below have said; zero if one of these is masked.
    case : Tensor, int64, shape (batch, steps)
        How far the nearest known step is, and whether a level below is masked.
    """

    mean: Tensor
    case: Tensor


def _draw_examples(quantiser: Quantiser, sequences: list[Tensor]) -> list[tuple[Rest, Tensor]]:
    """Return for each level what is left of some masked tokens, and their codes."""
    generator = torch.Generator().manual_seed(0)
    found: list[list[tuple[Tensor, ...]]] = [[] for _ in range(quantiser.levels)]
    for codes in sequences:
        repeated = codes.expand(FIT_MASKS, -1, -1)
        masked = draw_masks(repeated, spread(0, FIT_MASKS), generator)
        rests = Gaussians.rests(quantiser, repeated.masked_fill(masked, quantiser.n_codes))
        for level, rest in enumerate(rests):
            chosen = masked[..., level]
            level_codes = repeated[..., level]
            found[level].append((rest.mean[chosen], rest.case[chosen], level_codes[chosen]))
    examples = []
    for of_level in found:
        mean, case, codes = (torch.cat(parts) for parts in zip(*of_level, strict=True))
        order = torch.randperm(len(codes), generator=generator)[:MOST_EXAMPLES]
        examples.append((Rest(mean[order], case[order]), codes[order]))
    return examples


class Gaussians(nn.Module):
    """Log densities of the codes of each level, around what lies between the known steps."""

    log_precision: Tensor

    def __init__(self, hidden_size: int, levels: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.deviation = nn.Linear(hidden_size, levels * width)
        self.register_buffer("log_precision", torch.zeros(2 * N_DISTANCES, levels, width))

    @torch.no_grad()
    def fit(self, quantiser: Quantiser, sequences: list[Tensor]) -> None:
        """Begin as wide as straight lines err, with masks as in training.

        Columns err together, so that their densities would be far too sharp if they were taken as
        independent: all are widened by the factor that makes the codes likeliest.
        """
        self.deviation.weight.zero_()
        self.deviation.bias.zero_()
        examples = _draw_examples(quantiser, sequences)
        for level, (rest, codes) in enumerate(examples):
            errors = (quantiser.query(level, rest.mean) - quantiser.keys(level)[codes]) ** 2
            usual = errors.mean(0)
            for case in range(len(self.log_precision)):
                own = errors[rest.case == case]
                variance = own.mean(0) if len(own) >= FEWEST else usual
                self.log_precision[case, level] = -variance.clamp_min(MIN_VARIANCE).log()
            self._widen(level, rest, codes, quantiser)

    def _widen(self, level: int, rest: Rest, codes: Tensor, quantiser: Quantiser) -> None:
        """Divide the precisions of each case of a level by the best of some factors."""
        hidden = torch.zeros(1, self.deviation.in_features)
        said = self(level, hidden, rest, quantiser)
        losses = torch.stack(
            [
                nn.functional.cross_entropy(said / factor, codes, reduction="none")
                for factor in FACTORS
            ]
        )
        for case in range(len(self.log_precision)):
            own = rest.case == case
            chosen = losses[:, own] if own.sum() >= FEWEST else losses
            self.log_precision[case, level] -= math.log(FACTORS[int(chosen.sum(1).argmin())])

    @staticmethod
    def rests(quantiser: Quantiser, codes: Tensor, real: Tensor | None = None) -> list[Rest]:
        """Return what is left for each level, of codes (batch, steps, levels), `n_codes` if masked.

        Steps that are not `real` (batch, steps) are not known.
        """
        masked = codes == quantiser.n_codes
        known = ~masked.any(-1)
        if real is not None:
            known = known & real
        codes = codes.masked_fill(masked, 0)
        distance = distances(known)
        mean = between(quantiser.latents(quantiser.restore(codes)), known)
        rests = [Rest(mean, distance)]
        for level in range(quantiser.levels - 1):
            mean = mean - quantiser.part(level, codes[..., level])
            is_told = ~masked[..., : level + 1].any(-1)
            mean = mean * is_told[..., None]
            rests.append(Rest(mean, distance + N_DISTANCES * ~is_told))
        return rests

    def forward(self, level: int, hidden: Tensor, rest: Rest, quantiser: Quantiser) -> Tensor:
        """Return the log densities (..., codes) up to a constant."""
        own = slice(level * self.width, (level + 1) * self.width)
        weight = self.deviation.weight[own]
        deviation = nn.functional.linear(hidden, weight, self.deviation.bias[own])
        precision = (self.log_precision[rest.case, level] + deviation).exp()
        keys = quantiser.keys(level)
        direction = precision * quantiser.query(level, rest.mean)
        return direction @ keys.T - 0.5 * precision @ (keys**2).T
