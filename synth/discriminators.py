"""Discriminators; each has sub-discriminators for different views of the waveform.

multi-period       samples folded into rows of p: HiFi-GAN (Kong et al. 2020, arXiv 2010.05646)
multi-scale        the waveform at full, half and quarter rate: HiFi-GAN
MelGAN             the same, with reflected ends and wider strides (Kumar et al. 2019, arXiv
                   1910.06711)
multi-resolution   spectrograms of several windows: UnivNet (Jang et al. 2021, arXiv 2106.07889),
                   Vocos (arXiv 2306.00814)

All map audio (batch, 1, n) to (logits, features) of each sub-discriminator. Features are what
`losses.feature_matching` compares: the outputs of the hidden layers and, but for MelGAN, the
logits. Along the first axis the items of a batch stay in order.
"""

from itertools import pairwise
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from files.errors import ParameterError

DiscriminatorOutputs = list[tuple[Tensor, list[Tensor]]]
"""(logits, features) of each sub-discriminator."""


class MultiPeriodDiscriminator(nn.Module):
    """One sub-discriminator per period.

    Parameters
    ----------
    periods : ints > 0, in samples
        Published: the first primes, so that they share the fewest samples.
    channels : int > 0
        Width of the first layer; the last is 32 times as wide.
    """

    def __init__(self, periods: tuple[int, ...] = (2, 3, 5, 7, 11), channels: int = 32) -> None:
        super().__init__()
        check_counts(periods=periods, channels=channels)
        self.periods = periods
        self.sub_discriminators = nn.ModuleList(period_layers(channels) for _ in periods)

    def forward(self, audio: Tensor) -> DiscriminatorOutputs:
        """(batch, 1, n) -> logits and features (batch, channels, p, steps) of each period p.

        Raises
        ------
        ParameterError
            If the audio is not mono, or shorter than the longest period.
        """
        check_audio(audio, at_least=max(self.periods))
        return [
            run_layers(layers, fold(audio, period), slope=0.1)
            for period, layers in zip(self.periods, self.sub_discriminators, strict=True)
        ]


def fold(audio: Tensor, period: int) -> Tensor:
    """(B, 1, n) -> (B, 1, period, ceil(n / period)).

    Along the last axis lie samples a period apart; the end is reflected to fit.
    """
    audio = F.pad(audio, (0, -audio.shape[-1] % period), mode="reflect")
    # (B, 1, steps, period) -> (B, 1, period, steps): a convolution runs faster along the last axis
    return audio.unflatten(-1, (-1, period)).transpose(2, 3).contiguous()


def period_layers(channels: int) -> nn.ModuleList:
    factors = (1, 4, 16, 32, 32)
    widths = [1, *(channels * factor for factor in factors)]
    strides = (3, 3, 3, 3, 1)
    layers = [
        nn.Conv2d(a, b, (1, 5), (1, stride), padding=(0, 2))
        for a, b, stride in zip(widths[:-1], widths[1:], strides, strict=True)
    ]
    layers.append(nn.Conv2d(widths[-1], 1, (1, 3), padding=(0, 1)))
    return nn.ModuleList(map(weight_norm, layers))


class MultiScaleDiscriminator(nn.Module):
    """Sub-discriminators at 1, 1/2 and 1/4 of the rate; the first is spectral-normed.

    Parameters
    ----------
    channels : int > 0
        Width of the first layer; the last is 8 times as wide.
    """

    def __init__(self, channels: int = 128) -> None:
        super().__init__()
        check_counts(channels=channels)
        self.sub_discriminators = nn.ModuleList(
            nn.ModuleList(map(norm, scale_layers(channels)))
            for norm in (spectral_norm, weight_norm, weight_norm)
        )

    def forward(self, audio: Tensor) -> DiscriminatorOutputs:
        """(batch, 1, n) -> logits and features (batch, channels, steps) at each rate.

        Raises
        ------
        ParameterError
            If the audio is not mono, or empty.
        """
        check_audio(audio, at_least=1)
        outputs = []
        for number, layers in enumerate(self.sub_discriminators):
            if number:
                audio = F.avg_pool1d(audio, 4, 2, padding=2)
            outputs.append(run_layers(layers, audio, slope=0.1))
        return outputs


def scale_layers(channels: int) -> list[nn.Conv1d]:
    """The published layers, with fewer groups where a small width has no such divisor."""
    factors = (1, 1, 2, 4, 8, 8, 8)
    widths = [1, *(channels * factor for factor in factors), 1]
    kernel_sizes = (15, 41, 41, 41, 41, 41, 5, 3)
    strides = (1, 2, 2, 4, 4, 1, 1, 1)
    groups = (1, 4, 16, 16, 16, 16, 1, 1)
    return [
        nn.Conv1d(a, b, kernel_size, stride, padding=kernel_size // 2, groups=gcd(a, b, n_groups))
        for a, b, kernel_size, stride, n_groups in zip(
            widths[:-1], widths[1:], kernel_sizes, strides, groups, strict=True
        )
    ]


class MelGANDiscriminator(nn.Module):
    """Sub-discriminators at 1, 1/2, 1/4, … of the rate.

    Parameters
    ----------
    ndf : int > 0
        Width of the first layer; the next ones are `factor` times as wide each, up to 64 times.
    n_layers : int > 0
        How many layers divide the rate by `factor`.
    scales : int > 0
        Number of sub-discriminators.
    """

    def __init__(self, ndf: int = 16, n_layers: int = 4, factor: int = 4, scales: int = 3) -> None:
        super().__init__()
        check_counts(ndf=ndf, n_layers=n_layers, factor=factor, scales=scales)
        self.sub_discriminators = nn.ModuleList(
            melgan_layers(ndf, n_layers, factor) for _ in range(scales)
        )

    def forward(self, audio: Tensor) -> DiscriminatorOutputs:
        """(batch, 1, n) -> logits and features (batch, channels, steps) at each rate.

        Raises
        ------
        ParameterError
            If the audio is not mono, or too short to be reflected at its ends at the lowest rate.
        """
        check_audio(audio, at_least=8 * 2 ** (len(self.sub_discriminators) - 1))
        outputs = []
        for number, layers in enumerate(self.sub_discriminators):
            if number:
                audio = F.avg_pool1d(audio, 4, 2, padding=1, count_include_pad=False)
            logits, features = run_layers(layers, audio, slope=0.2)
            outputs.append((logits, features[:-1]))
        return outputs


def melgan_layers(ndf: int, n_layers: int, factor: int) -> nn.ModuleList:
    widths = [ndf * min(factor**i, 64) for i in range(n_layers + 1)]
    layers = [nn.Conv1d(1, ndf, 15, padding=7, padding_mode="reflect")]
    for a, b in pairwise(widths):
        groups = gcd(a, b, max(a // 4, 1))  # four channels in each
        kernel_size = 10 * factor + 1
        padding = 5 * factor
        layers.append(nn.Conv1d(a, b, kernel_size, factor, padding=padding, groups=groups))
    last = min(2 * widths[-1], 64 * ndf)
    layers.append(nn.Conv1d(widths[-1], last, 5, padding=2))
    layers.append(nn.Conv1d(last, 1, 3, padding=1))
    return nn.ModuleList(map(weight_norm, layers))


class MultiResolutionDiscriminator(nn.Module):
    """One sub-discriminator per STFT: its real and imaginary parts as an image.

    Layers stride along frequency and dilate along time, so that they keep all frames while their
    receptive field grows, as in EnCodec (Défossez et al. 2022, arXiv 2210.13438, 3.4).

    Parameters
    ----------
    n_ffts : ints >= 4, in samples
        Window lengths; the hop is a quarter of each.
    channels : int > 0
        Width of every layer.
    """

    def __init__(self, n_ffts: tuple[int, ...] = (1024, 2048, 512), channels: int = 32) -> None:
        super().__init__()
        check_counts(n_ffts=n_ffts, channels=channels)
        if min(n_ffts) < 4:
            raise ParameterError(f"n_ffts={n_ffts} must be at least 4 each, for a hop of a quarter")
        self.n_ffts = n_ffts
        for n in n_ffts:
            self.register_buffer(f"window_{n}", torch.hann_window(n), persistent=False)
        self.sub_discriminators = nn.ModuleList(spectrogram_layers(channels) for _ in n_ffts)

    def forward(self, audio: Tensor) -> DiscriminatorOutputs:
        """(batch, 1, n) -> logits and features (batch, channels, frames, bands) of each STFT.

        Raises
        ------
        ParameterError
            If the audio is not mono, or too short to be reflected at its ends.
        """
        check_audio(audio, at_least=max(self.n_ffts) // 2 + 1)
        windows = [self.get_buffer(f"window_{n}") for n in self.n_ffts]
        return [
            run_layers(layers, image(audio, window), slope=0.1)
            for window, layers in zip(windows, self.sub_discriminators, strict=True)
        ]


def image(audio: Tensor, window: Tensor) -> Tensor:
    """(B, 1, n) -> real and imaginary parts of the STFT, (B, 2, frames, n_fft // 2 + 1)."""
    n_fft = len(window)
    spectrum = torch.stft(
        audio[:, 0].float(), n_fft, n_fft // 4, window=window, return_complex=True
    )
    # (B, bands, frames, 2) -> (B, 2, frames, bands)
    return torch.view_as_real(spectrum).permute(0, 3, 2, 1).contiguous()


def spectrogram_layers(channels: int) -> nn.ModuleList:
    layers = [nn.Conv2d(2, channels, (3, 9), padding=(1, 4))]
    for dilation in (1, 2, 4):  # frames
        pad = (dilation, 4)
        dilations = (dilation, 1)
        layers.append(
            nn.Conv2d(channels, channels, (3, 9), (1, 2), padding=pad, dilation=dilations)
        )
    layers.append(nn.Conv2d(channels, channels, 3, padding=1))
    layers.append(nn.Conv2d(channels, 1, 3, padding=1))
    return nn.ModuleList(map(weight_norm, layers))


def run_layers(layers: nn.Module, x: Tensor, *, slope: float) -> tuple[Tensor, list[Tensor]]:
    """Run x through the layers, a leaky ReLU between them; return the last and all outputs."""
    *hidden, last = layers.children()
    features = []
    for layer in hidden:
        x = F.leaky_relu(layer(x), slope)
        features.append(x)
    logits = last(x)
    return logits, [*features, logits]


def check_counts(**counts: int | tuple[int, ...]) -> None:
    for name, value in counts.items():
        values = value if isinstance(value, tuple | list) else (value,)
        if not values or not all(
            isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in values
        ):
            raise ParameterError(f"{name}={value!r} must be positive integers")


def check_audio(audio: Tensor, *, at_least: int) -> None:
    if audio.ndim != 3 or audio.shape[1] != 1:
        raise ParameterError(f"audio of shape {tuple(audio.shape)} must be (batch, 1, n_samples)")
    if audio.shape[2] < at_least:
        raise ParameterError(
            f"{audio.shape[2]} samples are too few for this discriminator; at least {at_least} are"
            " needed"
        )
