"""A vocoder: network, mel settings, checkpoint. Log-mel spectrograms to audio, of any length."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from files.ranges import check_names
from synth.architectures import ARCHITECTURES, check_architecture
from synth.inference import for_inference
from synth.mel import MelSettings
from synth.weight_norm import plain_state
from training.checkpoint import load_weights, rebuild, save_checkpoint
from training.checkpoint_config import read_config_as
from training.precision import autocast, check_precision
from training.stored_weights import encode_weights
from training.threads import torch_threads

KIND = "vocoder"
CHUNK_FRAMES = 1024  # of output at a time, so that activations fit the cache


class VocoderDocument(msgspec.Struct, forbid_unknown_fields=True):
    """The config of a checkpoint."""

    kind: str
    version: int
    architecture: str
    sizes: dict[str, Any]
    mel: dict[str, Any]
    training: dict[str, Any]


class Vocoder(nn.Module):
    """Log-mel (batch, n_mels, frames) to waveform (batch, 1, frames * hop_length)."""

    def __init__(
        self,
        architecture: str,
        mel: MelSettings,
        *,
        config: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
    ) -> None:
        """Build the network; raise ParameterError for an unknown name or sizes that do not fit."""
        super().__init__()
        check_architecture(architecture)
        chosen = ARCHITECTURES[architecture]
        check_names(config or {}, asdict(chosen.sizes))
        self.config = replace(chosen.sizes.fit_hop(mel.hop_length), **(config or {}))
        self.architecture = architecture
        self.mel = mel
        self.training_summary = training or {}
        self.network = chosen.build(mel, self.config)
        self.precision = "float32"
        if self.network.hop_length != mel.hop_length:
            raise ParameterError(
                f"{architecture} gives {self.network.hop_length} samples a frame, the mel's"
                f" hop_length is {mel.hop_length}; choose rates that multiply to it"
            )

    def forward(self, mel: Tensor) -> Tensor:
        return self.network(mel)

    def synthesise(self, log_mel: np.ndarray) -> np.ndarray:
        """Synthesise audio from a log-mel spectrogram of any length.

        It works in chunks, each with as many frames around it as the network sees.

        Parameters
        ----------
        log_mel : ndarray, float32, shape (n_mels, frames)

        Returns
        -------
        ndarray, float32, shape (frames * hop_length,)

        Raises
        ------
        ParameterError
            If the spectrogram has no frames or other bands, or is not finite.
        """
        self._check(log_mel)
        n_frames = log_mel.shape[1]
        hop = self.mel.hop_length
        out = np.empty(n_frames * hop, np.float32)
        starts = range(0, n_frames, CHUNK_FRAMES)
        n_threads = torch.get_num_threads()
        if self.device.type != "cpu" or n_threads == 1 or len(starts) == 1:
            for start in starts:
                self._synthesise_chunk(log_mel, start, out)
            return out
        # Chunks in parallel, each on one thread, are faster than one chunk on all threads.
        with (
            torch_threads(1),
            ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            list(pool.map(lambda start: self._synthesise_chunk(log_mel, start, out), starts))
        return out

    @torch.inference_mode()
    def _synthesise_chunk(self, log_mel: np.ndarray, start: int, out: np.ndarray) -> None:
        """Write the audio of the frames from `start` on into `out`."""
        hop = self.mel.hop_length
        context = self.network.context_frames
        stop = min(start + CHUNK_FRAMES, log_mel.shape[1])
        first = max(start - context, 0)
        last = min(stop + context, log_mel.shape[1])
        part = torch.from_numpy(np.ascontiguousarray(log_mel[:, first:last], np.float32))
        part = part.to(self.device)
        with autocast(self.device, self.precision):
            samples = self.network(part[None])[0, 0].float().cpu().numpy()
        without_context = samples[(start - first) * hop : (stop - first) * hop]
        out[start * hop : stop * hop] = without_context

    def prepare(self, *, precision: str = "float32", device: torch.device | str = "cpu") -> Self:
        """Convert to the form that runs fastest on the device; it can no longer be saved.

        bfloat16 is less exact, and faster on machines that support it.
        """
        check_precision(precision)
        self.precision = precision
        if torch.device(device).type == "cpu":
            self.network = for_inference(self.network)
        return self.to(device)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def _check(self, log_mel: np.ndarray) -> None:
        if log_mel.ndim != 2 or log_mel.shape[0] != self.mel.n_mels or not log_mel.shape[1]:
            raise ParameterError(
                f"a spectrogram of shape {log_mel.shape} cannot be vocoded; it must be"
                f" ({self.mel.n_mels}, frames), frames > 0"
            )
        if not np.isfinite(log_mel).all():
            raise ParameterError(
                "the spectrogram holds NaN or infinite values; make it again from finite audio"
            )

    def save(self, folder: str | Path, *, dtype: torch.dtype = torch.float32) -> None:
        """Write the checkpoint, without weight norm, with the weights stored as `dtype`.

        float16 takes half the space, int8 (of matrices; see `training.stored_weights`) a quarter.
        """
        values = {
            "architecture": self.architecture,
            "sizes": asdict(self.config),
            "mel": self.mel.to_dict(),
            "training": self.training_summary,
        }
        tensors = encode_weights(plain_state(self.network), dtype)
        save_checkpoint(folder, kind=KIND, config=values, tensors=tensors)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Rebuild a vocoder from its checkpoint, ready to use; its weights become float32.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, of another kind or version, or its parts do not fit each
            other.
        """
        document = read_config_as(VocoderDocument, Path(folder), kind=KIND)
        tensors = {f"network.{name}": tensor for name, tensor in load_weights(folder).items()}
        return rebuild(folder, partial(cls._from_document, document), tensors)

    @classmethod
    def _from_document(cls, document: VocoderDocument) -> Self:
        mel = MelSettings.from_dict(document.mel)
        return cls(document.architecture, mel, config=document.sizes, training=document.training)
