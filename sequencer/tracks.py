"""The tracks that sources of a training go with; does not load torch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tracks:
    """The tracks that sources go with.

    Attributes
    ----------
    pattern : str
        How they are called.
    frames : dict of str to ndarray, raw (n_frames, n_frame_descriptors)
        By the name of the source that goes with them. Sources may be missing.
    """

    pattern: str
    frames: dict[str, np.ndarray]
