"""Sizes of a mel codec and of its training, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MelCodecSizes:
    """Sizes that decide how much a codec costs, how finely it codes, and how it is trained.

    Ranges are checked by `synth.codecs.mel_codec_network.MelCodecConfig` and
    `synth.train_codec.CodecOptions`.
    """

    stride: int = 2  # mel frames in a frame of latents: 23 ms at 22.05 kHz / 256
    width: int = 256  # channels of encoder and decoder
    encoder_layers: int = 3
    decoder_layers: int = 5  # nothing after it repairs what it makes
    n_latents: int = 64  # numbers in a frame
    n_codebooks: int = 16
    codebook_size: int = 1024
    segment_frames: int = 256  # mel frames of a training excerpt: 3 s
    batch_size: int = 12


SIZES = {"small": MelCodecSizes()}  # small enough for a processor
