"""Random streams by name, so that no file depends on the others."""

import zlib

import numpy as np


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Return a random generator for one file, which does not depend on the other files."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
