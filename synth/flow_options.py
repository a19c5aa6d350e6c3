"""Options for training a flow, and the checks that they fit together."""

from dataclasses import dataclass
from typing import Any, ClassVar

from files.errors import ParameterError
from synth.flow import FlowConfig
from synth.flow_generator import FlowGenerator
from synth.mel_statistics import WINDOW_FRAMES
from synth.train import AudioTrainingOptions

SIZES = ("patch_frames", "width", "layers", "clip_frames")


@dataclass(frozen=True)
class FlowOptions(AudioTrainingOptions):
    """Options for training a flow."""

    architecture: ClassVar[str] = "flow"
    batch_size: int = 12
    patch_frames: int = 4  # mel frames in a token
    width: int = 256
    layers: int = 8
    clip_frames: int = 768  # of an excerpt, and of a window when sampling: 9 s at 22.05 kHz / 256

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config()  # refuses sizes that do not fit
        if self.clip_frames < 2 * WINDOW_FRAMES or self.clip_frames % self.patch_frames:
            raise ParameterError(
                f"clip_frames={self.clip_frames} must be a multiple of patch_frames="
                f"{self.patch_frames}, at least {2 * WINDOW_FRAMES}"
            )

    @staticmethod
    def sizes_of(start: FlowGenerator) -> dict[str, Any]:
        """Return the options that are decided by the generator to start from."""
        sizes = {name: getattr(start.config, name) for name in ("patch_frames", "width", "layers")}
        return {**sizes, "clip_frames": start.window_frames}

    def config(self) -> FlowConfig:
        return FlowConfig(patch_frames=self.patch_frames, width=self.width, layers=self.layers)
