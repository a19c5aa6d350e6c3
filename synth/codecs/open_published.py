"""Open the folder of a published codec by the model_type of its config.json."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from files.errors import CheckpointError
from files.names import printable
from synth.codec import Codec
from synth.codecs.dac import DacCodec
from synth.codecs.encodec import EncodecCodec
from synth.codecs.encodec_chunks import EncodecChunksCodec
from synth.codecs.mimi import MimiCodec
from synth.codecs.published import Provenance
from synth.hub_folder import check_weights, hash_folder, read_hub_config
from synth.hub_model import load_hub_model
from synth.licences import licence_of


def _encodec(model: Any, provenance: Provenance) -> Codec:
    chunked = model.config.chunk_length is not None
    return (EncodecChunksCodec if chunked else EncodecCodec)(model, provenance)


@dataclass(frozen=True)
class PublishedKind:
    """A kind of published codec.

    Attributes
    ----------
    name : str
    class_name : str
        Of its model, in transformers.
    build : callable
        Makes the codec from the model.
    """

    name: str
    class_name: str
    build: Callable[[Any, Provenance], Codec]


KINDS = {
    "encodec": PublishedKind("EnCodec", "EncodecModel", _encodec),
    "dac": PublishedKind("DAC", "DacModel", DacCodec),
    "mimi": PublishedKind("Mimi", "MimiModel", MimiCodec),
}


def open_published(folder: Path, *, device: str = "cpu") -> Codec:
    """Open a folder whose config.json has a model_type; as `open_codec`."""
    config = read_hub_config(folder)
    kind = KINDS.get(config.model_type)
    if kind is None:
        known = ", ".join(KINDS)
        raise CheckpointError(
            f"{folder} holds a model of the type {printable(config.model_type)}, which is no codec"
            f" that is known here; known are {known}"
        )
    check_weights(folder, kind.class_name)
    provenance = Provenance(
        name=f"{kind.name} {printable(folder.resolve().name)}",
        licence=licence_of(folder, config.hub_id),
        hash=hash_folder(folder),
    )
    model = load_hub_model(folder, kind.class_name, device=device)
    return kind.build(model, provenance)
