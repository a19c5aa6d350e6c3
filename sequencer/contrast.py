"""Contrastive head: which unit continues the past, rather than another one of the corpus?

It is trained by contrastive predictive coding (van den Oord et al. 2018, arXiv 1807.03748). The
hidden state after the past gives a query, a unit and the few that follow it in its source give a
key; their product is high where the one continues the other. The loss is the cross-entropy,
InfoNCE, of finding what really follows among all units of the batch: those of the same source
elsewhere, and those of others. A likelihood says how usual a unit is, and dull units are usual;
here, what a unit has in common with all others does not count.

The units before a candidate are not part of its key: they are the past that it is to be found by.
Besides the next step, steps further ahead are found by queries of their own, so that the hidden
state keeps what lasts: style, key and metre.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from files.errors import ParameterError
from sequencer.head import LEAST_TEMPERATURE, Head, Listener, StepListener, Stream
from sequencer.sampler import Sampler
from sequencer.sizes import Sizes

HORIZONS = (1, 4, 16)  # steps ahead
COLUMN_DROPOUT = 0.1  # share of the columns of a past, and of a candidate, left out in training
NOISE = 0.1  # standard deviation of the noise on z-scored columns in training
SCALE = 10.0  # of the cosine of query and key, before training
GREATEST_SCALE = 50.0
# They would give a source away to the fourth decimal. A unit is played in another tempo, too.
TEMPO_COLUMNS = ("log2_duration", "tempo", "pulse")


@dataclass(frozen=True)
class ContrastSizes(Sizes):
    """Sizes of the head."""

    n_following: int = 4
    key_size: int = 64
    width: int = 256
    dropout: float = 0.2


class ContrastHead(Head):
    """hidden (..., hidden_size) -> queries; units (..., 1 + n_following, n) -> keys."""

    forecasts = False
    compared: Tensor

    def __init__(
        self,
        hidden_size: int,
        n: int,
        *,
        n_following: int,
        key_size: int,
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.n_following = n_following
        self.key_size = key_size
        self.queries = nn.Linear(hidden_size, len(HORIZONS) * key_size)
        self.keys = nn.Sequential(
            nn.Linear((n + 1) * (1 + n_following), width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, key_size),
        )
        self.register_buffer("compared", torch.ones(n), persistent=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE)))

    def name_columns(self, names: list[str]) -> None:
        self.compared.copy_(torch.tensor([float(name not in TEMPO_COLUMNS) for name in names]))

    def encode(self, sequence: Tensor, n_seed: int | None = None) -> Tensor:
        return self._disturb(sequence)

    def query(self, hidden: Tensor) -> Tensor:
        """Return the query of each horizon, (..., horizons, key_size), of length 1."""
        queries = self.queries(hidden).unflatten(-1, (len(HORIZONS), self.key_size))
        return F.normalize(queries, dim=-1)

    def key(self, units: Tensor) -> Tensor:
        """Return the key of each unit, of length 1.

        (..., 1 + n_following, n) -> (..., key_size). Units are NaN where the source has ended.
        """
        exists = (~units.isnan().any(-1, keepdim=True)).to(units.dtype)
        known = self._disturb(units.nan_to_num()) * exists * self.compared
        return F.normalize(self.keys(torch.cat([known, exists], dim=-1).flatten(-2)), dim=-1)

    def scale(self) -> Tensor:
        """Return what the cosine of query and key is multiplied by, to be a logit in nats."""
        return self.log_scale.exp().clamp(max=GREATEST_SCALE)

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Return InfoNCE in nats, mean over the horizons, times the number of real targets."""
        steps = hidden.shape[1]
        keys = self.key(self._candidates(sequence[:, -steps:], mask)).flatten(0, 1)
        absent = mask.flatten() == 0
        queries = self.query(hidden)
        position = torch.arange(mask.numel(), device=mask.device).view(mask.shape)
        losses = []
        for number, horizon in enumerate(HORIZONS):
            # distant steps have much of their pasts in common: every horizon-th will do
            targets = slice(horizon - 1, None, horizon)
            real = mask[:, targets] > 0
            if not real.any():
                break
            asked = queries[:, : steps - horizon + 1 : horizon, number][real]
            logits = (self.scale() * asked @ keys.T).masked_fill(absent, -math.inf)
            losses.append(F.cross_entropy(logits, position[:, targets][real]))
        if not losses:
            return 0 * (queries.sum() + keys.sum())
        return torch.stack(losses).mean() * mask.sum()

    def _candidates(self, targets: Tensor, mask: Tensor) -> Tensor:
        """Return each target with those after it, (batch, steps, 1 + n_following, n)."""
        real = targets.masked_fill(mask[..., None] == 0, math.nan)
        ended = real.new_full((len(real), self.n_following, real.shape[2]), math.nan)
        windows = torch.cat([real, ended], dim=1).unfold(1, 1 + self.n_following, 1)
        return windows.transpose(2, 3)

    def _disturb(self, steps: Tensor) -> Tensor:
        """In training, add noise to steps (..., steps, n) and leave out some columns."""
        if not self.training:
            return steps
        kept = F.dropout(torch.ones_like(steps[..., :1, :]), COLUMN_DROPOUT)
        return (steps + NOISE * torch.randn_like(steps)) * kept

    def start(self, seed: Tensor, sampler: Sampler) -> Stream:
        raise ParameterError("head contrast chooses among units and cannot sample a step")

    def affinities(self, hidden: Tensor, units: Tensor, following: Tensor) -> Tensor:
        keys = self.key(torch.cat([units[:, None], following], dim=1))
        return self.scale() * self.query(hidden).mean(0) @ keys.T

    def listen(
        self,
        seed: Tensor,
        units: Tensor,
        following: Tensor,
        *,
        temperature: float,
        loss: float | None = None,
    ) -> Listener:
        """Score by the log-probability that a unit, rather than another of them, comes next.

        The temperature divides the logits.
        """
        keys = self.key(torch.cat([units[:, None], following], dim=1))
        scale = self.scale() / max(temperature, LEAST_TEMPERATURE)

        def score(hidden: Tensor, recent: Tensor) -> Tensor:
            return (scale * self.query(hidden)[..., 0, :] @ keys.T).log_softmax(-1)

        return StepListener(score, seed, units)
