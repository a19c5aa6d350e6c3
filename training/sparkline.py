"""Losses as a sparkline, one line of text."""

import numpy as np

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(losses: list[float], *, width: int = 24) -> str:
    """Return a block for each loss, in order; higher blocks are greater losses.

    If there are more than `width` losses, a block shows the least of several.
    """
    if not losses:
        return ""
    parts = np.array_split(np.array(losses, float), min(width, len(losses)))
    values = np.array([part.min() for part in parts])
    spread = values.max() - values.min() or 1.0
    heights = (values - values.min()) / spread * (len(BLOCKS) - 1)
    return "".join(BLOCKS[round(height)] for height in heights)
