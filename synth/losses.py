"""What vocoders are trained against: adversarial losses, feature matching, and a distance of
spectrograms.

Adversarial losses take what a discriminator returns, for the recorded and for the synthesised
audio, and are means over steps and batch. Over the views of a discriminator they are sums, as in
HiFi-GAN (Kong et al. 2020, arXiv 2010.05646, eq. 7-8) and MelGAN (Kumar et al. 2019, arXiv
1910.06711, eq. 2 and 4), but for `clamped_hinge_generator`, a mean as in Vocos (Siuzdak 2023, arXiv
2306.00814). Weights are the caller's. All are float32, whatever the discriminator computed in.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from files.errors import ParameterError
from synth.discriminators import Verdicts

Resolutions = tuple[tuple[int, int, int], ...]
RESOLUTIONS: Resolutions = (
    (1024, 600, 120),
    (2048, 1200, 240),
    (512, 240, 50),
)  # FFT size, window, hop, in samples
COARSE = (
    (512, 512, 128),
    (1024, 1024, 256),
    (2048, 2048, 512),
)  # half as many frames: a training step takes 2/3 of the time
POWER_FLOOR = (
    1e-7  # powers below count as this, so that the logarithm of silence is finite, and its gradient
)


def least_squares_discriminator(real: Verdicts, fake: Verdicts) -> Tensor:
    """Recorded audio should score 1, synthesised 0: sum over views of mean (1 - D(x))² + mean
    D(G)². HiFi-GAN, eq. 1.

    Raises
    ------
    ParameterError
        If the two differ in their number of views.
    """
    check_views(real, fake)
    return total((1 - score).square() for score, _ in real) + total(
        score.square() for score, _ in fake
    )


def least_squares_generator(fake: Verdicts) -> Tensor:
    """Synthesised audio should score 1: sum over views of mean (1 - D(G))². HiFi-GAN, eq. 2."""
    return total((1 - score).square() for score, _ in fake)


def hinge_discriminator(real: Verdicts, fake: Verdicts) -> Tensor:
    """Recorded audio should score over 1, synthesised under -1: sum of mean max(0, 1 - D(x)) +
    max(0, 1 + D(G)). MelGAN, eq. 1.

    Raises
    ------
    ParameterError
        If the two differ in their number of views.
    """
    check_views(real, fake)
    return total((1 - score).relu() for score, _ in real) + total(
        (1 + score).relu() for score, _ in fake
    )


def hinge_generator(fake: Verdicts) -> Tensor:
    """Synthesised audio should score high: sum over views of mean -D(G). MelGAN, eq. 2."""
    return total(-score for score, _ in fake)


def clamped_hinge_generator(fake: Verdicts) -> Tensor:
    """The same, with nothing to gain above 1: mean over views of mean max(0, 1 - D(G)). Vocos."""
    return total((1 - score).relu() for score, _ in fake) / len(fake)


def feature_matching(real: Verdicts, fake: Verdicts) -> Tensor:
    """Sum over views and layers of the mean absolute difference of features; no gradient goes to
    those of the recorded audio.

    Published weights: 2 in HiFi-GAN (eq. 4), 10 in MelGAN (eq. 3). Vocos divides by the number of
    views.

    Raises
    ------
    ParameterError
        If views, layers or lengths differ.
    """
    check_views(real, fake)
    recorded = features_of(real)
    synthesised = features_of(fake)
    if (shapes := [tuple(f.shape) for f in recorded]) != (
        others := [tuple(f.shape) for f in synthesised]
    ):
        raise ParameterError(
            f"features of shapes {shapes} and {others} do not match; judge clips of one length"
        )
    return total((a.detach() - b).abs() for a, b in zip(recorded, synthesised, strict=True))


def features_of(verdicts: Verdicts) -> list[Tensor]:
    return [feature for _, features in verdicts for feature in features]


def total(parts: Iterable[Tensor]) -> Tensor:
    """The sum of each part's mean."""
    return torch.stack([part.mean(dtype=torch.float32) for part in parts]).sum()


def check_views(real: Verdicts, fake: Verdicts) -> None:
    if len(real) != len(fake):
        raise ParameterError(
            f"{len(real)} and {len(fake)} views cannot be compared; take the results of one"
            " discriminator"
        )


class MultiResolutionSTFT(nn.Module):
    """Spectral convergence and log magnitude distance, mean of three resolutions.

    Yamamoto et al. 2020, Parallel WaveGAN, arXiv 1910.11480, eq. 4-6 and table 1. The norms of the
    spectral convergence are those of the whole batch, so that one silent clip in it divides by
    nothing small.
    """

    def __init__(self, resolutions: Resolutions = RESOLUTIONS) -> None:
        super().__init__()
        self.resolutions = resolutions
        for n_fft, window, _ in resolutions:
            self.register_buffer(f"window_{n_fft}", torch.hann_window(window), persistent=False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Audio (..., n), within ±1, and the audio it should be -> scalar >= 0, 0 for equal ones.

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
