"""LSTM body (Hochreiter & Schmidhuber 1997, Neural Computation 9(8)): causal, constant cost per
step, state of fixed size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sequencer.body import Body

State = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LSTMConfig:
    """Sizes of the body."""

    # on the bundled corpus 192 lets the level of rollouts sink, 320 keeps it; still seconds an
    # epoch
    hidden_size: int = 320
    n_layers: int = 2
    dropout: float = (
        0.3  # between layers and before the head: small corpora are memorised within a few epochs
    )


class LSTMBody(Body):
    """(batch, steps, n_in) -> (batch, steps, hidden_size), and the state after the last step."""

    learning_rate = 2e-3

    def __init__(self, n_in: int, *, hidden_size: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTM(
            n_in, hidden_size, n_layers, batch_first=True, dropout=dropout if n_layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden, state = self.lstm(x, state)
        return self.dropout(hidden), state


def open_forget_gates(lstm: nn.LSTM) -> None:
    """Remember at first, forget when there is a reason (Gers et al. 2000)."""
    with torch.no_grad():
        for name, bias in lstm.named_parameters():
            if name.startswith("bias_ih"):
                bias[lstm.hidden_size : 2 * lstm.hidden_size].fill_(1.0)


def build(n_in: int, config: dict[str, float]) -> LSTMBody:
    """A body from the plain values of `LSTMConfig`."""
    checked = LSTMConfig(**config)  # type: ignore[arg-type]
    body = LSTMBody(
        n_in, hidden_size=checked.hidden_size, n_layers=checked.n_layers, dropout=checked.dropout
    )
    open_forget_gates(body.lstm)
    return body
