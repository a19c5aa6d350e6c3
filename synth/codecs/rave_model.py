"""Run an export of RAVE on sounds of any length: exact to the sample, aligned, in bounded memory.

not streaming          ├context┤window┤context┤      windows by themselves
streaming       ├window┤├window┤├window┤             one after the other, the delay cut off
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from files.errors import AudioError, CheckpointError
from synth.codecs.rave_layout import read_layout
from synth.codecs.rave_state import State, measure_delay
from synth.codecs.torchscript import Script

WINDOW_SECONDS = 30.0
CONTEXT_SECONDS = 2.0  # about three times what the largest known configuration looks ahead
SHORTEST = 1 << 14  # samples; with so many RAVE tries out every export itself
TRIED_FRAMES = 8
SEED = 0  # of what is sampled, and of the latents that were cut


class RaveModel:
    """An export, loaded and tried out.

    Attributes
    ----------
    script : Script
    layout : RaveLayout
    tried : ndarray, float32, shape (frames, n_latents)
        What it made of noise when it was tried out.
    delay : (int, int)
        Frames and samples by which a streaming export is late.
    """

    def __init__(self, path: str | Path, *, device: torch.device | str = "cpu") -> None:
        """Load an export.

        Raises
        ------
        CheckpointError
            If it cannot be read or fails, is a prior or no RAVE, or its rate is unknown.
        """
        self.script = Script(path, device=device)
        self.layout = read_layout(self.script)
        self.delay = (0, 0)
        noise = 0.1 * np.random.default_rng(SEED).standard_normal(
            (self.layout.channels_in, max(SHORTEST, TRIED_FRAMES * self.layout.hop_length))
        )
        self._state: State | None = None
        self._state = State(self.script, lambda: self._try(noise.astype(np.float32)))
        if self._state.is_streaming:
            self.delay = measure_delay(
                lambda audio: self._in_windows("encode", audio),
                lambda latents: self._in_windows("decode", latents),
                self.layout,
            )

    @property
    def is_streaming(self) -> bool:
        """Whether it goes on where it stopped; it is set back before every sound."""
        return self._state is not None and self._state.is_streaming

    def encode(self, audio: np.ndarray) -> np.ndarray:
        """Encode audio (channels_in, n_samples) as the export's latents (frames, n_latents)."""
        hop = self.layout.hop_length
        late, _ = self.delay
        n_frames = -(-audio.shape[1] // hop)
        n_padded = max((n_frames + late) * hop, -(-SHORTEST // hop) * hop)
        padded = np.pad(audio, ((0, 0), (0, n_padded - audio.shape[1])))
        latents = self._in_windows("encode", torch.from_numpy(padded))
        return self._finite("encode", latents[:, late : late + n_frames].T)

    def decode(self, latents: np.ndarray, n_samples: int) -> np.ndarray:
        """Decode the export's latents (frames, n_latents) to audio (channels_out, n_samples)."""
        _, late = self.delay
        n_frames = -(-(n_samples + late) // self.layout.hop_length)
        padded = np.pad(latents, ((0, n_frames - len(latents)), (0, 0)), mode="edge")
        audio = self._in_windows("decode", torch.from_numpy(np.ascontiguousarray(padded.T)))
        return self._finite("decode", audio[:, late : late + n_samples])

    def _try(self, noise: np.ndarray) -> None:
        self.tried = self.encode(noise)
        self.decode(self.tried, noise.shape[1])

    def _in_windows(self, method: str, signal: Tensor) -> Tensor:
        """Return what a method makes of whole frames, (channels, n)."""
        hop_in = self.layout.hop_length if method == "encode" else 1
        hop_out = self.layout.hop_length if method == "decode" else 1
        parts = []
        if self._state is not None:
            self._state.reset()
        for index, window in enumerate(self._windows(signal.shape[1] // hop_in)):
            begin, first, last, end = window
            part = signal[None, :, begin * hop_in : end * hop_in].to(self.script.device)
            with self.script.seeded(SEED + index):
                made = self.script.call(method, part)
            self._check(method, made, (end - begin) * hop_out)
            parts.append(made[0, :, (first - begin) * hop_out : (last - begin) * hop_out].cpu())
        return torch.cat(parts, 1).float()

    def _windows(self, n_frames: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield where windows with their context begin, and begin, end, end with it, in frames."""
        frame_rate = self.layout.sample_rate / self.layout.hop_length
        length = max(round(WINDOW_SECONDS * frame_rate), 1)
        context = 0 if self.is_streaming else math.ceil(CONTEXT_SECONDS * frame_rate)
        for first in range(0, n_frames, length):
            last = min(first + length, n_frames)
            yield max(first - context, 0), first, last, min(last + context, n_frames)

    def _check(self, method: str, made: object, n_columns: int) -> None:
        layout = self.layout
        n_rows = layout.n_latents if method == "encode" else layout.channels_out
        shape = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
        if shape != (1, n_rows, n_columns):
            raise CheckpointError(
                f"{self.script.path}: its method {method} gives {shape}, where its sizes imply"
                f" {(1, n_rows, n_columns)}; export it again"
            )

    def _finite(self, method: str, values: Tensor) -> np.ndarray:
        if not values.isfinite().all():
            raise AudioError(
                f"{self.script.path}: its method {method} gives NaN or infinite values; leave out"
                " that sound, or export the model again"
            )
        return np.ascontiguousarray(values.numpy())
