"""Weight norm (Salimans & Kingma, arXiv 1602.07868): w = g v / |v|.

While a vocoder trains, the length g of each channel's kernels and their direction v are learnt
separately; checkpoints hold plain weights w.
"""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

Convolution = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d


def convolutions(network: nn.Module, *, normed: bool) -> dict[str, Convolution]:
    """Return the convolutions by name: those with weight norm, or those without."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, Convolution) and is_parametrized(layer, "weight") == normed
    }


def add_weight_norm(network: nn.Module) -> None:
    """Split the weight of every convolution, in place. The output does not change.

    Make optimisers after this, since the parameters are new.
    """
    for layer in convolutions(network, normed=False).values():
        weight_norm(layer)


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the state dict without weight norm, as checkpoints hold it."""
    state = {
        name: tensor.clone()
        for name, tensor in network.state_dict().items()
        if ".parametrizations." not in name
    }
    split = convolutions(network, normed=True)
    return state | {f"{name}.weight": layer.weight.detach() for name, layer in split.items()}
