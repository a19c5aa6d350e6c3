"""Weight norm (Salimans & Kingma, arXiv 1602.07868): w = g v / |v|, on while a vocoder trains and
folded away after.

The length g of the kernels of one channel and their direction v are learnt apart. The networks hold
plain weights; this splits them and multiplies them together again.
"""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

Convolution = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d


def convolutions(network: nn.Module, *, normed: bool) -> dict[str, Convolution]:
    """The convolutions by name whose weight is split already, or those whose weight is not."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, Convolution) and is_parametrized(layer, "weight") == normed
    }


def add_weight_norm(network: nn.Module) -> None:
    """Split the weight of every convolution, in place. The output stays what it was.

    Afterwards `load_state_dict` also takes published weights, which name the parts `weight_g` and
    `weight_v`. Optimisers are made after this: the parameters are new ones.
    """
    for layer in convolutions(network, normed=False).values():
        weight_norm(layer)


def fold_weight_norm(network: nn.Module) -> None:
    """Undo `add_weight_norm`, in place, with the weights as they are now.

    Layers without weight norm stay as they are.

    Not for a deep copy whose original is still used: torch takes the weight from the class that
    both share.
    """
    for layer in convolutions(network, normed=True).values():
        remove_parametrizations(layer, "weight")


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the state dict with weight norm folded: what a checkpoint holds. The network itself
    stays as it is.
    """
    state = {
        name: tensor.clone()
        for name, tensor in network.state_dict().items()
        if ".parametrizations." not in name
    }
    folded = {
        f"{name}.weight": layer.weight.detach()
        for name, layer in convolutions(network, normed=True).items()
    }
    return state | folded
