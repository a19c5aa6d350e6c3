"""How much units sound like a text or a sound, by the vectors of CLAP among their descriptors."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from db.database import Database
from files.errors import ParameterError
from files.ranges import shown

CLAP_COLUMN = "clap"  # with a number: clap0, clap1, …
LIKE = "like"  # conditions may name it
SHARE = 0.2  # of the units, which are most alike, if no condition says how much
FEWEST_UNITS = 64  # where there are as many
MOST_ASKED = 1000
FLOAT = np.dtype("<f4")


@dataclass(frozen=True)
class Likeness:
    """What units should sound like.

    Attributes
    ----------
    asked : tuple of (str, float)
        Texts and names of sounds, with their weights: for people.
    vector : bytes
        Their weighted mean in CLAP's space, float32, little-endian, of unit length.
    least : float, optional
        How alike units must be; by default, it depends on all units, see `most_alike`.
    """

    asked: tuple[tuple[str, float], ...]
    vector: bytes
    least: float | None = None

    def __str__(self) -> str:
        return " and ".join(
            repr(name) if weight == 1 else f"{name!r}={weight:g}" for name, weight in self.asked
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "asked": [list(one) for one in self.asked],
            "vector": base64.b64encode(self.vector).decode(),
        }

    @classmethod
    def from_dict(cls, facts: Any) -> Self:
        """Return what `to_dict` turned into `facts`.

        Raises
        ------
        ParameterError
            If `facts` is anything else.
        """
        try:
            asked = tuple((str(name), float(weight)) for name, weight in facts["asked"])
            vector = base64.b64decode(facts["vector"], validate=True)
            values = np.frombuffer(vector, FLOAT)
        except (TypeError, KeyError, ValueError, OverflowError, binascii.Error) as error:
            raise ParameterError(
                f"like={shown(facts)} must be an object with what was asked and a vector"
            ) from error
        if not len(values) or not np.isfinite(values).all() or not 0 < len(asked) <= MOST_ASKED:
            raise ParameterError("like: its vector must be finite, and something must be asked")
        return cls(asked, vector)


def likeness_of(database: Database, like: Likeness) -> np.ndarray:
    """Return the cosine of each unit's CLAP vector and what is asked, float32, (n_units,).

    Raises
    ------
    ParameterError
        If the database has no such columns.
    """
    names = database.settings.names
    vector = np.frombuffer(like.vector, FLOAT)
    wanted = [f"{CLAP_COLUMN}{i}" for i in range(len(vector))]
    if not set(wanted) <= set(names) or f"{CLAP_COLUMN}{len(vector)}" in names:
        raise ParameterError(
            f"{database.path} has no {len(vector)} columns of CLAP, which --like {like} needs;"
            f" {HOW_TO_GET_THEM}"
        )
    columns = [names.index(name) for name in wanted]
    cosines = []
    for number in range(len(database.sources)):
        rows = database.source_descriptors(number)[:, columns]
        lengths = np.sqrt(np.square(rows).sum(axis=1))
        cosines.append(rows @ vector / np.maximum(lengths, np.float32(1e-9)))
    return np.concatenate([np.empty(0, np.float32), *cosines])


def most_alike(likeness: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return which of the allowed units are among the `SHARE` that are most alike, bool."""
    values = likeness[allowed]
    n_kept = n_most_alike(len(values))
    if not n_kept:
        return allowed
    return likeness >= np.sort(values)[-n_kept]


def n_most_alike(n_units: int) -> int:
    """Return the `SHARE` of so many units, `FEWEST_UNITS` at least if there are so many."""
    return min(max(round(SHARE * n_units), FEWEST_UNITS), n_units)


HOW_TO_GET_THEM = (
    "fetch a CLAP, hf download laion/clap-htsat-unfused --local-dir clap, and build with it:"
    " demiurge db build AUDIO_DIR DB --descriptors mfcc,chroma,loudness,clap:clap"
)
