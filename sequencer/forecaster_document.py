"""The config of a forecaster's checkpoint, of this version or of 0.1.0; without torch."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from training.checkpoint_config import config_bytes, parse_config

KIND = "forecaster"

Count = Annotated[int, Meta(ge=0, le=1 << 48)]
Loss = Annotated[float, Meta(ge=-1e9, le=1e9)]
Span = Annotated[int, Meta(ge=1, le=1 << 24)] | Literal["all"]
SpanList = Annotated[tuple[Span, ...], Meta(min_length=1, max_length=16)]


class CoarseForecasterDocument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The forecaster of groups of steps; its descriptors are those of the steps."""

    architecture: str
    architecture_sizes: dict[str, Any]
    head: str
    head_sizes: dict[str, Any]
    spans: SpanList
    training: dict[str, Any]


class CoarseDocument(
    msgspec.Struct, forbid_unknown_fields=True, tag="coarse", tag_field="kind", kw_only=True
):
    """A condition of means over groups of steps."""

    steps: Annotated[int, Meta(ge=2, le=1 << 16)] | Literal["beats", "bars"]
    forecaster: CoarseForecasterDocument


class TrackDocument(
    msgspec.Struct, forbid_unknown_fields=True, tag="track", tag_field="kind", kw_only=True
):
    """A condition of what another track plays."""

    pattern: str
    step_samples: Annotated[int, Meta(ge=1, le=1 << 32)]


class ForecasterDocument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The config of a checkpoint."""

    kind: str
    version: int
    architecture: str
    architecture_sizes: dict[str, Any]
    head: str
    head_sizes: dict[str, Any]
    descriptors: dict[str, Any]
    descriptor_hash: str = ""
    spans: SpanList = (64, 512)  # of checkpoints that do not name theirs
    condition: CoarseDocument | TrackDocument | None = None
    training: dict[str, Any]


class Sources(msgspec.Struct):
    """The names of the sources that a forecaster was trained on and validated with."""

    train: list[str]
    validation: list[str]


class Steps(msgspec.Struct):
    """Their numbers of steps."""

    train: Count
    validation: Count


class TrainingRecord(msgspec.Struct):
    """What is used later of how a forecaster was trained; the rest is free."""

    sources: Sources | None = None
    steps: Steps | None = None
    validation_loss: Loss | None = None


class Record(msgspec.Struct):
    """The part of a config that holds a `TrainingRecord`."""

    training: TrainingRecord


class FirstDocument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The config of a checkpoint of version 0.1.0."""

    kind: str
    version: int
    model: str
    body: dict[str, Any]
    head: str
    head_config: dict[str, Any]
    descriptors: dict[str, Any]
    descriptor_hash: str = ""
    training: dict[str, Any]


class FirstSources(msgspec.Struct, rename={"validation": "held_out"}):
    train: list[str]
    validation: list[str]


class FirstSteps(msgspec.Struct, rename={"validation": "held_out"}):
    train: Count
    validation: Count


class FirstTrainingRecord(msgspec.Struct, rename={"validation_loss": "held_out_loss"}):
    sources: FirstSources | None = None
    steps: FirstSteps | None = None
    validation_loss: Loss | None = None


class FirstRecord(msgspec.Struct):
    training: FirstTrainingRecord


RENAMED = {
    "model": "architecture",
    "seed": "random_seed",
    "held_out": "validation",
    "held_out_loss": "validation_loss",
}


def read_forecaster_document(folder: str | Path) -> ForecasterDocument:
    """Read the config of a forecaster, with today's names.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, of another kind or version.
    """
    folder = Path(folder)
    data = config_bytes(folder, kind=KIND)
    if "model" not in parse_config(data, dict[str, Any], folder):
        parse_config(data, Record, folder)
        return parse_config(data, ForecasterDocument, folder)
    parse_config(data, FirstRecord, folder)
    return _renamed(parse_config(data, FirstDocument, folder))


def _renamed(old: FirstDocument) -> ForecasterDocument:
    """Return a config of 0.1.0 with today's names."""
    training = {RENAMED.get(name, name): value for name, value in old.training.items()}
    for part in {"sources", "steps"} & training.keys():
        if training[part] is not None:
            renamed = {RENAMED.get(name, name): value for name, value in training[part].items()}
            training[part] = renamed
    return ForecasterDocument(
        kind=old.kind,
        version=old.version,
        architecture=old.model,
        architecture_sizes=old.body,
        head=old.head,
        head_sizes=old.head_config,
        descriptors=old.descriptors,
        training=training,
    )
