"""The forecasters' parts by name: any body goes with any head. A new one is one file and one line here."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from torch import nn

from db.errors import CheckpointError
from sequencer import lstm, lstm_seq2seq, transformer, transformer_encoder
from sequencer.averages import STEPS
from sequencer.head import Head
from sequencer.mixture import MixtureHead
from sequencer.point import PointHead
from sequencer.tokens import TokensHead

BODIES: dict[str, tuple[Callable[[int, dict[str, Any]], nn.Module], dict[str, Any]]] = {
    "lstm": (lstm.build, asdict(lstm.LSTMConfig())),
    "lstm-seq2seq": (lstm_seq2seq.build, asdict(lstm_seq2seq.LSTMSeq2SeqConfig())),
    "transformer-encoder": (transformer_encoder.build, asdict(transformer_encoder.TransformerEncoderConfig())),
    "transformer": (transformer.build, asdict(transformer.TransformerConfig())),
}
HEADS: dict[str, type[Head]] = {"point": PointHead, "mixture": MixtureHead, "tokens": TokensHead}


def build_parts(model: str, head: str, n: int, body_config: dict[str, Any], head_config: dict[str, Any]) -> tuple[Any, Head]:
    """The named body and head for n independent columns, with their own defaults where the configs say nothing.

    Raises
    ------
    CheckpointError
        If a name is unknown.
    """
    if model not in BODIES:
        raise CheckpointError(f"unknown forecaster {model!r}; known are {', '.join(BODIES)}")
    if head not in HEADS:
        raise CheckpointError(f"unknown head {head!r}; known are {', '.join(HEADS)}")
    build, defaults = BODIES[model]
    body = build(HEADS[head].input_size(n) + n * len(STEPS), {**defaults, **body_config})
    return body, HEADS[head](body.hidden_size, n, **head_config)  # type: ignore[arg-type]
