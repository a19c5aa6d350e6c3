"""Sound from an export of RAVE (`.ts`) alone: its prior makes latents, its decoder makes audio."""

from pathlib import Path

import numpy as np
import torch
import xxhash

from files.errors import AudioError
from synth.codecs.rave import Rave
from synth.codecs.rave_prior import RavePrior
from synth.plugins.plugin import Plugin, SoundRequest

HEARD_SECONDS = 10.0  # of a sound to go on from


class RavePlugin(Plugin):
    """An export of RAVE with its prior, inside it or in a file of its own.

    Priors that listen, those of msprior, go on from a sound.
    """

    def __init__(self, path: Path, *, prior: Path | None, device: torch.device | str) -> None:
        self._rave = Rave(path, device=device)
        self._prior = RavePrior(self._rave.model, prior)
        self.name = self._rave.name
        self.licence = self._rave.licence
        self.hash = self._rave.hash
        if prior is not None:
            self.name = f"{self.name} with prior {prior.name}"
            hashes = self._rave.hash + self._prior.script.hash
            self.hash = xxhash.xxh3_128_hexdigest(hashes.encode())
        self.sample_rate = self._rave.sample_rate
        self.channels = self._rave.channels
        self.takes_audio = self._prior.listens

    def _generate(self, request: SoundRequest) -> np.ndarray:
        hop = self._rave.hop_length
        n_samples = request.n_samples
        if request.audio is None:
            return self._decode(self._prior.generate(-(-n_samples // hop)), n_samples)
        audio = request.audio[:, -(round(HEARD_SECONDS * self.sample_rate) // hop * hop) :]
        audio = np.pad(audio, ((0, 0), (-audio.shape[1] % hop, 0)))  # whole frames
        heard = self._rave.own_latents(audio)
        new = self._prior.generate(-(-(n_samples - request.lead) // hop), heard)
        first = audio.shape[1] - request.lead
        return self._decode(np.concatenate([heard, new]), first + n_samples)[:, first:]

    def _decode(self, latents: np.ndarray, n_samples: int) -> np.ndarray:
        try:
            return self._rave.model.decode(latents, n_samples)
        except AudioError:  # not finite: another seed may do
            return np.full((self.channels, n_samples), np.nan, np.float32)


def open_rave(path: Path, *, prior: Path | None = None, device: str) -> RavePlugin:
    """Open an export with its prior; raise CheckpointError if that cannot be."""
    return RavePlugin(path, prior=prior, device=device)
