"""Token head: descriptors as codes of residual quantisation, forecast like language.

What is quantised is how steps differ from their linear prediction: from that alone such codes are
nearly independent of the past and of each other, and a network has to learn only where music
deviates. Codes of steps themselves are those of a codec, and of patterns that hide the last steps.

The levels enter the architecture in a pattern, see `sequencer.patterns`. In any of them a level is
forecast from the hidden state and from the levels below it of the same step, as in RQ-Transformer
(Lee et al. 2022, arXiv 2203.01941) and Moshi (Défossez et al. 2024, arXiv 2410.00037). If steps
themselves are coded and the last ones are known, a logit is a free number and a Gaussian's log
density at the code's place. The Gaussian begins as linear prediction, less what the levels below
have said; the network learns how far to deviate from it, and how wide it is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequencer.head import Head, Listener, Stream
from sequencer.innovations import code_innovations, innovations_of
from sequencer.linear import ORDER, fit_linear_prediction, predict_linearly
from sequencer.patterns import NONE, make_pattern
from sequencer.quantiser import Quantiser
from sequencer.sampler import Sampler
from sequencer.sizes import Sizes
from sequencer.token_stream import TokenListener, TokenStream

# Of a new head; older checkpoints have those of `TokensSizes`.
LEVELS = 6
PATTERN = "parallel"
DEPTH = 256
MIN_STEPS_PER_CODE = 39  # FAISS's own rule; with fewer a codebook memorises the training steps
MAX_BITS = 8  # of a codebook
EMBEDDING_SIZE = 128
MIN_VARIANCE = 1e-4  # of z-scores or latents
MOST_PREDICTED = 128  # columns; linear prediction needs a matrix of ORDER times as many


@dataclass(frozen=True)
class TokensSizes(Sizes):
    """Sizes of the head. The defaults are those of checkpoints that do not name theirs."""

    levels: int = 6
    bits: int = MAX_BITS
    pattern: str = "delayed"
    # Of what a level is forecast from, beside its hidden state; 0 if it is not told those below.
    depth: int = 0
    innovations: bool = False  # what is quantised: how steps differ from linear prediction
    of_codec: bool = False
    code_size: int = 0
    by_angle: bool = False


class TokensHead(Head):
    """hidden (..., hidden_size) -> logits of a level (..., codes), level by level."""

    prediction: Tensor

    def __init__(
        self,
        hidden_size: int,
        n: int,
        *,
        levels: int,
        bits: int,
        pattern: str = "delayed",
        depth: int = 0,
        innovations: bool = False,
        **of_quantiser: Any,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.n_codes = 2**bits
        self.depth = depth
        self.pattern = make_pattern(pattern, levels)
        self.delay = self.pattern.delay
        self.quantiser = Quantiser(n, levels=levels, n_codes=self.n_codes, **of_quantiser)
        width = self.quantiser.width
        # One extra code stands for "not known yet".
        self.embeddings = nn.ModuleList(
            nn.Embedding(self.n_codes + 1, EMBEDDING_SIZE) for _ in range(levels)
        )
        self.place = nn.Linear(levels * width, EMBEDDING_SIZE)
        self.projection = nn.Linear(depth or hidden_size, levels * self.n_codes)
        self.direction = nn.Linear(depth or hidden_size, levels * width, bias=False)
        can_predict = depth > 0 and self.pattern.whole_past and n <= MOST_PREDICTED
        self.innovates = innovations and can_predict and not self.quantiser.of_codec
        self.predicts = can_predict and not self.innovates
        if depth:
            self.state = nn.Linear(hidden_size, depth)
            self.below = nn.ModuleList(nn.Embedding(self.n_codes, depth) for _ in range(levels - 1))
        if self.predicts:
            self.precision = nn.Linear(depth, levels * width)
        if self.innovates:
            self.step = nn.Linear(n, EMBEDDING_SIZE)
        if can_predict:
            self.register_buffer("prediction", torch.zeros(ORDER * n + 1, n))

    @staticmethod
    def input_size(n: int) -> int:
        return EMBEDDING_SIZE

    @staticmethod
    def sizes_for(n_steps: int) -> dict[str, Any]:
        """Return the sizes of a new head.

        Its codebooks are no larger than `n_steps` training steps can fill.
        """
        bits = int(np.clip(np.log2(n_steps / MIN_STEPS_PER_CODE), 1, MAX_BITS))
        sizes = {"levels": LEVELS, "bits": bits, "pattern": PATTERN}
        return {**sizes, "depth": DEPTH, "innovations": True}

    def fit(self, sequences: list[Tensor]) -> None:
        """Train the codebooks, unless they are a codec's, and fit linear prediction."""
        if self.innovates:
            fitted = fit_linear_prediction([sequence.numpy() for sequence in sequences])
            weights = self.prediction.copy_(torch.from_numpy(fitted))
            sequences = [innovations_of(weights, sequence) for sequence in sequences]
        if not self.quantiser.of_codec:
            self.quantiser.fit(torch.cat(sequences))
        if self.predicts:
            coded = [self.quantiser.quantise(sequence) for sequence in sequences]
            restored = [self.quantiser.restore(codes).numpy() for codes in coded]
            self.prediction.copy_(torch.from_numpy(fit_linear_prediction(restored)))
            self._fit_precision(coded)

    @torch.no_grad()
    def _fit_precision(self, coded: list[Tensor]) -> None:
        """Begin with Gaussians as wide as linear prediction errs, level by level."""
        errors = torch.zeros(self.levels, self.quantiser.width)
        for codes in coded:
            rest = self.predict(codes[None])[0, :-1]
            for level in range(self.levels):
                code = codes[1:, level]
                far = self.quantiser.query(level, rest) - self.quantiser.keys(level)[code]
                errors[level] += (far**2).sum(0)
                rest = rest - self.quantiser.part(level, code)
        variance = errors / sum(len(codes) - 1 for codes in coded)
        self.precision.weight.zero_()
        self.precision.bias.copy_(-variance.clamp_min(MIN_VARIANCE).log().flatten())

    def code(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        """Turn z-scored steps (batch, steps, n) into codes (batch, steps, levels), and those back.

        Both are returned; the steps as the codes say them are (batch, steps, n).
        """
        if self.innovates:
            return code_innovations(self.quantiser, self.prediction, sequence)
        codes = self.quantiser.quantise(sequence)
        return codes, self.quantiser.restore(codes)

    def predict(self, codes: Tensor) -> Tensor:
        """Predict linearly what follows each step: codes (batch, steps, levels) -> latents."""
        restored = self.quantiser.restore(codes)
        return self.quantiser.latents(predict_linearly(self.prediction, restored))

    def encode(self, sequence: Tensor, n_seed: int | None = None) -> Tensor:
        n_steps = sequence.shape[1]
        places, _ = self.pattern.inputs(n_steps, n_steps if n_seed is None else n_seed)
        codes, said = self.code(sequence)
        inputs = self.embed(self.arranged(codes, places))
        if self.innovates:  # the latest step that is whole
            whole = np.maximum.accumulate(places[:, -1]).clip(min=0)
            inputs = inputs + self.step(said[:, whole])
        return inputs

    def spread(self, averages: Tensor, n_seed: int) -> Tensor:
        places, _ = self.pattern.inputs(averages.shape[1], n_seed)
        return averages[:, places.max(axis=1)]

    def n_primed(self, n_context: int) -> int:
        return len(self.pattern.inputs(n_context + 1, n_context + 1)[0]) - 1

    def step_at(self, place: int) -> int:
        return self.pattern.step_at(place)

    def arranged(self, codes: Tensor, places: np.ndarray) -> Tensor:
        """Return the codes (batch, steps, levels) at places of the pattern; `n_codes` if empty."""
        steps = torch.from_numpy(np.maximum(places, 0)).to(codes.device)
        taken = codes.gather(1, steps.expand(len(codes), -1, -1))
        empty = torch.from_numpy(places == NONE).to(codes.device)
        return taken.masked_fill(empty, self.n_codes)

    def embed(self, codes: Tensor) -> Tensor:
        """Turn arranged codes (..., levels) into inputs (..., n_in).

        An input sums a learned embedding of each code and a linear map of all codebook vectors.
        """
        by_code = sum(table(codes[..., level]) for level, table in enumerate(self.embeddings))
        places = []
        for level, book in enumerate(self.quantiser.codebooks):
            with_unknown = F.pad(book, (0, 0, 0, 1))
            places.append(with_unknown[codes[..., level]])
        return by_code + self.place(torch.cat(places, dim=-1))

    def logits(
        self, level: int, hidden: Tensor, codes: Tensor, predicted: Tensor | None = None
    ) -> Tensor:
        """Return the logits (..., codes) of a level of a step.

        Parameters
        ----------
        hidden : Tensor, shape (..., hidden_size)
        codes : Tensor, int64, shape (..., levels)
            Of the step; those below `level` are read.
        predicted : Tensor, shape (..., n), optional
            The step's latents by linear prediction, if the head `predicts`.
        """
        return self._logits(level, self._prepare(hidden), codes, predicted)

    def _prepare(self, hidden: Tensor) -> Tensor:
        """Return what all levels are forecast from."""
        return self.state(hidden) if self.depth else hidden

    def _logits(self, level: int, state: Tensor, codes: Tensor, predicted: Tensor | None) -> Tensor:
        """As `logits`, from what `_prepare` returns."""
        if self.depth:
            for lower in range(level):
                state = state + self.below[lower](codes[..., lower])
            state = F.gelu(state)
        keys = self.quantiser.keys(level)
        width = self.quantiser.width
        own = slice(level * width, (level + 1) * width)
        direction = F.linear(state, self.direction.weight[own])
        rows = slice(level * self.n_codes, (level + 1) * self.n_codes)
        free = F.linear(state, self.projection.weight[rows], self.projection.bias[rows])
        if predicted is None:
            return free + direction @ keys.T
        rest = predicted
        for lower in range(level):
            rest = rest - self.quantiser.part(lower, codes[..., lower])
        precision = F.linear(state, self.precision.weight[own], self.precision.bias[own]).exp()
        direction = direction + precision * self.quantiser.query(level, rest)
        return free + direction @ keys.T - 0.5 * precision @ (keys**2).T

    def all_logits(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., levels, codes) of a head that tells no level those below it."""
        unread = hidden.new_zeros(0)
        logits = [self.logits(level, hidden, unread) for level in range(self.levels)]
        return torch.stack(logits, dim=-2)

    def loss(self, hidden: Tensor, sequence: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy in nats, summed over the levels.

        Levels of a window's last steps that come after its end, because of the pattern, are left
        out here, but other windows, cut elsewhere, include them.
        """
        n_steps = sequence.shape[1] - 1
        n_seed = n_steps + 1 - mask.shape[1]
        answers = self.pattern.inputs(n_steps, n_seed)[1][-hidden.shape[1] :]
        codes, _ = self.code(sequence)
        predicted = self.predict(codes) if self.predicts else None
        state = self._prepare(hidden)
        total = hidden.new_zeros(())
        for level in range(self.levels):
            places = np.flatnonzero(answers[:, level] >= n_seed)
            if len(places):
                steps = torch.from_numpy(answers[places, level])
                before = None if predicted is None else predicted[:, steps - 1]
                said = self._logits(level, state[:, places], codes[:, steps], before)
                targets = codes[:, steps, level]
                entropy = F.cross_entropy(said.transpose(1, 2), targets, reduction="none")
                total = total + (entropy * mask[:, steps - n_seed]).sum()
        return total

    def learnt(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Leave out steps whose codes are all those of the step before, unless all are.

        That is silence, mostly after the end of a piece. A forecaster that has learnt it knows that
        silence never ends, and once a rollout has come to it, it stays there.
        """
        coded = innovations_of(self.prediction, sequence) if self.innovates else sequence
        codes = self.quantiser.quantise(coded[:, -mask.shape[1] - 1 :])
        moving = (codes[:, 1:] != codes[:, :-1]).any(-1)
        return mask * moving if (mask * moving).any() else mask

    def start(self, seed: Tensor, sampler: Sampler) -> Stream:
        return TokenStream(self, seed, sampler)

    def listen(
        self,
        seed: Tensor,
        units: Tensor,
        following: Tensor,
        *,
        temperature: float,
        loss: float | None = None,
    ) -> Listener:
        return TokenListener(self, seed, units, temperature)
