"""Training recipes of vocoders and codecs, published and our own: discriminators, losses,
optimiser.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from synth.discriminators import (
    DiscriminatorOutputs,
    MelGANDiscriminator,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
    MultiScaleDiscriminator,
)
from synth.losses import (
    COARSE_RESOLUTIONS,
    RESOLUTIONS,
    Resolutions,
    clamped_hinge_generator,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
)


@dataclass(frozen=True)
class Recipe:
    """The training recipe of an architecture.

    `discriminators` holds (class, weight in the vocoder's loss) by name; `feature`, `mel` and
    `stft` are the weights of the other losses.
    """

    segment_frames: int
    learning_rate: float
    betas: tuple[float, float]
    discriminators: dict[str, tuple[Callable[[], nn.Module], float]]
    discriminator_loss: Callable[[DiscriminatorOutputs, DiscriminatorOutputs], Tensor]
    generator_loss: Callable[[DiscriminatorOutputs], Tensor]
    feature: float
    mel: float
    stft: float = 0.0
    resolutions: Resolutions = RESOLUTIONS  # of the STFT loss
    feature_is_mean: bool = False  # feature matching: mean over sub-discriminators, not sum
    decay: float = 1.0  # of the learning rate, per epoch
    weight_decay: float = 0.01
    adversarial_from: int = 0  # training steps before the discriminators join
    clip: float | None = None  # of the gradient's norm


# arXiv 2010.05646, sections 2.4 and 3: least squares, feature matching 2, mel 45
HIFIGAN = Recipe(
    segment_frames=32,
    learning_rate=2e-4,
    betas=(0.8, 0.99),
    decay=0.999,
    discriminators={
        "period": (MultiPeriodDiscriminator, 1.0),
        "scale": (MultiScaleDiscriminator, 1.0),
    },
    discriminator_loss=least_squares_discriminator,
    generator_loss=least_squares_generator,
    feature=2.0,
    mel=45.0,
)
# arXiv 1910.06711, section 2.3 and appendix: hinge, feature matching 10, no mel loss
MELGAN = Recipe(
    segment_frames=32,
    learning_rate=1e-4,
    betas=(0.5, 0.9),
    weight_decay=0.0,
    discriminators={"melgan": (MelGANDiscriminator, 1.0)},
    discriminator_loss=hinge_discriminator,
    generator_loss=hinge_generator,
    feature=10.0,
    mel=0.0,
)
# arXiv 2306.00814, section 3: hinge, spectrogram discriminators at a tenth, mel 45. The published
# cosine decay needs the length of training to be known; the EMA of the weights stands in for it.
VOCOS = Recipe(
    segment_frames=64,
    learning_rate=2e-4,
    betas=(0.9, 0.999),
    discriminators={
        "period": (MultiPeriodDiscriminator, 1.0),
        "resolution": (MultiResolutionDiscriminator, 0.1),
    },
    discriminator_loss=hinge_discriminator,
    generator_loss=clamped_hinge_generator,
    feature=1.0,
    mel=45.0,
    feature_is_mean=True,
)
# our own: spectral losses first, then narrow discriminators; a hundredth of the work
VOCOS_SMALL = Recipe(
    segment_frames=64,
    learning_rate=5e-4,
    betas=(0.8, 0.99),
    clip=10.0,
    adversarial_from=4000,
    discriminators={
        "period": (partial(MultiPeriodDiscriminator, channels=4), 1.0),
        "resolution": (partial(MultiResolutionDiscriminator, channels=8), 1.0),
    },
    discriminator_loss=least_squares_discriminator,
    generator_loss=least_squares_generator,
    feature=2.0,
    mel=45.0,
    stft=30.0,
    resolutions=COARSE_RESOLUTIONS,
)
# arXiv 2306.06546, section 3.4: least squares, feature matching 2, mel 15. Narrow, as above.
DAC = Recipe(
    segment_frames=64,
    learning_rate=1e-4,
    betas=(0.8, 0.99),
    clip=10.0,
    discriminators={
        "period": (partial(MultiPeriodDiscriminator, channels=4), 1.0),
        "resolution": (partial(MultiResolutionDiscriminator, (2048, 1024, 512), channels=8), 1.0),
    },
    discriminator_loss=least_squares_discriminator,
    generator_loss=least_squares_generator,
    feature=2.0,
    mel=15.0,
)
# arXiv 2210.13438, section 3.4: spectrograms of five windows, hinge, both losses 3. The
# published weights are of gradients, which it balances; those here are of losses.
ENCODEC = Recipe(
    segment_frames=64,
    learning_rate=1e-4,
    betas=(0.5, 0.9),
    clip=10.0,
    discriminators={
        "resolution": (
            partial(MultiResolutionDiscriminator, (2048, 1024, 512, 256, 128), channels=8),
            3.0,
        ),
    },
    discriminator_loss=hinge_discriminator,
    generator_loss=clamped_hinge_generator,
    feature=1.0,
    feature_is_mean=True,
    mel=15.0,
)
# what may train the decoder of a codec
CODEC_RECIPES = {"dac": DAC, "encodec": ENCODEC}
