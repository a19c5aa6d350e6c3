"""EnCodec of 48 kHz: stereo, in chunks of a second, each brought to the same level.

    column   0             1 … 128
    frame    log2 level    latents of the chunk divided by its level

The model normalises over time, so that a chunk must be passed as a whole. Published code lets
chunks overlap by 1 %, which gives 150 frames for 148.5 hops; here they follow each other, so that
frame i always begins at sample i * hop. Each chunk is decoded with the two frames that follow it,
and crossfaded with the next, so that no join is heard.
"""

from typing import Any

import torch
from torch import Tensor

from files.errors import CheckpointError
from synth.codec import Codec, Level
from synth.codecs.encodec import EncodecCodec
from synth.codecs.published import Provenance

SILENCE = 1e-8  # is added to levels, as in the model
FADE = 2  # frames
LOWEST = -27.0  # log2 of a level, below SILENCE
OCTAVES = 32  # of levels that codes span


class EncodecChunksCodec(EncodecCodec):
    """The level of a chunk is the first column of latents, and the first codebook.

    Codes of a level are its log2 from -27 to 5 in equal steps (of 0.19 dB with 1024 codes). Codes
    and latents are those of the model itself with `config.overlap = 0`; so is the audio of a
    single chunk.
    """

    def __init__(self, model: Any, provenance: Provenance) -> None:
        super().__init__(model, provenance)
        self.chunk = model.config.chunk_length // self.hop_length  # frames
        self.n_latents += 1
        self.n_codebooks += 1

    def _check(self, config: Any, name: str) -> None:
        length = config.chunk_length
        if not config.normalize or length < config.hop_length or length % config.hop_length:
            raise CheckpointError(
                f"{name}: chunks of {length} samples must have levels and be whole frames of"
                f" {config.hop_length} samples, as in the published EnCodec of 48 kHz"
            )

    def levels(self) -> list[Level]:
        return Codec.levels(self)  # the first codebook is a scale, the others leave it out

    def _encode_tensor(self, audio: Tensor) -> Tensor:
        chunks = audio.split(self.chunk * self.hop_length, dim=-1)
        return torch.cat([self._encode_chunk(chunk) for chunk in chunks], dim=-1)

    def _encode_chunk(self, audio: Tensor) -> Tensor:
        level = audio.mean(dim=1, keepdim=True).square().mean(dim=-1, keepdim=True).sqrt() + SILENCE
        latents = self.model.encoder(audio / level)
        return torch.cat([level.log2().expand(1, 1, latents.shape[-1]), latents], dim=1)

    def _decode_tensor(self, latents: Tensor) -> Tensor:
        n_frames = latents.shape[-1]
        audio = latents.new_zeros(1, self.channels, n_frames * self.hop_length)
        faded = 0  # samples at the start of the chunk in which the last one fades out
        for start in range(0, n_frames, self.chunk):
            sound = self._decode_chunk(latents[..., start : start + self.chunk + FADE])
            fade = torch.linspace(0, 1, faded + 2, device=sound.device)[1:-1]
            sound[..., :faded] *= fade
            place = audio[..., start * self.hop_length :][..., : sound.shape[-1]]
            place[..., :faded] *= 1 - fade
            place += sound
            faded = max(sound.shape[-1] - self.chunk * self.hop_length, 0)
        return audio

    def _decode_chunk(self, latents: Tensor) -> Tensor:
        level = latents[:, :1].exp2().repeat_interleave(self.hop_length, dim=-1)
        return self.model.decoder(latents[:, 1:]) * level

    def _quantise_tensor(self, latents: Tensor) -> Tensor:
        step = OCTAVES / self.codebook_size
        levels = ((latents[0, :1] - LOWEST) / step).round().clamp(0, self.codebook_size - 1)
        return torch.cat([levels.long(), super()._quantise_tensor(latents[:, 1:])])

    def _restore_tensor(self, codes: Tensor) -> Tensor:
        levels = codes[None, :1] * (OCTAVES / self.codebook_size) + LOWEST
        if len(codes) == 1:
            rest = levels.new_zeros(1, self.n_latents - 1, codes.shape[-1])
        else:
            rest = super()._restore_tensor(codes[1:])
        return torch.cat([levels, rest], dim=1)
