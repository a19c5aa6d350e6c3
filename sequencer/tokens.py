"""Token head: descriptors as residual vector quantisation codes, forecast like language.

A step is quantised in levels, each coding what the levels before it left (Juang & Gray 1982;
codebooks by FAISS's ResidualQuantizer). The levels enter the body and leave it in the delayed
pattern of MusicGen (Copet et al. 2023, arXiv 2306.05284), so that a level is drawn knowing those
below it of the same step:

    body step      s      s+1     s+2
    level 0      t = s    s+1     s+2
    level 1      s-1       s      s+1        and the body's answer at step s is level k of step s + 1 - k
    level 2      s-2      s-1      s
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import Draw, Head, Stream, draw_categories

MIN_STEPS_PER_CODE = 39  # FAISS's own rule; fewer and a codebook learns the training steps by heart
MAX_BITS = 8  # of a codebook
EMBEDDING_SIZE = 128
FIT_ROWS = 100_000  # at most that many steps train the codebooks


class TokensHead(Head):
    """hidden (..., hidden_size) -> logits of every level (..., levels, codes)."""

    codebooks: Tensor

    def __init__(self, hidden_size: int, n: int, *, levels: int = 6, bits: int = MAX_BITS) -> None:
        super().__init__()
        self.levels = levels
        self.n_codes = 2**bits
        self.delay = levels - 1
        self.register_buffer("codebooks", torch.zeros(levels, self.n_codes, n))
        self.embeddings = nn.ModuleList(
            nn.Embedding(self.n_codes + 1, EMBEDDING_SIZE) for _ in range(levels)
        )  # one more: not yet known
        self.place = nn.Linear(levels * n, EMBEDDING_SIZE)
        self.projection = nn.Linear(hidden_size, levels * self.n_codes)
        self.direction = nn.Linear(hidden_size, levels * n, bias=False)

    @staticmethod
    def input_size(n: int) -> int:
        return EMBEDDING_SIZE

    @staticmethod
    def sizes(n_steps: int) -> dict[str, Any]:
        """Codebooks that so many training steps can fill."""
        return {"bits": int(np.clip(np.log2(n_steps / MIN_STEPS_PER_CODE), 1, MAX_BITS))}

    def fit(self, sequences: list[Tensor]) -> None:
        """Train the codebooks."""
        import faiss

        rows = torch.cat(sequences).numpy()
        if len(rows) > FIT_ROWS:
            rows = rows[np.linspace(0, len(rows) - 1, FIT_ROWS).astype(np.int64)]
        quantiser = faiss.ResidualQuantizer(rows.shape[1], self.levels, int(np.log2(self.n_codes)))
        quantiser.max_beam_size = 1  # codes are found level by level here, too
        quantiser.cp.min_points_per_centroid = 1  # `sizes` has seen to it
        quantiser.train(np.ascontiguousarray(rows, np.float32))
        books = faiss.vector_to_array(quantiser.codebooks).reshape(self.levels, self.n_codes, -1)
        self.codebooks.copy_(torch.from_numpy(books.copy()))

    def quantise(self, sequence: Tensor) -> Tensor:
        """z-scored (..., n) -> codes (..., levels), int64."""
        codes = []
        rest = sequence
        for book in self.codebooks:
            # the nearest code: |x - c|² without |x|², which is the same for all
            code = ((book**2).sum(-1) - 2 * rest @ book.T).argmin(-1)
            codes.append(code)
            rest = rest - book[code]
        return torch.stack(codes, dim=-1)

    def restore(self, codes: Tensor) -> Tensor:
        """Codes (..., levels) -> z-scored (..., n)."""
        return sum(book[codes[..., level]] for level, book in enumerate(self.codebooks))  # type: ignore[return-value]

    def encode(self, sequence: Tensor) -> Tensor:
        return self.embed(self._delayed(self.quantise(sequence)))

    def embed(self, codes: Tensor) -> Tensor:
        """Delayed codes (..., levels) -> body inputs (..., n_in): each code by name, and by its
        place among the descriptors.
        """
        names = sum(table(codes[..., level]) for level, table in enumerate(self.embeddings))
        places = [
            F.pad(book, (0, 0, 0, 1))[codes[..., level]]
            for level, book in enumerate(self.codebooks)
        ]
        return names + self.place(torch.cat(places, dim=-1))

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., hidden_size) -> (..., levels, codes): of each code, and of its place among the
        descriptors.
        """
        direction = self.direction(hidden).unflatten(-1, (self.levels, -1))
        by_place = torch.einsum("...ln,lcn->...lc", direction, self.codebooks)
        return self.projection(hidden).unflatten(-1, (self.levels, self.n_codes)) + by_place

    def _delayed(self, codes: Tensor) -> Tensor:
        """(batch, steps, levels) -> the same, level k moved k steps later; what is not known yet is
        `n_codes`.
        """
        steps = codes.shape[1]
        levels = [
            F.pad(codes[:, : max(steps - k, 0), k], (min(k, steps), 0), value=self.n_codes)
            for k in range(self.levels)
        ]
        return torch.stack(levels, dim=-1)

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy in nats, summed over the levels.

        The upper levels of a window's last steps would be told after its end; other windows, cut
        elsewhere, have them.
        """
        codes = self.quantise(sequence[:, -hidden.shape[1] - 1 :])
        logits = self.logits(hidden)
        total = hidden.new_zeros(())
        for level in range(self.levels):
            steps = hidden.shape[1] - level
            if steps > 0:
                entropy = F.cross_entropy(
                    logits[:, level:, level].transpose(1, 2),
                    codes[:, 1 : steps + 1, level],
                    reduction="none",
                )
                total = total + (entropy * mask[:, :steps]).sum()
        return total

    def start(self, seed: Tensor, draw: Draw) -> Stream:
        return _TokenStream(self, self.quantise(seed), draw)


class _TokenStream(Stream):
    """Codes of the latest steps, filled level by level."""

    def __init__(self, head: TokensHead, seed: Tensor, draw: Draw) -> None:
        self._head = head
        self._draw = draw
        self._codes: list[Tensor] = list(
            seed[:, -head.levels :].unbind(1)
        )  # (batch, levels) each, latest last
        self._n_steps = 0

    def step(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        head = self._head
        drawn = draw_categories(head.logits(hidden), self._draw)
        self._codes = [*self._codes[-head.levels :], torch.full_like(drawn, head.n_codes)]
        for level in range(
            min(self._n_steps + 1, head.levels)
        ):  # of the steps before the rollout all levels are known
            self._codes[-1 - level][:, level] = drawn[:, level]
        latest = [self._codes[-1 - level][:, level] for level in range(head.levels)]
        self._n_steps += 1
        whole = (
            self._draw.hold(head.restore(self._codes[-head.levels]))
            if self._n_steps >= head.levels
            else None
        )
        return head.embed(torch.stack(latest, dim=-1)), whole
