"""The forecasters' parts by name: any body goes with any head. A new one is one file and one line
here.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from files.errors import ParameterError
from sequencer import lstm, lstm_seq2seq, transformer, transformer_encoder
from sequencer.averages import STEPS
from sequencer.body import Body
from sequencer.head import Head
from sequencer.mixture import MixtureHead
from sequencer.point import PointHead
from sequencer.tokens import TokensHead

BODIES: dict[str, tuple[Callable[[int, dict[str, Any]], Body], dict[str, Any]]] = {
    "lstm": (lstm.build, asdict(lstm.LSTMConfig())),
    "lstm-seq2seq": (lstm_seq2seq.build, asdict(lstm_seq2seq.LSTMSeq2SeqConfig())),
    "transformer-encoder": (
        transformer_encoder.build,
        asdict(transformer_encoder.TransformerEncoderConfig()),
    ),
    "transformer": (transformer.build, asdict(transformer.TransformerConfig())),
}
HEADS: dict[str, type[Head]] = {"point": PointHead, "mixture": MixtureHead, "tokens": TokensHead}


def check_parts(model: str, head: str) -> None:
    """Raise ParameterError, which lists the known ones, if a name is unknown."""
    if model not in BODIES:
        raise ParameterError(f"unknown forecaster {model!r}; known are {', '.join(BODIES)}")
    if head not in HEADS:
        raise ParameterError(f"unknown head {head!r}; known are {', '.join(HEADS)}")


def build_parts(
    model: str, head: str, n: int, body_config: dict[str, Any], head_config: dict[str, Any]
) -> tuple[Body, Head]:
    """The named body and head for n independent columns, with their own defaults where the configs
    say nothing.

    Raises
    ------
    ParameterError
        If a name is unknown.
    """
    check_parts(model, head)
    build, defaults = BODIES[model]
    body = build(HEADS[head].input_size(n) + n * len(STEPS), {**defaults, **body_config})
    return body, HEADS[head](body.hidden_size, n, **head_config)
