"""Descriptors that a model gives, such as the latents of a codec: what settings know of it.

    settings.models ──► open_model (of demiurge/) ──► ModelMeasure: blocks of a signal ──► rows

This room never opens a model. Where a signal is described, it is handed an `OpenModel`, which is
called with a model's facts in whatever process or thread the signal is read.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

import numpy as np

from db.columns import Columns
from db.names import MODEL_KINDS
from files.errors import DatabaseError, ParameterError
from files.ranges import shown

HASH = re.compile(r"[0-9a-f]{8,64}")
MOST_COLUMNS = 8192  # of a model; published codecs have 1024 at most
MOST_RATE = 768_000  # Hz
LONGEST_TEXT = 4096


@dataclass(frozen=True)
class ModelDescriptor:
    """One model whose numbers are descriptors.

    Two are the same if kind, hash and columns are; where the model lies may differ.

    Attributes
    ----------
    kind : str
        One of `db.names.MODEL_KINDS`: the word on the command line, and the name of the descriptor,
        whose columns are numbered: codec0, codec1, …
    hash : str
        Hex digits that identify sizes and weights.
    n_columns : int
    path : str
        Where the model was last: absolute, or `shipped:NAME`.
    name, licence : str
        For people: the model's name, and the licence of its weights.
    sample_rate, hop_length : int
        Of the model's own frames, in Hz and samples.
    """

    kind: str
    hash: str
    n_columns: int
    path: str = field(compare=False)
    name: str = field(default="", compare=False)
    licence: str = field(default="unknown", compare=False)
    sample_rate: int = field(default=0, compare=False)
    hop_length: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in MODEL_KINDS:
            raise ParameterError(
                f"model kind={shown(self.kind)} is not known; choose among {', '.join(MODEL_KINDS)}"
            )
        if not isinstance(self.hash, str) or not HASH.fullmatch(self.hash):
            raise ParameterError(f"{self.kind}: hash={shown(self.hash)} must be 8 to 64 hex digits")
        for name, least, most in (
            ("n_columns", 1, MOST_COLUMNS),
            ("sample_rate", 0, MOST_RATE),
            ("hop_length", 0, MOST_RATE * 60),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ParameterError(
                    f"{self.kind}: {name}={shown(value)} must be an integer from {least} to {most}"
                )
        for name in ("path", "name", "licence"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > LONGEST_TEXT:
                raise ParameterError(
                    f"{self.kind}: {name} must be text of at most {LONGEST_TEXT} letters"
                )

    @property
    def columns(self) -> Columns:
        """Its columns, all independent."""
        return Columns(tuple(f"{self.kind}{i}" for i in range(self.n_columns)))

    @property
    def identity(self) -> dict[str, Any]:
        """What makes rows comparable."""
        return {"kind": self.kind, "hash": self.hash, "n_columns": self.n_columns}

    def __str__(self) -> str:
        return f"{self.kind}:{self.path} (hash {self.hash})"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, values: Any) -> Self:
        """Return one as it is, or rebuilt from `to_dict`.

        Raises
        ------
        ParameterError
            If it is damaged.
        """
        if isinstance(values, cls):
            return values
        if not isinstance(values, dict):
            raise ParameterError(f"model={shown(values)} must be an object")
        try:
            return cls(**values)
        except TypeError:
            raise ParameterError(
                f"a model has the keys {', '.join(map(shown, values))}, which this version does"
                " not know; use the version that wrote them"
            ) from None


class ModelMeasure(Protocol):
    """Measures one mono signal at the settings' sample rate, given in blocks of any length."""

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, float32, (n,)."""
        ...

    def finish(self) -> np.ndarray:
        """Return a row for each frame begun, float32, (ceil(n_samples / hop), n_columns).

        Raises
        ------
        AudioError
            If the model gives numbers that are not finite.
        """
        ...


# (model, sample_rate, hop_length) -> what measures one signal; raises a `DatabaseError` if the
# model is not there or has changed. It is picklable, and may be called in any process or thread.
OpenModel = Callable[[ModelDescriptor, int, int], ModelMeasure]


def no_model(model: ModelDescriptor, sample_rate: int, hop_length: int) -> ModelMeasure:
    """The `OpenModel` of callers that have none."""
    raise DatabaseError(
        f"the descriptors {model.kind} are measured by {model}, which is not opened here; give"
        " open_model=demiurge.model_descriptors.open_model"
    )
