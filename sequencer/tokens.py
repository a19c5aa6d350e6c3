"""Token head: descriptors as codes of residual vector quantisation, forecast like language.

A step is quantised in levels, each coding what the levels before it left over (Juang & Gray 1982;
codebooks by FAISS's ResidualQuantizer). The levels enter and leave the architecture in the delayed
pattern of MusicGen (Copet et al. 2023, arXiv 2306.05284), so that a level is sampled knowing those
below it of the same step:

    architecture's step      s      s+1     s+2
    level 0                t = s    s+1     s+2
    level 1                 s-1      s      s+1
    level 2                 s-2     s-1      s

After step s, the architecture answers with level k of step s + 1 - k.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import LEAST_TEMPERATURE, Head, Listener, Stream
from sequencer.sampler import Sampler
from sequencer.sizes import Sizes

MIN_STEPS_PER_CODE = 39  # FAISS's own rule; with fewer a codebook memorises the training steps
MAX_BITS = 8  # of a codebook
EMBEDDING_SIZE = 128
MAX_FIT_STEPS = 100_000  # that the codebooks are trained on


@dataclass(frozen=True)
class TokensSizes(Sizes):
    """Sizes of the head."""

    levels: int = 6
    bits: int = MAX_BITS


class TokensHead(Head):
    """hidden (..., hidden_size) -> logits of every level (..., levels, codes)."""

    codebooks: Tensor

    def __init__(self, hidden_size: int, n: int, *, levels: int, bits: int) -> None:
        super().__init__()
        self.levels = levels
        self.n_codes = 2**bits
        self.delay = levels - 1
        self.register_buffer("codebooks", torch.zeros(levels, self.n_codes, n))
        # One extra code stands for "not known yet".
        self.embeddings = nn.ModuleList(
            nn.Embedding(self.n_codes + 1, EMBEDDING_SIZE) for _ in range(levels)
        )
        self.place = nn.Linear(levels * n, EMBEDDING_SIZE)
        self.projection = nn.Linear(hidden_size, levels * self.n_codes)
        self.direction = nn.Linear(hidden_size, levels * n, bias=False)

    @staticmethod
    def input_size(n: int) -> int:
        return EMBEDDING_SIZE

    @staticmethod
    def sizes_for(n_steps: int) -> dict[str, Any]:
        """Return sizes of codebooks that are no larger than `n_steps` training steps can fill."""
        return {"bits": int(np.clip(np.log2(n_steps / MIN_STEPS_PER_CODE), 1, MAX_BITS))}

    def fit(self, sequences: list[Tensor]) -> None:
        """Train the codebooks."""
        import faiss

        rows = torch.cat(sequences).numpy()
        if len(rows) > MAX_FIT_STEPS:
            rows = rows[np.linspace(0, len(rows) - 1, MAX_FIT_STEPS).astype(np.int64)]
        quantiser = faiss.ResidualQuantizer(rows.shape[1], self.levels, int(np.log2(self.n_codes)))
        quantiser.max_beam_size = 1  # search level by level, as `quantise` does
        quantiser.cp.min_points_per_centroid = 1  # `sizes_for` ensures enough of them
        if len(rows) < rows.shape[1]:  # principal components need a row for each column
            quantiser.train_type = faiss.ResidualQuantizer.Train_default
        quantiser.train(np.ascontiguousarray(rows, np.float32))
        books = faiss.vector_to_array(quantiser.codebooks).reshape(self.levels, self.n_codes, -1)
        self.codebooks.copy_(torch.from_numpy(books.copy()))

    def quantise(self, sequence: Tensor) -> Tensor:
        """Quantise z-scored steps (..., n) to codes (..., levels), int64."""
        codes = []
        rest = sequence
        for book in self.codebooks:
            # The nearest code has the least |x - c|²; |x|² is the same for all.
            distance = (book**2).sum(-1) - 2 * rest @ book.T
            code = distance.argmin(-1)
            codes.append(code)
            rest = rest - book[code]
        return torch.stack(codes, dim=-1)

    def restore(self, codes: Tensor) -> Tensor:
        """Turn codes (..., levels) into z-scored steps (..., n)."""
        return sum(book[codes[..., level]] for level, book in enumerate(self.codebooks))  # type: ignore[return-value]

    def encode(self, sequence: Tensor) -> Tensor:
        return self.embed(self._delayed(self.quantise(sequence)))

    def embed(self, codes: Tensor) -> Tensor:
        """Turn delayed codes (..., levels) into inputs (..., n_in).

        An input sums a learned embedding of each code and a linear map of all codebook vectors.
        """
        by_code = sum(table(codes[..., level]) for level, table in enumerate(self.embeddings))
        places = []
        for level, book in enumerate(self.codebooks):
            with_unknown = F.pad(book, (0, 0, 0, 1))
            places.append(with_unknown[codes[..., level]])
        return by_code + self.place(torch.cat(places, dim=-1))

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., levels, codes), the sum of a free and a codebook term."""
        direction = self.direction(hidden).unflatten(-1, (self.levels, -1))
        by_place = torch.einsum("...ln,lcn->...lc", direction, self.codebooks)
        return self.projection(hidden).unflatten(-1, (self.levels, self.n_codes)) + by_place

    def _delayed(self, codes: Tensor) -> Tensor:
        """Move level k of codes (batch, steps, levels) k steps later; `n_codes` where unknown."""
        delayed = torch.full_like(codes, self.n_codes)
        for k in range(self.levels):
            delayed[:, k:, k] = codes[:, : max(codes.shape[1] - k, 0), k]
        return delayed

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy in nats, summed over the levels.

        The upper levels of a window's last steps come after its end, because of the delay. They are
        left out here, but other windows, cut elsewhere, include them.
        """
        codes = self.quantise(sequence[:, -hidden.shape[1] - 1 :])
        logits = self.logits(hidden)
        total = hidden.new_zeros(())
        for level in range(self.levels):
            steps = hidden.shape[1] - level
            if steps > 0:
                said = logits[:, level:, level].transpose(1, 2)
                targets = codes[:, 1 : steps + 1, level]
                entropy = F.cross_entropy(said, targets, reduction="none")
                total = total + (entropy * mask[:, :steps]).sum()
        return total

    def start(self, seed: Tensor, sampler: Sampler) -> Stream:
        return TokenStream(self, self.quantise(seed), sampler)

    def listen(
        self,
        seed: Tensor,
        units: Tensor,
        following: Tensor,
        *,
        temperature: float,
        loss: float | None = None,
    ) -> Listener:
        return TokenListener(self, self.quantise(seed), self.quantise(units), temperature)


class TokenStream(Stream):
    """Samples the codes of the latest steps level by level; `seed` (batch, steps, levels)."""

    def __init__(self, head: TokensHead, seed: Tensor, sampler: Sampler) -> None:
        self._head = head
        self._sampler = sampler
        # The codes of the latest steps, each (batch, levels), the latest last.
        self._codes: list[Tensor] = list(seed[:, -head.levels :].unbind(1))
        self._n_steps = 0

    def step(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        head = self._head
        drawn = self._sampler.sample_categories(head.logits(hidden))
        self._codes = [*self._codes[-head.levels :], torch.full_like(drawn, head.n_codes)]
        # Level k belongs to the step k before; of the seed's steps all levels are known.
        for level in range(min(self._n_steps + 1, head.levels)):
            self._codes[-1 - level][:, level] = drawn[:, level]
        latest = [self._codes[-1 - level][:, level] for level in range(head.levels)]
        self._n_steps += 1
        complete = None
        if self._n_steps >= head.levels:
            complete = self._sampler.clamp(head.restore(self._codes[-head.levels]))
        return head.embed(torch.stack(latest, dim=-1)), complete


class TokenListener(Listener):
    """Scores units by their lowest level; their level k is settled k steps later.

    `seed` is (1, steps, levels), `units` (M, levels), both codes.
    """

    def __init__(self, head: TokensHead, seed: Tensor, units: Tensor, temperature: float) -> None:
        self._head = head
        self._units = units
        self._temperature = max(temperature, LEAST_TEMPERATURE)
        # The codes of the latest steps, (B, levels, levels), the latest last.
        before = torch.full_like(seed[:, :1].expand(-1, head.levels, -1), head.n_codes)
        self._codes = torch.cat([before, seed], dim=1)[:, -head.levels :]
        self._n_steps = 0  # after the seed

    def score(self, hidden: Tensor) -> Tensor:
        return self._likelihood(hidden)[:, 0, self._units[:, 0]]

    def hear(self, units: Tensor) -> Tensor:
        self._codes = torch.cat([self._codes[:, 1:], self._units[units, None]], dim=1)
        self._n_steps += 1
        latest = [self._codes[:, -1 - level, level] for level in range(self._head.levels)]
        return self._head.embed(torch.stack(latest, dim=-1))

    def settle(self, hidden: Tensor) -> Tensor:
        likelihood = self._likelihood(hidden)
        total = hidden.new_zeros(len(hidden))
        for level in range(1, min(self._n_steps + 1, self._head.levels)):
            code = self._codes[:, -level, level]
            total += likelihood[:, level].gather(1, code[:, None])[:, 0]
        return total

    def select(self, rows: Tensor) -> Self:
        selected = copy(self)
        selected._codes = self._codes[rows]
        return selected

    def _likelihood(self, hidden: Tensor) -> Tensor:
        """Return the log-likelihood of each code of each level, (B, levels, codes)."""
        return (self._head.logits(hidden) / self._temperature).log_softmax(-1)
