"""The Concatenator (Tralie and Cantil, ISMIR 2024, arXiv 2411.04366), as its paper describes it.

    particles: p corpus windows each ──► each window goes on, or jumps        (transition)
                                     ──► gains by KL-NMF, weight × exp(-τ KL) (observation)
                                     ──► the windows of most weight, gains by KL-NMF, overlap-add

Written from the paper's text and the command line of its README, without its code. From there are
the windows, P, p, p_d, τ, L, the band up to 8 kHz, and resampling below 0.1 P effective particles.
Choices that the text leaves open:

- KL in the weights is the mean over bins, of magnitudes of samples within ±1.
- Gains begin at the ratio of the sums of target and windows, divided by p.
- A window that would go past the end of its file jumps.
- Windows played in the last r = 3 frames are not played again; those that follow them may be.
- Windows to be played are chosen before particles are resampled.
- Pitch shifts of the corpus, proposals by nearest neighbours and the rule for quiet windows, which
  are optional, are left out.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

WINDOW = 2048  # samples
HOP = 1024
FLOOR = 1e-7  # added to the approximation, for silence


@dataclass(frozen=True)
class ConcatenatorSettings:
    """The paper's parameters, with the values of its README."""

    particles: int = 1000  # P
    windows: int = 5  # p, of a particle, and of those played
    continue_share: float = 0.95  # p_d
    temperature: float = 50.0  # τ
    iterations: int = 10  # L
    excluded_frames: int = 3  # r
    resample_below: float = 0.1  # effective particles, as a share of P
    highest_hz: float = 8000.0


class Corpus:
    """Windows of some sounds at one sample rate.

    Attributes
    ----------
    audio : ndarray, float32, shape (windows, WINDOW); under a Hann window
    magnitudes : Tensor, float32, shape (windows, bins)
    is_last : Tensor, bool, shape (windows,): the last of its file
    """

    def __init__(self, sounds: list[np.ndarray], sample_rate: int, highest_hz: float) -> None:
        self.bins = int(highest_hz / sample_rate * WINDOW) + 1
        frames = [windowed(sound) for sound in sounds]
        self.audio = np.concatenate(frames)
        self.magnitudes = magnitudes(self.audio, self.bins)
        ends = np.cumsum([len(of_sound) for of_sound in frames]) - 1
        self.is_last = torch.zeros(len(self.audio), dtype=torch.bool)
        self.is_last[torch.from_numpy(ends)] = True


def concatenate(
    target: np.ndarray, corpus: Corpus, settings: ConcatenatorSettings, *, random_seed: int = 0
) -> np.ndarray:
    """Return the mosaic of a target, float32, shape (n_samples,); both at the corpus's rate."""
    draws = torch.Generator().manual_seed(random_seed)
    wanted = magnitudes(windowed(target), corpus.bins)
    n_corpus = len(corpus.audio)
    shape = (settings.particles, settings.windows)
    states = torch.randint(n_corpus, shape, generator=draws)
    weights = torch.full((settings.particles,), 1 / settings.particles)
    played: list[Tensor] = []
    result = np.zeros(len(wanted) * HOP + WINDOW, np.float32)
    for frame, spectrum in enumerate(wanted):
        states = move(states, corpus, settings.continue_share, draws)
        _, losses = fit_gains(corpus.magnitudes[states], spectrum, settings.iterations)
        weights = weights * torch.softmax(-settings.temperature * losses, dim=0)
        weights = weights / weights.sum().clamp_min(1e-30)
        recent = played[-settings.excluded_frames :]
        chosen = choose(states, weights, recent, settings.windows)
        played.append(chosen)
        gains, _ = fit_gains(corpus.magnitudes[chosen][None], spectrum, settings.iterations)
        result[frame * HOP : frame * HOP + WINDOW] += gains[0].numpy() @ corpus.audio[chosen]
        if 1 / weights.square().sum() < settings.resample_below * settings.particles:
            states = states[resample_evenly(weights, draws)]
            weights = torch.full_like(weights, 1 / settings.particles)
    return result[HOP : HOP + len(target)]


def windowed(sound: np.ndarray) -> np.ndarray:
    """Return Hann windows of a sound (n,) that overlap by half: (windows, WINDOW).

    Half a window of silence comes before it, so that its beginning is as loud as the rest.
    """
    padded = np.pad(sound, (HOP, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return (frames * np.hanning(WINDOW + 1)[:-1]).astype(np.float32)


def magnitudes(frames: np.ndarray, bins: int) -> Tensor:
    """Return the lowest `bins` magnitudes of windows (windows, WINDOW)."""
    return torch.from_numpy(np.abs(np.fft.rfft(frames, axis=1)[:, :bins]).astype(np.float32))


def move(states: Tensor, corpus: Corpus, continue_share: float, draws: torch.Generator) -> Tensor:
    """Let each window of each particle go on to the next, or jump anywhere (equation 7)."""
    jumped = torch.randint(len(corpus.audio), states.shape, generator=draws)
    goes_on = torch.rand(states.shape, generator=draws) < continue_share
    goes_on &= ~corpus.is_last[states]
    return torch.where(goes_on, states + 1, jumped)


def fit_gains(windows: Tensor, spectrum: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Fit gains by multiplicative updates for the KL divergence (Lee and Seung 2001).

    Parameters
    ----------
    windows : Tensor, shape (particles, windows, bins)
    spectrum : Tensor, shape (bins,)

    Returns
    -------
    gains : Tensor, shape (particles, windows)
    losses : Tensor, shape (particles,); KL, mean over bins
    """
    sums = windows.sum(dim=2) + FLOOR
    gains = spectrum.sum() / sums / windows.shape[1]
    for _ in range(iterations):
        ratio = spectrum / (torch.bmm(gains[:, None], windows) + FLOOR)
        gains = gains * torch.bmm(windows, ratio.transpose(1, 2))[:, :, 0] / sums
    sound = torch.bmm(gains[:, None], windows)[:, 0] + FLOOR
    log_ratio = torch.log((spectrum + FLOOR) / sound)
    return gains, (spectrum * log_ratio - spectrum + sound).mean(dim=1)


def choose(states: Tensor, weights: Tensor, recent: list[Tensor], count: int) -> Tensor:
    """Return the windows with most weight in all particles together, (at most count,)."""
    windows, places = torch.unique(states, return_inverse=True)
    mass = torch.zeros(len(windows)).index_add_(
        0, places.flatten(), weights[:, None].expand_as(states).flatten()
    )
    if recent:
        mass[torch.isin(windows, torch.cat(recent))] = -1.0
    order = torch.argsort(mass, descending=True, stable=True)[:count]
    return windows[order]


def resample_evenly(weights: Tensor, draws: torch.Generator) -> Tensor:
    """Draw as many particles as there are by stochastic universal sampling (Baker 1987)."""
    n = len(weights)
    places = (torch.arange(n) + torch.rand(1, generator=draws)) / n
    drawn = torch.searchsorted(torch.cumsum(weights, dim=0), places)
    return drawn.clamp_max(n - 1)
