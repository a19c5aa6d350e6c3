"""EnCodec of 24 and 32 kHz: convolutions and an LSTM, mono, one stream of frames.

Défossez et al., "High Fidelity Neural Audio Compression", arXiv:2210.13438. The model of 32 kHz is
that of MusicGen (Copet et al., arXiv:2306.05284).
"""

from typing import Any

from torch import Tensor

from files.errors import CheckpointError
from synth.codec import Level
from synth.codecs.published import Provenance, PublishedCodec, layers_of, run_layers

ENCODER_END = -3  # where the layers at the rate of frames begin: LSTM, ELU, convolution
DECODER_START = 2  # where they end: convolution, LSTM


class EncodecCodec(PublishedCodec):
    """Latents are what the encoder gives, before quantisation; the decoder takes them as they are.

    It was trained to keep them near the sums of their codebooks' entries, so that they decode a
    little better than all codebooks do. The LSTMs always run over the whole signal.
    """

    def __init__(self, model: Any, provenance: Provenance) -> None:
        super().__init__(model, provenance)
        config = model.config
        self._check(config, provenance.name)
        self.channels = config.audio_channels
        self.hop_length = config.hop_length
        self.n_latents = config.hidden_size
        self.n_codebooks = config.num_quantizers
        self.codebook_size = config.codebook_size

    def _check(self, config: Any, name: str) -> None:
        if config.normalize:
            raise CheckpointError(
                f"{name}: levels without chunks of a stated length; no published EnCodec has them"
            )

    def levels(self) -> list[Level]:
        layers = self.model.quantizer.layers[: self.n_codebooks]
        return [Level(layer.codebook.embed.detach().cpu().numpy()) for layer in layers]

    def _encode_tensor(self, audio: Tensor) -> Tensor:
        layers = self.model.encoder.layers
        heard = self._convolve_down(layers_of(layers[:ENCODER_END]), audio, self.hop_length)
        return run_layers(layers[ENCODER_END:], heard)

    def _decode_tensor(self, latents: Tensor) -> Tensor:
        layers = self.model.decoder.layers
        frames = run_layers(layers[:DECODER_START], latents)
        return self._convolve_up(layers_of(layers[DECODER_START:]), frames, self.hop_length)

    def _quantise_tensor(self, latents: Tensor) -> Tensor:
        return self.model.quantizer.encode(latents)[:, 0]

    def _restore_tensor(self, codes: Tensor) -> Tensor:
        return self.model.quantizer.decode(codes[:, None])
