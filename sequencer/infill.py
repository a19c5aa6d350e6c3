"""Fill masked tokens in a number of passes, the surest ones first (MaskGIT, arXiv 2202.04200).

Each pass of the network samples every masked token; those it is most sure of stay, and the others
are masked again, upper levels before lower ones: a level codes what those below it left over, and
is sampled when these are known (SoundStorm, arXiv 2305.09636). How many follows the cosine
schedule: few at first, when little is known. The confidence of a token is the log of its
probability, with noise that shrinks from pass to pass: else the most common sounds would always be
settled first, and the result be dull. VampNet (arXiv 2307.04686) sets the strength of the noise,
the mask temperature, to 10.5.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from files.errors import ParameterError
from files.progress import Progress, no_progress
from files.ranges import check_integer
from sequencer.mask_schedule import masked_share
from sequencer.masked import MaskedModel
from sequencer.sampler import Sampler
from sequencer.sampling import AS_LEARNED, SamplingOptions

MOST_PASSES = 1000


@dataclass(frozen=True)
class InfillOptions:
    """Options for filling masked tokens.

    Attributes
    ----------
    sampling : SamplingOptions
        Of each token.
    passes : int
        Times that the network is run.
    mask_temperature : float >= 0
        Noise in the order in which tokens are settled; 0 settles the surest first.
    """

    sampling: SamplingOptions = AS_LEARNED
    passes: int = 12
    mask_temperature: float = 10.5

    def __post_init__(self) -> None:
        check_integer("passes", self.passes, 1, MOST_PASSES)
        if not (math.isfinite(self.mask_temperature) and self.mask_temperature >= 0):
            raise ParameterError(
                f"mask_temperature={self.mask_temperature} must be a finite number of at least 0"
            )


@torch.no_grad()
def fill_tokens(
    model: MaskedModel,
    codes: Tensor,
    keep: Tensor,
    options: InfillOptions,
    *,
    generator: torch.Generator,
    progress: Progress = no_progress,
) -> Tensor:
    """Return codes with those that are not kept filled in, in exactly `options.passes` passes.

    Parameters
    ----------
    codes : Tensor, int64, shape (steps, levels)
        Of what is not kept, anything.
    keep : Tensor, bool, shape (steps, levels)
        Kept codes never change.
    generator : torch.Generator
        On the CPU; the random seed of `options` is not used.
    """
    sampler = Sampler(options.sampling, generator, low=model.low, high=model.high)
    state = torch.where(keep, codes, model.mask).to(model.mean.device)
    n_free = int((~keep).sum())
    for number in range(1, options.passes + 1):
        masked = state == model.mask
        logits = model(state[None])[0][masked]  # (masked tokens, codes)
        drawn = sampler.sample_categories(logits)
        state[masked] = drawn
        progress(number, options.passes, "filling")
        if number == options.passes:
            break
        r = number / options.passes
        n_left = min(math.floor(masked_share(r) * n_free), len(drawn) - 1)
        steps, levels = masked.nonzero(as_tuple=True)
        order = _sureness(logits, drawn, options, r, generator).argsort()
        order = order[levels[order].argsort(descending=True, stable=True)]
        again = order[: max(n_left, min(len(drawn), 1))]
        state[steps[again], levels[again]] = model.mask
    return state.to(codes.device)


def _sureness(
    logits: Tensor, drawn: Tensor, options: InfillOptions, r: float, generator: torch.Generator
) -> Tensor:
    """Return how sure each drawn code (n,) is: the log of its probability, and Gumbel noise."""
    temperature = options.sampling.temperature or 1.0
    known = (logits / temperature).log_softmax(-1).gather(-1, drawn[:, None])[:, 0]
    uniform = torch.rand(len(drawn), generator=generator).clamp(min=1e-9)
    noise = -(-uniform.log()).clamp(min=1e-9).log()
    return known + options.mask_temperature * (1 - r) * noise.to(known.device)
