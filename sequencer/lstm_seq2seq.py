"""Encoder-decoder LSTM (Sutskever et al. 2014, arXiv 1409.3215).

One LSTM reads what came before and hands its state to another, which goes on from there.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from sequencer.body import Body
from sequencer.lstm import State, open_forget_gates


@dataclass(frozen=True)
class LSTMSeq2SeqConfig:
    """Sizes of the body."""

    hidden_size: int = 256  # two of these weigh about as much as one LSTM of 320
    n_layers: int = 2
    context_steps: int = (
        128  # steps that the encoder reads in training, 3 s of frames; in a rollout the whole seed
    )
    dropout: float = 0.3


class LSTMSeq2SeqBody(Body):
    """(batch, steps, n_in) and what came before -> (batch, steps, hidden_size), and the decoder's
    state.
    """

    learning_rate = 2e-3

    def __init__(
        self, n_in: int, *, hidden_size: int, n_layers: int, context_steps: int, dropout: float
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.context_steps = context_steps
        between = dropout if n_layers > 1 else 0.0
        self.encoder = nn.LSTM(n_in, hidden_size, n_layers, batch_first=True, dropout=between)
        self.decoder = nn.LSTM(n_in, hidden_size, n_layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)

    def prime(self, context: Tensor) -> State | None:
        """The state to go on from after a context (batch, steps, n_in), which may be empty."""
        return self.encoder(context)[1] if context.shape[1] else None

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden, state = self.decoder(x, state)
        return self.dropout(hidden), state


def build(n_in: int, config: dict[str, float]) -> LSTMSeq2SeqBody:
    """A body from the plain values of `LSTMSeq2SeqConfig`."""
    checked = LSTMSeq2SeqConfig(**config)  # type: ignore[arg-type]
    body = LSTMSeq2SeqBody(n_in, **vars(checked))
    open_forget_gates(body.encoder)
    open_forget_gates(body.decoder)
    return body
