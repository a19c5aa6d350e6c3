"""A generator: a UNAGAN with its mel settings, normalisation, noise and checkpoint."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import ParameterError
from synth.latent import LatentNoise
from synth.mel import MelSettings
from synth.unagan import UnaganConfig, build_unagan
from training.checkpoint import load_checkpoint, rebuilding, save_checkpoint

KIND = "generator"
CHUNK_FRAMES = 1024  # of one pass, 12 s at 22.05 kHz / 256: about as long as training clips
OVERLAP_FRAMES = 192  # of neighbouring chunks, for their GRUs to warm up before the crossfade
FADE_FRAMES = 64  # of the crossfade, in the middle of the overlap
BATCH_CHUNKS = 16  # twice as fast as one by one; half a gigabyte at width 512


class Generator(nn.Module):
    """Maps random seeds to log-mel spectrograms."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        config: UnaganConfig,
        mel: MelSettings,
        *,
        latent_order: int = 0,
        training: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.mel = mel
        self.training_summary = training or {}
        self.network = build_unagan(mel.n_mels, config)
        self.latent = LatentNoise(config.z_channels, latent_order)
        self.register_buffer("mean", torch.zeros(mel.n_mels))
        self.register_buffer("std", torch.ones(mel.n_mels))

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Set the mean and standard deviation of the training mels, each shape (n_mels,)."""
        if mean.shape != self.mean.shape or std.shape != self.std.shape:
            raise ParameterError(
                f"statistics of shapes {tuple(mean.shape)}, {tuple(std.shape)} must be"
                f" ({self.mel.n_mels},) each"
            )
        are_finite = mean.isfinite().all() and std.isfinite().all()
        if not are_finite or not (std > 0).all():
            raise ParameterError(
                "the mean must be finite and the standard deviation positive in every mel band"
            )
        self.mean.copy_(mean)
        self.std.copy_(std)

    def normalise(self, mel: Tensor) -> Tensor:
        """Log-mel (..., n_mels, frames) -> z-scores."""
        return (mel - self.mean[:, None]) / self.std[:, None]

    def denormalise(self, scores: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return scores * self.std[:, None] + self.mean[:, None]

    @torch.no_grad()
    def sample(self, frames: int, *, random_seeds: Sequence[int]) -> Tensor:
        """Generate one clip per seed.

        Clips of up to CHUNK_FRAMES take one pass. Longer ones are made of chunks of equal length,
        which overlap and share the noise where they do::

            ________________
                         \\ fade
                   warm-up \\________________

        Parameters
        ----------
        frames : int > 0
        random_seeds : sequence of int >= 0
            A clip depends only on its seed and on `frames` (but for rounding, 1e-5).

        Returns
        -------
        Tensor, shape (len(random_seeds), n_mels, frames)
            Log-mel, not below silence, on the CPU.
        """
        _check_request(frames, random_seeds)
        per_step = self.config.frames_per_step
        length, starts = chunk_plan(-(-frames // per_step), per_step)
        n_steps = starts[-1] + length
        mels = torch.zeros(len(random_seeds), self.mel.n_mels, n_steps * per_step)
        for row, chunk, mel in self._sample_chunks(random_seeds, length, starts):
            is_last = chunk == len(starts) - 1
            weights = _weights(length, per_step, first=chunk == 0, last=is_last)
            start = starts[chunk] * per_step
            mels[row, :, start : start + length * per_step] += mel * weights
        return mels[..., :frames].clamp_min(self.mel.silence)

    def _sample_chunks(
        self, random_seeds: Sequence[int], length: int, starts: list[int]
    ) -> Iterator[tuple[int, int, Tensor]]:
        """Yield (number of the clip, number of the chunk, its mel) of all chunks."""
        rngs = [np.random.default_rng(seed) for seed in random_seeds]
        noise = [self.latent.draw(rng, starts[-1] + length) for rng in rngs]
        chunks = [(row, chunk) for chunk in range(len(starts)) for row in range(len(random_seeds))]
        for i in range(0, len(chunks), BATCH_CHUNKS):
            batch = chunks[i : i + BATCH_CHUNKS]
            z = []
            states = []
            for row, chunk in batch:
                start = starts[chunk]
                z.append(noise[row][:, start : start + length])
                states.append(_state_generator(random_seeds[row], chunk))
            scores = self.network(torch.stack(z).to(self.mean), states)
            mels = self.denormalise(scores).cpu()
            for (row, chunk), mel in zip(batch, mels, strict=True):
                yield row, chunk, mel

    def save(self, folder: str | Path, *, dtype: torch.dtype = torch.float32) -> None:
        """Write the checkpoint, the network's weights as `dtype`: float16 takes half the space."""
        values = {
            "unagan": asdict(self.config),
            "mel": self.mel.to_dict(),
            "latent_order": self.latent.order,
            "training": self.training_summary,
        }
        tensors = {
            name: tensor.to(dtype) if name.startswith("network.") else tensor
            for name, tensor in self.state_dict().items()
        }
        save_checkpoint(folder, kind=KIND, config=values, tensors=tensors)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Rebuild a generator from its checkpoint, ready to sample.

        Weights of any precision become float32.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, of another kind or version, or its parts do not fit each
            other.
        """
        values, tensors = load_checkpoint(folder, kind=KIND)
        with rebuilding(folder):
            sizes = {**values["unagan"], "upsamplings": tuple(values["unagan"]["upsamplings"])}
            mel = MelSettings.from_dict(values["mel"])
            order = values["latent_order"]
            training = values["training"]
            generator = cls(UnaganConfig(**sizes), mel, latent_order=order, training=training)
            generator.load_state_dict(tensors)
            generator.set_statistics(generator.mean, generator.std)  # checks them
        return generator.eval()


def chunk_plan(steps: int, frames_per_step: int) -> tuple[int, list[int]]:
    """Return chunks of equal length that cover `steps` steps of noise.

    They end less than one step per chunk after the last step.

    Returns
    -------
    length : int
        Steps of every chunk, at most CHUNK_FRAMES of frames.
    starts : list of int
        First step of each.
    """
    longest = CHUNK_FRAMES // frames_per_step
    if steps <= longest:
        return steps, [0]
    overlap = -(-OVERLAP_FRAMES // frames_per_step)
    n_chunks = -(-(steps - overlap) // (longest - overlap))
    hop = -(-(steps - overlap) // n_chunks)
    return hop + overlap, [i * hop for i in range(n_chunks)]


def _weights(length: int, frames_per_step: int, *, first: bool, last: bool) -> Tensor:
    """Return the weight of each frame of a chunk; with those of its neighbours they sum to 1."""
    overlap = -(-OVERLAP_FRAMES // frames_per_step) * frames_per_step
    from_middle = torch.arange(overlap) + 0.5 - overlap / 2
    rise = (from_middle / FADE_FRAMES + 0.5).clamp(0, 1)
    weights = torch.ones(length * frames_per_step)
    if not first:
        weights[:overlap] = rise
    if not last:
        weights[-overlap:] *= rise.flip(0)
    return weights


def _state_generator(seed: int, chunk: int) -> torch.Generator:
    """Return the random generator of a chunk's initial GRU states."""
    state = np.random.SeedSequence([seed, chunk + 1]).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


def _check_request(frames: int, random_seeds: Sequence[int]) -> None:
    if not isinstance(frames, int) or isinstance(frames, bool) or frames < 1:
        raise ParameterError(f"frames={frames!r} must be a positive integer")
    if not random_seeds or not all(isinstance(seed, int) and seed >= 0 for seed in random_seeds):
        raise ParameterError(
            f"random_seeds={random_seeds!r} must be a list of integers of at least 0, one per clip"
        )
