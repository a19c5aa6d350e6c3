"""Mel refinement: bring a waveform closer to the log-mel spectrogram it should have.

One step analyses the waveform, multiplies every bin by the ratio of the wanted to the found mel of
its bands, and overlap-adds the result. It is Griffin and Lim's projection (IEEE TASSP 32, 1984)
with the mel in place of the magnitudes, so that the fine structure within a band is kept; the
momentum is that of fast Griffin-Lim (Perraudin et al., WASPAA 2013). As in Deep Griffin-Lim
(Masuyama et al., arXiv 1903.03971), a network may be trained through a few such steps; it gains
from more of them than it was trained through.
"""

from torch import Tensor, nn

from synth.istft import InverseSTFT, spread_of_bands
from synth.mel import LogMel, MelSettings

MOMENTUM = 0.8  # of 0.6 to 0.99, the nearest to the wanted mel after 10 to 20 steps
TRAINING_STEPS = 4  # at most; more would only take time
MAX_GAIN = 10.0  # of one step; where the found mel is nearly 0, the ratio is meaningless
GUARD = 1e-6  # magnitude


class MelRefinement(nn.Module):
    """Audio (batch, n_samples), log-mel (batch, n_mels, frames) -> audio, after `n_steps` steps.

    In training mode there are at most `TRAINING_STEPS`.
    """

    shares: Tensor

    def __init__(self, mel: MelSettings, n_steps: int) -> None:
        super().__init__()
        self.n_steps = n_steps
        self.front_end = LogMel(mel)
        self.inverse_stft = InverseSTFT(mel.n_fft, mel.hop_length)
        self.register_buffer("shares", spread_of_bands(self.front_end.filters), persistent=False)

    @property
    def context_frames(self) -> int:
        """Frames on each side that a sample depends on."""
        settings = self.front_end.settings
        return self.n_steps * 2 * -(-settings.n_fft // (2 * settings.hop_length))

    def forward(self, audio: Tensor, mel: Tensor) -> Tensor:
        if audio.shape[-1] <= self.front_end.padding:  # a frame or two, too short to analyse
            return audio
        target = self.front_end.expand(mel)
        n_steps = min(self.n_steps, TRAINING_STEPS) if self.training else self.n_steps
        ahead = audio
        for number in range(n_steps):
            previous = audio
            audio = self._step(ahead, target)
            ahead = audio + MOMENTUM * (audio - previous) if number else audio
        return audio

    def _step(self, audio: Tensor, target: Tensor) -> Tensor:
        spectrum = self.front_end.spectrum(self.front_end.pad(audio))
        found = self.front_end.filters @ self.front_end.magnitudes(spectrum)
        gain = ((target + GUARD) / (found + GUARD)).clamp(1 / MAX_GAIN, MAX_GAIN)
        return self.inverse_stft(spectrum * (self.shares @ gain))
