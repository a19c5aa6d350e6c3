"""How much each descriptor counts in distances."""

import re

import numpy as np

from db.descriptors import DESCRIPTORS
from db.errors import ParameterError
from db.settings import STD_SUFFIX, DescriptorSettings

WEIGHT = re.compile(r"\s*([\w-]+)\s*=\s*(\d+\.?\d*|\.\d+)\s*")


def parse_weights(text: str) -> dict[str, float]:
    """`mfcc0=0.3,chroma=2` as a dictionary.

    Raises
    ------
    ParameterError
        If it is anything else.
    """
    weights = {}
    for part in text.split(","):
        match = WEIGHT.fullmatch(part)
        if not match:
            raise ParameterError(f"{part!r} is not a weight; write DESCRIPTOR=NUMBER, several with commas between them")
        weights[match[1]] = float(match[2])
    return weights


def weight_columns(settings: DescriptorSettings, weights: dict[str, float]) -> np.ndarray:
    """A factor for each of `settings.names`, float32: 1, the weight of its descriptor, or its own if it has one.

    Raises
    ------
    ParameterError
        If a name is neither a descriptor nor a column of the database, or nothing is left.
    """
    factors = np.ones(len(settings.names), np.float32)
    position = {name: i for i, name in enumerate(settings.names)}
    for name in sorted(weights, key=lambda name: name not in settings.descriptors):
        if name in settings.descriptors:
            frame = DESCRIPTORS[name].columns(settings)
            columns = [column for base in frame for column in (base, base + STD_SUFFIX) if column in position]
        elif name in position:
            columns = [name]
        else:
            raise ParameterError(
                f"no descriptor {name!r} to weigh; there are {', '.join(settings.descriptors)}, and {', '.join(settings.names)}"
            )
        factors[[position[column] for column in columns]] = weights[name]
    if not factors.any():
        raise ParameterError("all weights are 0; leave one above")
    return factors
