"""Losses of vocoder training: adversarial, feature matching, and spectral distance.

Adversarial losses take what a discriminator returns for recorded (real) and synthesised (fake)
audio, as means over time and batch. Over sub-discriminators they are sums, as in HiFi-GAN (Kong et
al. 2020, arXiv 2010.05646, eq. 7-8) and MelGAN (Kumar et al. 2019, arXiv 1910.06711, eq. 2 and 4),
but for `clamped_hinge_generator`, a mean as in Vocos (Siuzdak 2023, arXiv 2306.00814). Weights are
applied by the caller. All are float32, whatever the discriminator computed in.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from files.errors import ParameterError
from synth.discriminators import DiscriminatorOutputs

Resolutions = tuple[tuple[int, int, int], ...]
"""(FFT size, window, hop), in samples."""

RESOLUTIONS: Resolutions = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))
# With half as many frames, a training step takes two thirds of the time.
COARSE_RESOLUTIONS: Resolutions = ((512, 512, 128), (1024, 1024, 256), (2048, 2048, 512))
POWER_FLOOR = 1e-7  # keeps the logarithm of silence, and its gradient, finite


def least_squares_discriminator(real: DiscriminatorOutputs, fake: DiscriminatorOutputs) -> Tensor:
    """Sum of mean (1 - D(x))² + mean D(G)²: real audio should give 1, fake 0. HiFi-GAN, eq. 1.

    Raises
    ------
    ParameterError
        If the two differ in their number of sub-discriminators.
    """
    check_same_number(real, fake)
    of_real = sum_of_means((1 - logits).square() for logits, _ in real)
    of_fake = sum_of_means(logits.square() for logits, _ in fake)
    return of_real + of_fake


def least_squares_generator(fake: DiscriminatorOutputs) -> Tensor:
    """Sum of mean (1 - D(G))²: fake audio should give 1. HiFi-GAN, eq. 2."""
    return sum_of_means((1 - logits).square() for logits, _ in fake)


def hinge_discriminator(real: DiscriminatorOutputs, fake: DiscriminatorOutputs) -> Tensor:
    """Sum of mean max(0, 1 - D(x)) + mean max(0, 1 + D(G)). MelGAN, eq. 1.

    Real audio should give over 1, fake under -1.

    Raises
    ------
    ParameterError
        If the two differ in their number of sub-discriminators.
    """
    check_same_number(real, fake)
    of_real = sum_of_means((1 - logits).relu() for logits, _ in real)
    of_fake = sum_of_means((1 + logits).relu() for logits, _ in fake)
    return of_real + of_fake


def hinge_generator(fake: DiscriminatorOutputs) -> Tensor:
    """Sum of mean -D(G). MelGAN, eq. 2."""
    return sum_of_means(-logits for logits, _ in fake)


def clamped_hinge_generator(fake: DiscriminatorOutputs) -> Tensor:
    """Mean of mean max(0, 1 - D(G)): nothing is gained above 1. Vocos."""
    return sum_of_means((1 - logits).relu() for logits, _ in fake) / len(fake)


def feature_matching(real: DiscriminatorOutputs, fake: DiscriminatorOutputs) -> Tensor:
    """Sum over sub-discriminators and layers of the mean absolute difference of features.

    No gradient goes to the features of real audio. Published weights: 2 in HiFi-GAN (eq. 4), 10 in
    MelGAN (eq. 3). Vocos divides by the number of sub-discriminators.

    Raises
    ------
    ParameterError
        If sub-discriminators, layers or lengths differ.
    """
    check_same_number(real, fake)
    of_real = features_of(real)
    of_fake = features_of(fake)
    shapes = [tuple(features.shape) for features in of_real]
    others = [tuple(features.shape) for features in of_fake]
    if shapes != others:
        raise ParameterError(
            f"features of shapes {shapes} and {others} do not match; compare clips of one length"
        )
    return sum_of_means((a.detach() - b).abs() for a, b in zip(of_real, of_fake, strict=True))


def features_of(outputs: DiscriminatorOutputs) -> list[Tensor]:
    return [layer for _, features in outputs for layer in features]


def sum_of_means(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack([part.mean(dtype=torch.float32) for part in parts]).sum()


def check_same_number(real: DiscriminatorOutputs, fake: DiscriminatorOutputs) -> None:
    if len(real) != len(fake):
        raise ParameterError(
            f"outputs of {len(real)} and {len(fake)} sub-discriminators cannot be compared; take"
            " those of one discriminator"
        )


class MultiResolutionSTFT(nn.Module):
    """Spectral convergence plus log magnitude distance, mean of three resolutions.

    Yamamoto et al. 2020, Parallel WaveGAN, arXiv 1910.11480, eq. 4-6 and table 1. The norms of the
    spectral convergence are taken over the whole batch, so that a silent clip does not divide by
    nearly 0.
    """

    def __init__(self, resolutions: Resolutions = RESOLUTIONS) -> None:
        super().__init__()
        self.resolutions = resolutions
        for n_fft, window, _ in resolutions:
            self.register_buffer(f"window_{n_fft}", torch.hann_window(window), persistent=False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Fake and real audio (..., n), within ±1 -> scalar >= 0, 0 if they are equal.

        Raises
        ------
        ParameterError
            If the shapes differ, or the clips are too short to be reflected at their ends.
        """
        if fake.shape != real.shape:
            raise ParameterError(
                f"audio of shapes {tuple(fake.shape)} and {tuple(real.shape)} must have one shape"
            )
        least = max(n_fft for n_fft, _, _ in self.resolutions) // 2 + 1
        if fake.ndim < 1 or fake.shape[-1] < least:
            raise ParameterError(
                f"audio of shape {tuple(fake.shape)} is too short to compare; at least {least}"
                " samples are needed"
            )
        distances = []
        for n_fft, _, hop in self.resolutions:
            window = self.get_buffer(f"window_{n_fft}")
            distances.append(
                distance(magnitudes(fake, n_fft, hop, window), magnitudes(real, n_fft, hop, window))
            )
        return torch.stack(distances).mean()


def magnitudes(audio: Tensor, n_fft: int, hop: int, window: Tensor) -> Tensor:
    """(..., n) -> (clips, n_fft // 2 + 1, frames)."""
    audio = audio.reshape(-1, audio.shape[-1]).float()
    spectrum = torch.stft(audio, n_fft, hop, len(window), window=window, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square()).clamp_min(POWER_FLOOR).sqrt()


def distance(fake: Tensor, real: Tensor) -> Tensor:
    """‖real - fake‖ / ‖real‖ + mean |ln real - ln fake|, of magnitudes."""
    return torch.linalg.vector_norm(real - fake) / torch.linalg.vector_norm(real) + F.l1_loss(
        fake.log(), real.log()
    )
