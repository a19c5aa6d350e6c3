"""Options for training a flow, and the checks that they fit together."""

from dataclasses import dataclass
from typing import Any, ClassVar

from files.errors import ParameterError
from files.ranges import check_integer
from synth.flow import FlowConfig
from synth.flow_generator import MOST_WINDOW_FRAMES, FlowGenerator
from synth.flow_sizes import FlowSizes
from synth.mel_statistics import WINDOW_FRAMES
from synth.train import AudioTrainingOptions

SIZES = ("patch_frames", "width", "layers", "clip_frames")


@dataclass(frozen=True)
class FlowOptions(AudioTrainingOptions):
    """Options for training a flow; `synth.flow_sizes.FlowSizes` explains the sizes."""

    architecture: ClassVar[str] = "flow"
    batch_size: int = FlowSizes.batch_size
    patch_frames: int = FlowSizes.patch_frames
    width: int = FlowSizes.width
    layers: int = FlowSizes.layers
    clip_frames: int = FlowSizes.clip_frames

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config()  # refuses sizes that do not fit
        check_integer("clip_frames", self.clip_frames, 2 * WINDOW_FRAMES, MOST_WINDOW_FRAMES)
        if self.clip_frames % self.patch_frames:
            raise ParameterError(
                f"clip_frames={self.clip_frames} must be a multiple of patch_frames="
                f"{self.patch_frames}"
            )

    @staticmethod
    def sizes_of(start: FlowGenerator) -> dict[str, Any]:
        """Return the options that are decided by the generator to start from."""
        sizes = {name: getattr(start.config, name) for name in ("patch_frames", "width", "layers")}
        return {**sizes, "clip_frames": start.window_frames}

    def config(self) -> FlowConfig:
        return FlowConfig(patch_frames=self.patch_frames, width=self.width, layers=self.layers)
