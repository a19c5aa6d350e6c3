"""A row of losses in one line of text."""

import numpy as np

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(losses: list[float], *, width: int = 24) -> str:
    """Return `losses` as blocks, in order; the highest block is the greatest.

    Of more than `width` losses a block is the least of several.
    """
    if not losses:
        return ""
    parts = np.array_split(np.array(losses, float), min(width, len(losses)))
    values = np.array([part.min() for part in parts])
    spread = values.max() - values.min() or 1.0
    heights = (values - values.min()) / spread * (len(BLOCKS) - 1)
    return "".join(BLOCKS[round(height)] for height in heights)
