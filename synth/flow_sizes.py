"""Sizes of a flow and of its training, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FlowSizes:
    """Sizes that decide how much memory and time training takes, and how much it can learn.

    Ranges are checked by `synth.flow_options.FlowOptions`.
    """

    patch_frames: int = 4  # mel frames in a token
    width: int = 256  # channels of the transformer
    layers: int = 8
    clip_frames: int = 768  # of an excerpt, and of a window when sampling: 9 s at 22.05 kHz / 256
    batch_size: int = 12


SIZES = {"small": FlowSizes()}  # small enough for a processor
