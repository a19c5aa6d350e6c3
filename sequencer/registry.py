"""The architectures and heads of forecasters by name; any architecture goes with any head.

A new one is one file, one line here and its name in `sequencer.names`.
"""

from dataclasses import asdict, dataclass
from typing import Any

from files.errors import ParameterError
from sequencer.architecture import Architecture
from sequencer.contrast import ContrastHead
from sequencer.head import Head
from sequencer.lstm import LSTM, LSTMSizes
from sequencer.lstm_seq2seq import LSTMSeq2Seq, LSTMSeq2SeqSizes
from sequencer.mixture import MixtureHead
from sequencer.point import PointHead
from sequencer.tokens import TokensHead
from sequencer.transformer import Transformer, TransformerSizes
from sequencer.transformer_encoder import TransformerEncoder, TransformerEncoderSizes


@dataclass(frozen=True)
class ArchitectureEntry:
    """An architecture and an instance of the dataclass of its sizes, the default ones."""

    network: type[Architecture]
    sizes: Any

    @property
    def default_sizes(self) -> dict[str, Any]:
        return asdict(self.sizes)


@dataclass(frozen=True)
class HeadEntry:
    """A head.

    Attributes
    ----------
    loss_unit : str
    augment : bool
        True if training changes key and level; see `sequencer.augmentation`.
    """

    network: type[Head]
    loss_unit: str
    augment: bool = False


ARCHITECTURES = {
    "lstm": ArchitectureEntry(LSTM, LSTMSizes()),
    "lstm-seq2seq": ArchitectureEntry(LSTMSeq2Seq, LSTMSeq2SeqSizes()),
    "transformer-encoder": ArchitectureEntry(TransformerEncoder, TransformerEncoderSizes()),
    "transformer": ArchitectureEntry(Transformer, TransformerSizes()),
}
HEADS = {
    "point": HeadEntry(PointHead, "squared error"),
    "mixture": HeadEntry(MixtureHead, "nats per step"),
    "tokens": HeadEntry(TokensHead, "nats per step"),
    "contrast": HeadEntry(ContrastHead, "nats per step", augment=True),
}


def check_names(architecture: str, head: str) -> None:
    """Raise ParameterError, listing the known names, if one is unknown."""
    if architecture not in ARCHITECTURES:
        raise ParameterError(
            f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}"
        )
    if head not in HEADS:
        raise ParameterError(f"unknown head {head!r}; known are {', '.join(HEADS)}")


def build_network(
    architecture: str,
    head: str,
    n: int,
    *,
    n_averages: int,
    architecture_sizes: dict[str, Any],
    head_sizes: dict[str, Any],
) -> tuple[Architecture, Head]:
    """Build an architecture and a head for `n` independent columns and their slow averages.

    Sizes that are not given are the defaults.

    Raises
    ------
    ParameterError
        If a name is unknown.
    """
    check_names(architecture, head)
    entry = ARCHITECTURES[architecture]
    head_network = HEADS[head].network
    n_in = head_network.input_size(n) + n * n_averages
    network = entry.network(n_in, **{**entry.default_sizes, **architecture_sizes})
    return network, head_network(network.hidden_size, n, **head_sizes)
