"""Options for training a UNAGAN, and the checks that they fit together."""

from dataclasses import dataclass
from typing import Any

from files.errors import ParameterError
from synth.mel_statistics import WINDOW_FRAMES
from synth.train import AudioTrainingOptions
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.unagan_sizes import UnaganSizes

ARCHITECTURES = ("unagan", "unagan-nonhierarchical")
MAX_LATENT_ORDER = 16
SIZES = (
    "architecture",
    "cycle",
    "width",
    "discriminator_width",
    "clip_frames",
    "adversarial_from",
    "latent_order",
)


@dataclass(frozen=True)
class UnaganOptions(AudioTrainingOptions):
    """Options for training a UNAGAN. The defaults are the published ones, which need a GPU.

    `synth.unagan_sizes.UnaganSizes` explains the sizes.
    """

    batch_size: int = UnaganSizes.batch_size
    architecture: str = ARCHITECTURES[0]
    cycle: bool = UnaganSizes.cycle
    width: int = UnaganSizes.width
    discriminator_width: int = UnaganSizes.discriminator_width
    clip_frames: int = UnaganSizes.clip_frames
    adversarial_from: int = UnaganSizes.adversarial_from
    latent_order: int = UnaganSizes.latent_order

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture not in ARCHITECTURES:
            raise ParameterError(
                f"architecture={self.architecture!r} is not known; choose"
                f" {' or '.join(ARCHITECTURES)}"
            )
        if self.clip_frames < WINDOW_FRAMES or self.clip_frames % 16:
            raise ParameterError(
                f"clip_frames={self.clip_frames} must be a multiple of 16, at least {WINDOW_FRAMES}"
            )
        if self.discriminator_width < 1 or self.discriminator_width % 16:
            raise ParameterError(
                f"discriminator_width={self.discriminator_width} must be a positive multiple of 16"
            )
        self.config()  # refuses a width that does not fit
        self._check_cycle()

    def _check_cycle(self) -> None:
        if (self.adversarial_from or self.latent_order) and not self.cycle:
            raise ParameterError(
                "adversarial_from and latent_order need the cycle's encoder; set cycle to true"
            )
        if self.adversarial_from < 0:
            raise ParameterError(f"adversarial_from={self.adversarial_from} must not be negative")
        if not 0 <= self.latent_order <= MAX_LATENT_ORDER:
            raise ParameterError(
                f"latent_order={self.latent_order} must be 0 to {MAX_LATENT_ORDER}"
            )

    @staticmethod
    def sizes_of(start: UnaganGenerator) -> dict[str, Any]:
        """Return the options that are decided by the generator to start from."""
        return {"width": start.config.width, "latent_order": start.latent.order}

    def config(self) -> UnaganConfig:
        upsamplings = UnaganConfig().upsamplings if self.architecture == "unagan" else ()
        return UnaganConfig(width=self.width, upsamplings=upsamplings)
