"""A loss curve in one line of text."""

import numpy as np

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(losses: list[float], *, width: int = 24) -> str:
    """`losses` in order as blocks, highest value highest; of more than `width` each block is the
    least of several.
    """
    values = np.array(
        [
            part.min()
            for part in np.array_split(np.array(losses, float), min(width, len(losses)) or 1)
            if len(part)
        ]
    )
    if not len(values):
        return ""
    spread = values.max() - values.min() or 1.0
    return "".join(
        BLOCKS[round((value - values.min()) / spread * (len(BLOCKS) - 1))] for value in values
    )
