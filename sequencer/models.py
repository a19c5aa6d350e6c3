"""The forecasters by name. A new one is one file and one line here."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from torch import nn

from db.errors import CheckpointError
from sequencer import lstm

BODIES: dict[str, tuple[Callable[[int, dict[str, Any]], nn.Module], dict[str, Any]]] = {
    "lstm": (lstm.build, asdict(lstm.LSTMConfig())),
}


def build_body(name: str, n_in: int, config: dict[str, Any]) -> nn.Module:
    """The named body, with its own defaults where `config` says nothing."""
    if name not in BODIES:
        raise CheckpointError(f"unknown forecaster {name!r}; known are {', '.join(sorted(BODIES))}")
    build, defaults = BODIES[name]
    return build(n_in, {**defaults, **config})
