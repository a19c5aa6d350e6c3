"""Exports of RAVE (`.ts`), version 1 and 2, streaming or not, variational or discrete, as codecs.

Caillon and Esling, "RAVE: A variational autoencoder for fast and high-quality neural audio
synthesis", arXiv 2111.05011. torch loads them; nothing of RAVE itself is needed.
"""

from pathlib import Path

import numpy as np
import torch

from files.errors import ParameterError
from synth.codec import Codec
from synth.codecs import rave_codebooks
from synth.codecs.rave_model import RaveModel
from synth.licences import stated_licence

LARGEST_BOOK = 1024  # of RAVE's discrete configurations, where the export does not show it


class Rave(Codec):
    """An export of RAVE.

    Of a variational one, the latents are its own: sampled, rotated by a PCA and cut to those that
    carry most. What is sampled, and what stands in for the cut ones, is by chance, and here always
    by the same chance.

    Of a discrete one, the codes are its own, and the latents the sums of its codebooks' entries.
    Where these cannot be found in it, it has no latents.
    """

    def __init__(self, path: str | Path, *, device: torch.device | str = "cpu") -> None:
        """Load an export.

        Raises
        ------
        CheckpointError
            If it cannot be read or fails, is a prior or no RAVE, or its rate is unknown.
        """
        self.model = RaveModel(path, device=device)
        layout = self.model.layout
        self.name = f"rave {self.model.script.path.name}"
        self.licence = stated_licence(self.model.script.path.resolve().parent)
        self.hash = self.model.script.hash
        self.sample_rate = layout.sample_rate
        self.channels = layout.channels_out
        self.hop_length = layout.hop_length
        self.n_latents = layout.n_latents
        self._codebooks: torch.Tensor | None = None
        tried = self.model.tried
        if tried.any() and (tried >= 0).all() and (tried == tried.round()).all():  # indices
            self._find_codebooks()

    def _find_codebooks(self) -> None:
        self.n_codebooks = self.model.layout.n_latents
        self._codebooks = rave_codebooks.find_codebooks(self.model.script, self.n_codebooks)
        if self._codebooks is None:
            self.codebook_size = max(LARGEST_BOOK, int(self.model.tried.max()) + 1)
            self.n_latents = 0
        else:
            _, self.codebook_size, self.n_latents = self._codebooks.shape

    @property
    def details(self) -> dict[str, str | int | float]:
        """What else is worth showing: its version and kind, how many latents it uses."""
        layout = self.model.layout
        is_streaming = self.model.is_streaming
        kind = "discrete" if self.n_codebooks else "continuous"
        details: dict[str, str | int | float] = {
            "version": layout.version,
            "kind": f"{kind}, streaming" if is_streaming else kind,
            "prior": "yes" if layout.has_prior else "no",
        }
        if layout.n_full_latents and not self.n_codebooks:
            details["latents_used"] = f"{layout.n_latents} of {layout.n_full_latents}"
            fidelity = self.model.script.buffer("fidelity")
            if fidelity is not None and fidelity.numel() >= layout.n_latents:
                details["fidelity"] = round(float(fidelity.flatten()[layout.n_latents - 1]), 4)
        if is_streaming:
            frames, samples = self.model.delay
            delay = (frames * self.hop_length + samples) / self.sample_rate
            details["delay_seconds"] = round(delay, 4)
        return details

    def encode(self, audio: np.ndarray, n_codebooks: int | None = None) -> np.ndarray:
        wanted = self._checked_count(n_codebooks)
        return self.own_latents(self._checked(audio))[:, :wanted].astype(np.int64)

    def decode(self, frames: np.ndarray, *, n_samples: int) -> np.ndarray:
        if not np.issubdtype(frames.dtype, np.integer):
            if self.n_codebooks:
                self._check_entries()
            return super().decode(frames, n_samples=n_samples)
        codes = self._all_books(self._checked_codes(frames))
        self._check_length(codes, n_samples)
        return self.model.decode(codes.astype(np.float32), n_samples)

    def own_latents(self, audio: np.ndarray) -> np.ndarray:
        """Return what the export itself gives, (frames, latents or codes as floats).

        `audio` is (channels, n_samples), and mixed to mono if the export takes mono.
        """
        n_taken = self.model.layout.channels_in
        if n_taken != len(audio):
            audio = np.broadcast_to(audio.mean(0, keepdims=True), (n_taken, audio.shape[1]))
        return self.model.encode(audio)

    def _latents(self, audio: np.ndarray) -> np.ndarray:
        if not self.n_codebooks:
            return self.own_latents(audio)
        self._check_entries()
        return self._restore(self.own_latents(audio).astype(np.int64))

    def _decode(self, latents: np.ndarray, n_samples: int) -> np.ndarray:
        own = self._quantise(latents, self.n_codebooks) if self.n_codebooks else latents
        return self.model.decode(own.astype(np.float32), n_samples)

    def _quantise(self, latents: np.ndarray, n_codebooks: int) -> np.ndarray:
        books = self._check_entries()[:n_codebooks]
        return rave_codebooks.quantise(torch.from_numpy(latents), books).numpy()

    def _restore(self, codes: np.ndarray) -> np.ndarray:
        books = self._check_entries()
        return rave_codebooks.restore(torch.from_numpy(codes.astype(np.int64)), books).numpy()

    def _all_books(self, codes: np.ndarray) -> np.ndarray:
        """Give codes of the first codebooks the others, which then add as little as they can."""
        if codes.shape[1] == self.n_codebooks:
            return codes
        books = self._check_entries()
        known = torch.from_numpy(codes.astype(np.int64))
        latents = rave_codebooks.restore(known, books)
        return rave_codebooks.quantise(latents, books, known).numpy()

    def _check_entries(self) -> torch.Tensor:
        if self._codebooks is None:
            raise ParameterError(
                f"{self.name} has codes but no latents, as its codebooks cannot be found in it; use"
                " it where codes are enough, or a variational export"
            )
        return self._codebooks
