"""What the network of a vocoder is."""

from torch import nn


class VocoderNetwork(nn.Module):
    """Base of the vocoders' networks: log-mel (batch, n_mels, frames) -> waveform (batch, 1, frames
    * hop_length).

    Any number of frames from 1 on is taken.
    """

    # whether its convolutions are trained with their weights split; see `synth.weight_norm`
    weight_norm = False

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        raise NotImplementedError

    @property
    def context_frames(self) -> int:
        """How many mel frames on each side can touch the samples of one frame."""
        raise NotImplementedError
