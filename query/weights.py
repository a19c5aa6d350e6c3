"""The weights of descriptors in distances.

A frame's Δ and ΔΔ say how its sound moved in its own source. When it is played among other frames,
the movement depends on them instead, so Δ and ΔΔ count half. On ten minutes of orchestra this
brings the rendered result from 6.1 to 5.3 standard deviations of the target.

The place of a unit in its beat says nothing about its sound, and counts only if it is weighed. Nor
do CLAP's vectors, of which there are hundreds of columns, each about the 10 s around a unit: beside
other descriptors they are for `--like`.
"""

import re
from collections.abc import Sequence

import numpy as np

from db.settings import METRICAL, STD_SUFFIX, DescriptorSettings
from files.errors import ParameterError
from files.names import listed

CLAP = "clap"
DERIVED = 0.5  # weight of a frame's Δ and ΔΔ

WEIGHT = re.compile(r"\s*([\w.-]+)\s*=\s*(\d+\.?\d*|\.\d+)\s*")


def parse_weights(text: str) -> dict[str, float]:
    """Parse weights such as `mfcc0=0.3,chroma=2`.

    Raises
    ------
    ParameterError
        If the text is anything else.
    """
    weights = {}
    for part in text.split(","):
        match = WEIGHT.fullmatch(part)
        if not match:
            raise ParameterError(
                f"{part!r} is not a weight; write DESCRIPTOR=NUMBER, at least 0, several with"
                " commas between them"
            )
        if match[1] in weights:
            raise ParameterError(f"{text!r} weighs {match[1]} twice; weigh it once")
        weights[match[1]] = float(match[2])
    return weights


def split_weights(
    weights: dict[str, float], databases: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the weights of descriptors, and those of databases.

    Raises
    ------
    ParameterError
        If that of a database is 0.
    """
    of_databases = {name: weight for name, weight in weights.items() if name in databases}
    for name, weight in of_databases.items():
        if not weight:
            raise ParameterError(f"weight {name}=0 must be above 0; leave the database out instead")
    return {n: w for n, w in weights.items() if n not in databases}, of_databases


def share_of_distances(
    preferences: dict[str, float], databases: Sequence[str]
) -> np.ndarray | None:
    """Return what each database's distances are multiplied by, float32; None if all by 1.

    One more, the last, is for sources of no database.
    """
    if not preferences:
        return None
    return np.array([1 / preferences.get(name, 1.0) for name in (*databases, "")], np.float32)


def weight_columns(settings: DescriptorSettings, weights: dict[str, float]) -> np.ndarray:
    """Return a factor for each of `settings.names`, float32.

    It is 1, or `DERIVED` for the derived columns of a frame, times the weight of its descriptor, if
    there is one; and 0 for the columns `METRICAL`, and for those of CLAP beside others. A weight of
    the column itself replaces all of these.

    Raises
    ------
    ParameterError
        If a name is neither a descriptor nor a column of the database, or nothing is left.
    """
    factors = np.ones(len(settings.names), np.float32)
    if settings.units == "frame":
        factors[:] = DERIVED
        factors[list(settings.frame_static)] = 1
    if settings.is_metrical:
        factors[-len(METRICAL) :] = 0
    position = {name: i for i, name in enumerate(settings.names)}
    if CLAP in settings.descriptors and len(settings.descriptors) > 1 and CLAP not in weights:
        factors[_columns_of(settings, CLAP, position)] = 0
    # columns last, since their weights replace those of descriptors
    for name in sorted(weights, key=lambda name: name not in settings.descriptors):
        if name in settings.descriptors:
            factors[_columns_of(settings, name, position)] *= weights[name]
        elif name in position:
            factors[position[name]] = weights[name]
        else:
            raise ParameterError(
                f"no descriptor {name!r} to weigh; there are {', '.join(settings.descriptors)}, and"
                f" {listed(settings.names)}"
            )
    if not factors.any():
        raise ParameterError("all weights are 0; leave one above")
    return factors


def _columns_of(
    settings: DescriptorSettings, descriptor: str, position: dict[str, int]
) -> list[int]:
    """Return where the columns of a descriptor are, with their deviations."""
    return [
        position[column]
        for base in settings.columns[descriptor].names
        for column in (base, base + STD_SUFFIX)
        if column in position
    ]
