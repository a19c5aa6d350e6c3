"""The base class of the vocoders' networks."""

from torch import nn


class VocoderNetwork(nn.Module):
    """Log-mel (batch, n_mels, frames) -> waveform (batch, 1, frames * hop_length), frames >= 1."""

    # whether its convolutions are trained with weight norm, see `synth.weight_norm`
    weight_norm = False

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        raise NotImplementedError

    @property
    def context_frames(self) -> int:
        """Number of mel frames on each side that can affect the samples of one frame."""
        raise NotImplementedError
