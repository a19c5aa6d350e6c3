"""What published codecs have in common: a model of transformers behind `Codec`.

Subclasses work on tensors of a batch of one, time last, as the models do.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from audio.read import MAX_RATE
from files.errors import CheckpointError
from synth.codec import Codec
from synth.codecs.windows import run_in_windows

WINDOW_SECONDS = 10.0  # of audio at once; DAC of 44.1 kHz takes about a gigabyte for it
CONTEXT = 16  # hops; the convolutions of the published models hear less than 12 to either side


@dataclass(frozen=True)
class Provenance:
    """What a codec says of itself that is not in its network; see `Codec`."""

    name: str
    licence: str
    hash: str


class PublishedCodec(Codec):
    """A model of transformers, in inference mode on its device.

    Audio is padded with zeros to whole frames. Up to WINDOW_SECONDS, codes, latents and audio are
    those of the model itself; longer audio goes through its convolutions in windows with CONTEXT,
    which rounds sums otherwise: latents and audio differ by less than 0.00001 of their largest
    value, and a code only where two entries are as near as that.
    """

    def __init__(self, model: Any, provenance: Provenance) -> None:
        self.model = model.eval().requires_grad_(False)
        self.name = provenance.name
        self.licence = provenance.licence
        self.hash = provenance.hash
        self.sample_rate = int(model.config.sampling_rate)
        if not 1 <= self.sample_rate <= MAX_RATE:
            raise CheckpointError(
                f"{self.name}: sampling_rate={self.sample_rate} must be from 1 to {MAX_RATE} Hz;"
                " download it again"
            )

    @abstractmethod
    def _encode_tensor(self, audio: Tensor) -> Tensor:
        """Encode (1, channels, whole frames) as latents (1, n_latents, frames)."""

    @abstractmethod
    def _decode_tensor(self, latents: Tensor) -> Tensor:
        """Decode latents (1, n_latents, frames) to audio (1, channels, about frames * hop)."""

    @abstractmethod
    def _quantise_tensor(self, latents: Tensor) -> Tensor:
        """Quantise latents (1, n_latents, frames) to codes (n_codebooks, frames)."""

    @abstractmethod
    def _restore_tensor(self, codes: Tensor) -> Tensor:
        """Turn codes (any number of first codebooks, frames) into latents."""

    @torch.inference_mode()
    def _latents(self, audio: np.ndarray) -> np.ndarray:
        n_samples = audio.shape[1]
        rest = self.n_frames(n_samples) * self.hop_length - n_samples
        whole = F.pad(torch.tensor(audio), (0, rest))
        return _frames(self._encode_tensor(whole[None].to(self.model.device))[0])

    @torch.inference_mode()
    def _decode(self, latents: np.ndarray, n_samples: int) -> np.ndarray:
        audio = self._decode_tensor(self._tensor(latents)[None])[0].cpu()
        missing = max(n_samples - audio.shape[-1], 0)  # some DACs end 8 samples early
        return F.pad(audio, (0, missing))[:, :n_samples].contiguous().numpy()

    @torch.inference_mode()
    def _quantise(self, latents: np.ndarray, n_codebooks: int) -> np.ndarray:
        return _frames(self._quantise_tensor(self._tensor(latents)[None])[:n_codebooks])

    @torch.inference_mode()
    def _restore(self, codes: np.ndarray) -> np.ndarray:
        return _frames(self._restore_tensor(self._tensor(codes))[0])

    def _tensor(self, frames: np.ndarray) -> Tensor:
        """Return frames as a tensor, time last: (frames, n) -> (n, frames)."""
        return torch.from_numpy(np.ascontiguousarray(frames.T)).to(self.model.device)

    def _convolve_down(self, network: Any, audio: Tensor, hop: int) -> Tensor:
        """Run convolutions (1, channels, samples) -> (1, n, samples / hop) in windows."""
        return run_in_windows(
            network,
            audio,
            window=self._window(hop) * hop,
            before=CONTEXT * hop,
            after=CONTEXT * hop,
            to_output=lambda n_samples: n_samples // hop,
        )

    def _convolve_up(self, network: Any, steps: Tensor, hop: int) -> Tensor:
        """Run convolutions (1, n, steps) -> (1, channels, steps * hop) in windows."""
        return run_in_windows(
            network,
            steps,
            window=self._window(hop),
            before=CONTEXT,
            after=CONTEXT,
            to_output=lambda n_steps: n_steps * hop,
        )

    def _window(self, hop: int) -> int:
        return round(WINDOW_SECONDS * self.sample_rate / hop)


def run_layers(layers: Any, signal: Tensor) -> Tensor:
    """Pass a signal through layers, one after the other."""
    for layer in layers:
        signal = layer(signal)
    return signal


def layers_of(layers: Any) -> Any:
    """Return the function that passes a signal through layers."""
    return partial(run_layers, layers)


def _frames(tensor: Tensor) -> np.ndarray:
    """Return a tensor (n, frames) as frames (frames, n)."""
    return tensor.T.contiguous().cpu().numpy()
