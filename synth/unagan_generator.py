"""A generator of UNAGAN's: the network with its noise and its way to any length."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from files.ranges import check_integer, check_names
from synth.generator import Generator, GeneratorDocument, check_request
from synth.latent import LatentNoise
from synth.mel import MelSettings
from synth.unagan import UnaganConfig, build_unagan

MOST_LATENT_ORDER = 16
CHUNK_FRAMES = 1024  # of one pass, 12 s at 22.05 kHz / 256: about as long as training clips
OVERLAP_FRAMES = 192  # of neighbouring chunks, for their GRUs to warm up before the crossfade
FADE_FRAMES = 64  # of the crossfade, in the middle of the overlap
BATCH_CHUNKS = 16  # twice as fast as one by one; half a gigabyte at width 512


class UnaganDocument(GeneratorDocument, forbid_unknown_fields=True, kw_only=True):
    """The config of a checkpoint."""

    unagan: dict[str, Any]
    latent_order: int


class UnaganGenerator(Generator):
    """Maps random seeds to log-mel spectrograms, by way of a sequence of noise vectors."""

    document = UnaganDocument

    def __init__(
        self,
        config: UnaganConfig,
        mel: MelSettings,
        *,
        latent_order: int = 0,
        training: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(mel, training)
        check_integer("latent_order", latent_order, 0, MOST_LATENT_ORDER)
        self.architecture = "unagan" if config.upsamplings else "unagan-nonhierarchical"
        self.config = config
        self.network = build_unagan(mel.n_mels, config)
        self.latent = LatentNoise(config.z_channels, latent_order)

    def own_config(self) -> dict[str, Any]:
        return {"unagan": asdict(self.config), "latent_order": self.latent.order}

    @classmethod
    def from_document(cls, document: UnaganDocument) -> Self:
        check_names(document.unagan, asdict(UnaganConfig()))
        return cls(
            UnaganConfig(**document.unagan),
            MelSettings.from_dict(document.mel),
            latent_order=document.latent_order,
            training=document.training,
        )

    @torch.no_grad()
    def sample(self, frames: int, *, random_seeds: Sequence[int]) -> Tensor:
        """Generate one clip per seed.

        Clips of up to CHUNK_FRAMES take one pass. Longer ones are made of chunks of equal length,
        which overlap and share the noise where they do::

            ________________
                         \\ fade
                   warm-up \\________________
        """
        check_request(frames, random_seeds)
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
