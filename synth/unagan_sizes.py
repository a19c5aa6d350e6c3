"""Sizes of a UNAGAN and of its training, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class UnaganSizes:
    """Sizes that decide how much memory and time training takes, and how much it can learn.

    The defaults are the published ones, which need a GPU. Ranges are checked by
    `synth.unagan_options.UnaganOptions`.
    """

    width: int = 512  # channels of the generator
    discriminator_width: int = 512
    clip_frames: int = 864  # of a training excerpt, 10 s at 22.05 kHz / 256
    batch_size: int = 5
    cycle: bool = True  # train an encoder to recover the noise from the generated mel
    adversarial_from: int = 0  # training steps of the cycle alone
    latent_order: int = 0  # of the autoregression that makes the noise; 0: white, as published


SIZES = {
    "published": UnaganSizes(),
    # small enough for a processor
    "small": UnaganSizes(width=160, discriminator_width=160, clip_frames=128, batch_size=8),
}
