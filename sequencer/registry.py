"""The architectures and heads of forecasters by name; any architecture goes with any head.

A new one is one file, one line here and its name in `sequencer.names`.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from files.errors import ParameterError
from files.ranges import check_names, shown
from sequencer.architecture import Architecture
from sequencer.contrast import ContrastHead, ContrastSizes
from sequencer.head import Head
from sequencer.lstm import LSTM, LSTMSizes
from sequencer.lstm_seq2seq import LSTMSeq2Seq, LSTMSeq2SeqSizes
from sequencer.mixture import MixtureHead, MixtureSizes
from sequencer.point import PointHead
from sequencer.sizes import Sizes
from sequencer.tokens import TokensHead, TokensSizes
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
    """A head and an instance of the dataclass of its sizes, the default ones.

    Attributes
    ----------
    loss_unit : str
    augment : bool
        True if training changes key and level; see `sequencer.augmentation`.
    """

    network: type[Head]
    sizes: Any
    loss_unit: str
    augment: bool = False

    @property
    def is_likelihood(self) -> bool:
        """Whether the loss is the negative log-likelihood of a step."""
        return self.network.forecasts and self.loss_unit == "nats per step"


ARCHITECTURES = {
    "lstm": ArchitectureEntry(LSTM, LSTMSizes()),
    "lstm-seq2seq": ArchitectureEntry(LSTMSeq2Seq, LSTMSeq2SeqSizes()),
    "transformer-encoder": ArchitectureEntry(TransformerEncoder, TransformerEncoderSizes()),
    "transformer": ArchitectureEntry(Transformer, TransformerSizes()),
}
HEADS = {
    "point": HeadEntry(PointHead, Sizes(), "squared error"),
    "mixture": HeadEntry(MixtureHead, MixtureSizes(), "nats per step"),
    "tokens": HeadEntry(TokensHead, TokensSizes(), "nats per step"),
    "contrast": HeadEntry(ContrastHead, ContrastSizes(), "nats per step", augment=True),
}


def check_known(architecture: str, head: str) -> None:
    """Raise ParameterError, listing the known names, if one is unknown."""
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ParameterError(
            f"unknown architecture {shown(architecture)}; known are {', '.join(ARCHITECTURES)}"
        )
    if not isinstance(head, str) or head not in HEADS:
        raise ParameterError(f"unknown head {shown(head)}; known are {', '.join(HEADS)}")


def build_network(
    architecture: str,
    head: str,
    n: int,
    *,
    n_extra: int,
    architecture_sizes: dict[str, Any],
    head_sizes: dict[str, Any],
) -> tuple[Architecture, Head]:
    """Build an architecture and a head for `n` independent columns.

    `n_extra` columns enter the architecture beside what the head encodes. Sizes that are not given
    are the defaults.

    Raises
    ------
    ParameterError
        If a name is unknown, or a size out of its range.
    """
    check_known(architecture, head)
    entry = ARCHITECTURES[architecture]
    head_entry = HEADS[head]
    check_names(architecture_sizes, entry.default_sizes)
    check_names(head_sizes, asdict(head_entry.sizes))
    n_in = head_entry.network.input_size(n) + n_extra
    network = entry.network(n_in, **asdict(replace(entry.sizes, **architecture_sizes)))
    of_head = asdict(replace(head_entry.sizes, **head_sizes))
    return network, head_entry.network(network.hidden_size, n, **of_head)
