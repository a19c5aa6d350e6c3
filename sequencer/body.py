"""What a body is: it goes through a sequence step by step and remembers; its hidden states are what
a head reads.
"""

from typing import Any

from torch import Tensor, nn


class Body(nn.Module):
    """Base of the bodies: (batch, steps, n_in) and a state -> (batch, steps, hidden_size), and the
    state after the last step.

    Causal: a hidden state depends on its step and those before. Cut anywhere, a sequence gives what
    it gives whole, if the state is handed on.

    Attributes
    ----------
    hidden_size : int
    learning_rate : float
        That suits it, where none is asked for.
    context_steps : int
        Steps that `prime` reads in training, for bodies that read what came before in another way
        than what follows.
    """

    hidden_size: int
    learning_rate: float
    context_steps: int = 0

    def prime(self, context: Tensor) -> Any:
        """The state after a context (batch, steps, n_in); None, the state of no past, where it is
        empty.
        """
        return self(context)[1] if context.shape[1] else None

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        raise NotImplementedError
