"""Base class of the architectures, which turn a sequence into hidden states for a head."""

from typing import Any

from torch import Tensor, nn


class Architecture(nn.Module):
    """Base of the architectures.

    (batch, steps, n_in) and a state -> (batch, steps, hidden_size) and the state after the last
    step. Causal: a hidden state depends on its step and those before. A sequence cut into pieces
    gives what it gives whole, if the state is handed on.

    Attributes
    ----------
    hidden_size : int
    learning_rate : float
        The default where none is given.
    context_steps : int
        Steps that `prime` reads in training; 0 if the past is read like the steps that follow.
    batch_axis : int
        Of the tensors of a state.
    """

    hidden_size: int
    learning_rate: float
    context_steps: int = 0
    batch_axis: int = 0

    def prime(self, context: Tensor) -> Any:
        """Return the state after a context (batch, steps, n_in); None if the context is empty."""
        return self(context)[1] if context.shape[1] else None

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        raise NotImplementedError

    def select(self, state: Any, rows: Tensor) -> Any:
        """Return the state of these rows of the batch (int64), which may be repeated.

        A state is a tensor, or a list or tuple of states; anything else is the same for all rows.
        """
        if isinstance(state, Tensor):
            return state.index_select(self.batch_axis, rows)
        if isinstance(state, list | tuple):
            parts = [self.select(part, rows) for part in state]
            return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
        return state
