"""Sizes of architectures and heads, and their ranges: far beyond use, and far below harm."""

from dataclasses import dataclass, fields

from files.errors import ParameterError
from files.ranges import check_flag, check_integer, check_number

MOST_WIDTH = 1 << 14
MOST_LAYERS = 128
MOST_STEPS = 1 << 16
RANGES = {
    "hidden_size": (1, MOST_WIDTH),
    "dim": (1, MOST_WIDTH),
    "n_layers": (1, MOST_LAYERS),
    "n_heads": (1, MOST_WIDTH),
    "span": (1, MOST_STEPS),
    "context_steps": (1, MOST_STEPS),
    "n_components": (1, 1024),
    "levels": (1, 64),
    "bits": (1, 16),
    "depth": (0, MOST_WIDTH),
    "code_size": (0, MOST_WIDTH),
    "n_following": (0, 64),
    "key_size": (1, MOST_WIDTH),
    "width": (1, MOST_WIDTH),
}


@dataclass(frozen=True)
class Sizes:
    """Base of the sizes; sizes of one name have one range. Names are checked by who reads them."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "dropout":
                check_number(field.name, value, 0, 1)
            elif field.type is bool:
                check_flag(field.name, value)
            elif field.type is int:
                check_integer(field.name, value, *RANGES[field.name])


def check_heads(dim: int, n_heads: int) -> None:
    """Raise ParameterError unless each head of an attention has an even width, to be rotated."""
    if dim % (2 * n_heads):
        raise ParameterError(f"dim={dim} must be a multiple of twice n_heads={n_heads}")
