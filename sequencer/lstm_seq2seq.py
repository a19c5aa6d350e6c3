"""Encoder-decoder LSTM (Sutskever et al. 2014, arXiv 1409.3215).

One LSTM reads the past and hands its state to another, which continues from there.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from sequencer.architecture import Architecture
from sequencer.lstm import State, open_forget_gates
from sequencer.sizes import Sizes


@dataclass(frozen=True)
class LSTMSeq2SeqSizes(Sizes):
    """Sizes of the network."""

    hidden_size: int = 256  # two of these have about as many weights as one LSTM of 320
    n_layers: int = 2
    # Steps that the encoder reads in training, 3 s of frames; in a rollout it reads the whole seed.
    context_steps: int = 128
    dropout: float = 0.3


class LSTMSeq2Seq(Architecture):
    """(batch, steps, n_in) -> (batch, steps, hidden_size), and the decoder's state."""

    learning_rate = 2e-3
    batch_axis = 1

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
        open_forget_gates(self.encoder)
        open_forget_gates(self.decoder)

    def prime(self, context: Tensor) -> State | None:
        """Return the encoder's state after a context (batch, steps, n_in); None if it is empty."""
        return self.encoder(context)[1] if context.shape[1] else None

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden, state = self.decoder(x, state)
        return self.dropout(hidden), state
