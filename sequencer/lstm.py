"""LSTM (Hochreiter & Schmidhuber 1997, Neural Computation 9(8)).

Causal, with a constant cost per step and a state of fixed size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sequencer.architecture import Architecture
from sequencer.sizes import Sizes

State = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LSTMSizes(Sizes):
    """Sizes of the network."""

    # With 192 rollouts on the bundled corpus fade; with 320 they keep their level, at a few seconds
    # an epoch.
    hidden_size: int = 320
    n_layers: int = 2
    # Between layers and before the head: a small corpus is memorised within a few epochs.
    dropout: float = 0.3


class LSTM(Architecture):
    """(batch, steps, n_in) -> (batch, steps, hidden_size), and the state after the last step."""

    learning_rate = 2e-3
    batch_axis = 1

    def __init__(self, n_in: int, *, hidden_size: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        between = dropout if n_layers > 1 else 0.0
        self.lstm = nn.LSTM(n_in, hidden_size, n_layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        open_forget_gates(self.lstm)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden, state = self.lstm(x, state)
        return self.dropout(hidden), state


@torch.no_grad()
def open_forget_gates(lstm: nn.LSTM) -> None:
    """Bias the forget gates towards remembering (Gers et al. 2000)."""
    for name, bias in lstm.named_parameters():
        if name.startswith("bias_ih"):
            bias[lstm.hidden_size : 2 * lstm.hidden_size].fill_(1.0)
