"""Check and load the saved state of an optimiser: Adam, AdamW, or SGD without momentum."""

from typing import Any

from torch.optim import Optimizer

from files.errors import ParameterError
from files.ranges import check_integer, check_number, shown
from training.check_tensors import check_shape, check_values

MOMENTS = ("exp_avg", "exp_avg_sq")
LEAST_RATE = 1e-30
ROUNDING = 1e-6


def check_optimiser(optimiser: Optimizer, saved: Any, n_steps: int) -> None:
    """Raise ParameterError unless a saved state is one that `optimiser` can have had.

    Parameters
    ----------
    optimiser : Optimizer
        Made with the greatest learning rate of the training.
    saved : dict
        What its `state_dict` gave, of any types.
    n_steps : int
        Training steps so far; no parameter was changed more often.
    """
    own = optimiser.state_dict()["param_groups"]
    if not isinstance(saved, dict) or saved.keys() != {"state", "param_groups"}:
        raise ParameterError(f"{shown(saved)} must hold state and param_groups")
    groups = saved["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(own):
        raise ParameterError(f"param_groups must be a list of length {len(own)}")
    for group, mine in zip(groups, own, strict=True):
        _check_group(group, mine, optimiser.defaults["lr"])
    numbers = [number for group in own for number in group["params"]]
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    shapes = {number: tuple(p.shape) for number, p in zip(numbers, parameters, strict=True)}
    _check_moments(saved["state"], shapes, n_steps)


def _check_group(group: Any, own: dict[str, Any], most: float) -> None:
    """All but the learning rate must be as it was made; what older versions lack is, too."""
    if not isinstance(group, dict) or not {"lr", "params"} <= group.keys() <= own.keys():
        raise ParameterError(f"a group of parameters must hold {', '.join(own)}")
    check_number("lr", group["lr"], LEAST_RATE, most * (1 + ROUNDING))
    for name, value in group.items():
        if name == "lr":
            continue
        if not _is_same(value, own[name]):
            raise ParameterError(f"{name}={shown(value)} must be {shown(own[name])}")


def _is_same(value: Any, own: Any) -> bool:
    if type(value) is not type(own):
        return False
    if isinstance(own, list | tuple):
        return len(value) == len(own) and all(map(_is_same, value, own))
    return bool(value == own)


def _check_moments(state: Any, shapes: dict[int, tuple[int, ...]], n_steps: int) -> None:
    if not isinstance(state, dict) or not state.keys() <= shapes.keys():
        raise ParameterError(f"its state is not that of {len(shapes)} parameters")
    for number in state:
        _check_entry(number, state[number], shapes[number], n_steps)


def _check_entry(number: int, entry: Any, shape: tuple[int, ...], n_steps: int) -> None:
    """Check the moments of a parameter, and the number of its steps."""
    if not isinstance(entry, dict) or entry.keys() != {"step", *MOMENTS}:
        raise ParameterError(f"parameter {number} must have step, {', '.join(MOMENTS)}")
    check_shape(f"step of parameter {number}", entry["step"], ())
    for name in MOMENTS:
        check_shape(f"{name} of parameter {number}", entry[name], shape)
    check_values({f"{name} of parameter {number}": value for name, value in entry.items()})
    if (entry["exp_avg_sq"] < 0).any():
        raise ParameterError(f"exp_avg_sq of parameter {number} must not be negative")
    check_integer(f"step of parameter {number}", int(entry["step"]), 0, n_steps)


def load_optimiser(optimiser: Optimizer, saved: dict[str, Any]) -> None:
    """Load a state that was checked."""
    own = optimiser.state_dict()["param_groups"]
    rates = [group["lr"] for group in saved["param_groups"]]
    groups = [{**group, "lr": rate} for group, rate in zip(own, rates, strict=True)]
    optimiser.load_state_dict({"state": saved["state"], "param_groups": groups})
