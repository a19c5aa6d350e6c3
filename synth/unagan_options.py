"""Options for training a UNAGAN, and the checks that they fit together."""

from dataclasses import dataclass
from typing import Any

from files.errors import ParameterError
from files.ranges import check_flag, check_integer, shown
from synth.limits import MOST_FRAMES, MOST_WIDTH
from synth.mel_statistics import WINDOW_FRAMES
from synth.train import AudioTrainingOptions
from synth.unagan import UnaganConfig
from synth.unagan_generator import MOST_LATENT_ORDER, UnaganGenerator
from synth.unagan_sizes import UnaganSizes
from training.options import MOST_STEPS

ARCHITECTURES = ("unagan", "unagan-nonhierarchical")
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
                f"architecture={shown(self.architecture)} is not known; choose"
                f" {' or '.join(ARCHITECTURES)}"
            )
        self._check_sizes()
        self.config()  # refuses a width that does not fit
        self._check_cycle()

    def _check_sizes(self) -> None:
        check_flag("cycle", self.cycle)
        check_integer("clip_frames", self.clip_frames, WINDOW_FRAMES, MOST_FRAMES)
        check_integer("discriminator_width", self.discriminator_width, 16, MOST_WIDTH)
        check_integer("adversarial_from", self.adversarial_from, 0, MOST_STEPS)
        check_integer("latent_order", self.latent_order, 0, MOST_LATENT_ORDER)
        for name in ("clip_frames", "discriminator_width"):
            if getattr(self, name) % 16:
                raise ParameterError(f"{name}={getattr(self, name)} must be a multiple of 16")

    def _check_cycle(self) -> None:
        if (self.adversarial_from or self.latent_order) and not self.cycle:
            raise ParameterError(
                "adversarial_from and latent_order need the cycle's encoder; set cycle to true"
            )

    @staticmethod
    def sizes_of(start: UnaganGenerator) -> dict[str, Any]:
        """Return the options that are decided by the generator to start from."""
        return {"width": start.config.width, "latent_order": start.latent.order}

    def config(self) -> UnaganConfig:
        upsamplings = UnaganConfig().upsamplings if self.architecture == "unagan" else ()
        return UnaganConfig(width=self.width, upsamplings=upsamplings)
