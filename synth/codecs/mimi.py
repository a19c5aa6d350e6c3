"""Mimi: convolutions and transformers, mono at 24 kHz, 12.5 frames a second.

Défossez et al., "Moshi: a speech-text foundation model for real-time dialogue", arXiv:2410.00037.
"""

from typing import Any, NamedTuple

from torch import Tensor

from files.errors import CheckpointError
from synth.codecs.published import Provenance, PublishedCodec
from synth.codecs.windows import run_in_windows


class MimiParts(NamedTuple):
    """The networks of a Mimi, from audio to latents and back."""

    encoder: Any
    encoder_transformer: Any
    downsample: Any
    upsample: Any
    decoder_transformer: Any
    decoder: Any


class MimiCodec(PublishedCodec):
    """Latents are what is quantised, at 12.5 Hz; the decoder takes them as they are.

    Half of its training passed them on so, without quantisation. The first codebook is the
    semantic one; the others quantise the same latents again, without regard to it.

    The transformers hear `reach` steps back, the sum of their layers' windows. Longer signals pass
    through them in windows with so much context, and through the convolutions as in the others.
    """

    def __init__(self, model: Any, provenance: Provenance) -> None:
        super().__init__(model, provenance)
        config = model.config
        halves = (model.encoder, model.decoder)
        if None in halves or None in _parts(model) or config.sliding_window < 1:
            raise CheckpointError(
                f"{provenance.name}: it lacks a part of Mimi, or its transformers hear nothing;"
                " give the whole model"
            )
        self.parts = _parts(model)
        self.channels = config.audio_channels
        self.hop_length = round(config.sampling_rate / config.frame_rate)
        self.step = round(config.sampling_rate / config.encodec_frame_rate)  # samples
        self.n_latents = config.hidden_size
        self.n_codebooks = config.num_quantizers
        self.codebook_size = config.codebook_size
        self.reach = config.num_hidden_layers * config.sliding_window

    def _encode_tensor(self, audio: Tensor) -> Tensor:
        heard = self._convolve_down(self.parts.encoder, audio, self.step)
        return self.parts.downsample(self._attend(self.parts.encoder_transformer, heard))

    def _decode_tensor(self, latents: Tensor) -> Tensor:
        heard = self._attend(self.parts.decoder_transformer, self.parts.upsample(latents))
        return self._convolve_up(self.parts.decoder, heard, self.step)

    def _quantise_tensor(self, latents: Tensor) -> Tensor:
        return self.model.quantizer.encode(latents)[:, 0]

    def _restore_tensor(self, codes: Tensor) -> Tensor:
        return self.model.quantizer.decode(codes[None])

    def _attend(self, transformer: Any, signal: Tensor) -> Tensor:
        """Run a transformer (1, n, steps) -> (1, n, steps) in windows."""
        return run_in_windows(
            lambda part: transformer(part.transpose(1, 2)).last_hidden_state.transpose(1, 2),
            signal,
            window=self.reach,
            before=self.reach,
            after=0,
            to_output=lambda n_steps: n_steps,
        )


def _parts(model: Any) -> MimiParts:
    """Find the parts of a model."""
    if not hasattr(model.encoder, "encoder_seanet"):  # before it was made of two halves
        return MimiParts(
            encoder=model.encoder,
            encoder_transformer=model.encoder_transformer,
            downsample=model.downsample,
            upsample=model.upsample,
            decoder_transformer=model.decoder_transformer,
            decoder=model.decoder,
        )
    return MimiParts(
        encoder=model.encoder.encoder_seanet,
        encoder_transformer=model.encoder.encoder_transformer,
        downsample=model.encoder.downsample,
        upsample=model.decoder.upsample,
        decoder_transformer=model.decoder.decoder_transformer,
        decoder=model.decoder.decoder_seanet,
    )
