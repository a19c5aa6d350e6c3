"""The inverse of the mel front end's STFT, and an approximate one of its mel bands.

Why not `torch.istft`? The front end, like the published ones, reflects (n_fft - hop_length) / 2
samples at each end, so that n frames are n hops. `torch.istft` undoes only a padding of n_fft / 2;
without padding it refuses a Hann window, which is 0 at the ends of the signal.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from files.errors import ParameterError


class InverseSTFT(nn.Module):
    """Overlap-add of windowed frames, divided by the sum of the squared windows.

    Raises
    ------
    ParameterError
        If frames do not overlap; they must, since the window is 0 at its ends.
    """

    window: Tensor
    summed_squares: Tensor

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        if hop_length >= n_fft:
            raise ParameterError(
                f"hop_length={hop_length} must be less than n_fft={n_fft}, for frames to overlap"
            )
        self.n_fft = n_fft
        self.hop_length = hop_length
        window = torch.hann_window(n_fft)
        self.register_buffer("window", window, persistent=False)
        # The squared window, hop by hop, summed up: entry i is the sum of the first i hops.
        padded = F.pad(window.square(), (0, -n_fft % hop_length))
        hops = padded.view(-1, hop_length)
        summed = F.pad(hops, (0, 0, 1, 0)).cumsum(0)
        self.register_buffer("summed_squares", summed, persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Complex (batch, n_fft // 2 + 1, frames) -> (batch, frames * hop_length)."""
        n_frames = spectrum.shape[-1]
        hop = self.hop_length
        frames = (
            torch.fft.irfft(spectrum.transpose(1, 2), self.n_fft) * self.window
        )  # (B, T, n_fft)
        padded = F.pad(frames, (0, -self.n_fft % hop))
        hops = padded.unflatten(-1, (-1, hop))
        n_hops = hops.shape[2]  # of a frame
        audio = hops.new_zeros(len(hops), n_frames + n_hops - 1, hop)
        for i in range(n_hops):
            audio[:, i : i + n_frames] += hops[:, :, i]
        weight = self._window_sums(n_frames, n_hops)
        pad = (self.n_fft - hop) // 2
        cut = slice(pad, pad + n_frames * hop)
        return audio.flatten(1)[:, cut] / weight.flatten()[cut]

    def _window_sums(self, n_frames: int, n_hops: int) -> Tensor:
        """Sum the squared windows of the frames that overlap in each hop: (hops, hop_length)."""
        hop_number = torch.arange(n_frames + n_hops - 1, device=self.window.device)
        first = (hop_number - n_frames + 1).clamp_min(0)
        last = hop_number.clamp_max(n_hops - 1)
        return self.summed_squares[last + 1] - self.summed_squares[first]


def spread_of_bands(filters: Tensor) -> Tensor:
    """Mel filters (n_mels, n_bins) -> (n_bins, n_mels): each band's share of each bin.

    The shares of a bin add up to 1; outside all bands they are 0.
    """
    return (filters / filters.sum(0).clamp_min(torch.finfo().tiny)).T.contiguous()
