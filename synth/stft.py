"""The inverse of the mel front end's STFT, and of its bands as far as there is one."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from db.errors import ParameterError
from synth.mel import LogMel, MelSettings


class InverseSTFT(nn.Module):
    """Overlap-add of windowed frames, divided by the sum of the squared windows.

    Raises
    ------
    ParameterError
        If frames do not overlap: the window is 0 at its ends.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        if hop_length >= n_fft:
            raise ParameterError(f"hop_length={hop_length} must be less than n_fft={n_fft}, for frames to overlap")
        self.n_fft, self.hop_length = n_fft, hop_length
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Complex (batch, n_fft // 2 + 1, frames) -> (batch, frames * hop_length)."""
        frames = torch.fft.irfft(spectrum, self.n_fft, dim=1) * self.window[:, None]
        weights = self.window.square()[None, :, None].expand(1, -1, frames.shape[-1])
        pad, n_samples = (self.n_fft - self.hop_length) // 2, frames.shape[-1] * self.hop_length
        audio, weight = (self._overlap_add(part)[:, pad : pad + n_samples] for part in (frames, weights))
        return audio / weight

    def _overlap_add(self, frames: Tensor) -> Tensor:
        length = (frames.shape[-1] - 1) * self.hop_length + self.n_fft
        return F.fold(frames, (1, length), (1, self.n_fft), stride=(1, self.hop_length))[:, 0, 0]


def spread_of_bands(mel: MelSettings) -> Tensor:
    """(n_bins, n_mels): the share of each band in each bin; shares of a bin add up to 1, or 0 outside all bands."""
    filters = LogMel(mel).filters  # (n_mels, n_bins)
    return (filters / filters.sum(0).clamp_min(torch.finfo().tiny)).T.contiguous()
