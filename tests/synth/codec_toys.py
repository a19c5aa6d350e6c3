"""Folders of published codecs and of MusicGen, as `save_pretrained` writes them, at toy width.

Their weights are random, and so are their codebooks, which are all zeros in a fresh model. Tests
that open them carry `pytest.importorskip("transformers")`.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

NARROW = {"num_filters": 4, "num_lstm_layers": 1, "codebook_size": 64}


def write_encodec_24k(folder: Path, random_seed: int = 0, **sizes: Any) -> Path:
    """Write an EnCodec of 24 kHz: mono, hop 320, 75 Hz, 8 codebooks of 64, 16 latents."""
    from transformers import EncodecConfig, EncodecModel

    narrow = {**NARROW, "hidden_size": 16, "target_bandwidths": [1.8, 3.6]}
    return _write(EncodecModel, EncodecConfig(**{**narrow, **sizes}), folder, random_seed)


def write_encodec_48k(folder: Path, random_seed: int = 0, **sizes: Any) -> Path:
    """Write an EnCodec of 48 kHz: stereo, chunks of 1 s, each with its scale, 150 Hz."""
    stereo = {
        "sampling_rate": 48000,
        "audio_channels": 2,
        "normalize": True,
        "chunk_length_s": 1.0,
        "overlap": 0.01,
        "norm_type": "time_group_norm",
        "use_causal_conv": False,
        "target_bandwidths": [1.8, 3.6],
    }
    return write_encodec_24k(folder, random_seed, **{**stereo, **sizes})


def write_dac(folder: Path, random_seed: int = 0, **sizes: Any) -> Path:
    """Write a DAC of 44.1 kHz: mono, hop 512, 86.1 Hz, 4 codebooks of 64, 64 latents."""
    from transformers import DacConfig, DacModel

    narrow = {
        "encoder_hidden_size": 4,
        "decoder_hidden_size": 32,
        "n_codebooks": 4,
        "codebook_size": 64,
        "sampling_rate": 44100,
    }
    return _write(DacModel, DacConfig(**{**narrow, **sizes}), folder, random_seed)


def write_mimi(folder: Path, random_seed: int = 0, **sizes: Any) -> Path:
    """Write a Mimi: 24 kHz mono, hop 1920, 12.5 Hz, 8 codebooks of 64, 32 latents."""
    from transformers import MimiConfig, MimiModel

    narrow = {
        "hidden_size": 32,
        "num_filters": 4,
        "codebook_size": 64,
        "codebook_dim": 16,
        "vector_quantization_hidden_dimension": 16,
        "num_quantizers": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 8,
        "intermediate_size": 64,
        "upsample_groups": 32,
    }
    return _write(MimiModel, MimiConfig(**{**narrow, **sizes}), folder, random_seed)


def write_musicgen(folder: Path, random_seed: int = 0, channels: int = 1) -> Path:
    """Write a MusicGen of 32 kHz: hop 640, 4 codebooks of 64 a channel, without a tokenizer."""
    from transformers import (
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
    )

    config = MusicgenConfig(
        text_encoder=_text(),
        audio_encoder=_encodec_32k(),
        decoder=_decoder(MusicgenDecoderConfig, channels),
    )
    return _write_musicgen(MusicgenForConditionalGeneration, config, folder, random_seed)


def write_musicgen_melody(folder: Path, random_seed: int = 0) -> Path:
    """Write a MusicGen-Melody: as `write_musicgen`, and it takes 12 chroma."""
    from transformers import (
        MusicgenMelodyConfig,
        MusicgenMelodyDecoderConfig,
        MusicgenMelodyForConditionalGeneration,
    )

    config = MusicgenMelodyConfig(
        text_encoder=_text(),
        audio_encoder=_encodec_32k(),
        decoder=_decoder(MusicgenMelodyDecoderConfig),
        num_chroma=12,
    )
    return _write_musicgen(MusicgenMelodyForConditionalGeneration, config, folder, random_seed)


def _text() -> Any:
    from transformers import T5Config

    return T5Config(vocab_size=300, d_model=16, d_kv=4, d_ff=32, num_layers=1, num_heads=4)


def _encodec_32k() -> Any:
    from transformers import EncodecConfig

    return EncodecConfig(
        **NARROW,
        hidden_size=16,
        sampling_rate=32000,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[1.2],
    )


def _decoder(kind: Any, channels: int = 1) -> Any:
    return kind(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        ffn_dim=64,
        num_attention_heads=4,
        num_codebooks=4 * channels,
        audio_channels=channels,
        pad_token_id=64,
        bos_token_id=64,
    )


def _write_musicgen(kind: Any, config: Any, folder: Path, random_seed: int) -> Path:
    model = _model(kind, config, random_seed)
    model.generation_config.decoder_start_token_id = 64
    model.generation_config.pad_token_id = 64
    model.save_pretrained(folder)
    return folder


def _write(kind: Any, config: Any, folder: Path, random_seed: int) -> Path:
    _model(kind, config, random_seed).save_pretrained(folder)
    return folder


@torch.no_grad()
def _model(kind: Any, config: Any, random_seed: int) -> Any:
    """Make the model, with a codec that hears what it is given and uses all its codebooks."""
    with torch.random.fork_rng():
        torch.manual_seed(random_seed)
        model = kind(config).eval()
        codec = getattr(model, "audio_encoder", model)
        for name, weight in codec.named_parameters():
            if name.endswith("original0"):  # the size of normed weights
                weight.mul_(2)
            elif name.endswith("bias"):
                weight.zero_()
            elif weight.dim() == 3:
                weight.normal_(std=0.6 * weight[0].numel() ** -0.5)
        frames = codec.encoder(_noises(codec.config))
        frames = getattr(frames, "latents", frames)
        _fill_codebooks(codec.quantizer, frames[0])
        _soften(codec.decoder, frames)
    return model


def _noises(config: Any) -> Tensor:
    """Return 4 s of noises of all levels, shape (1, channels, n_samples)."""
    noise = torch.randn(1, getattr(config, "audio_channels", 1), 4 * config.sampling_rate)
    level = torch.rand(1, 1, 200).repeat_interleave(config.sampling_rate // 50, dim=2)
    return level**3 * noise


def _fill_codebooks(quantizer: Any, frames: Tensor) -> None:
    """Fill codebooks with what they are given of `frames` (channels, n_frames), and noise."""
    for part in ("semantic_residual_vector_quantizer", "acoustic_residual_vector_quantizer"):
        if hasattr(quantizer, part):  # Mimi's
            own = getattr(quantizer, part)
            _fill_codebooks(own, own.input_proj(frames))
    for layer in getattr(quantizer, "quantizers", ()):  # DAC's
        projected = layer.in_proj(frames)
        layer.codebook.weight.copy_(_some(projected.T, len(layer.codebook.weight)))
        frames = frames - layer.out_proj(layer.decode_latents(projected[None])[0][0])
    for layer in getattr(quantizer, "layers", ()):
        codebook = layer.codebook
        table = codebook.embed_sum if hasattr(codebook, "embed_sum") else codebook.embed
        table.copy_(_some(frames.T, len(table)))
        frames = frames - layer.decode(layer.encode(frames[None]))[0]


def _soften(decoder: Any, frames: Tensor) -> None:
    """Scale the last layer, so that what is decoded of such frames is about as loud as music."""
    weights = [weight for name, weight in decoder.named_parameters() if "original1" not in name]
    last = weights[-1] if weights[-1].dim() == 3 else weights[-2]
    for _ in range(3):  # DAC's ends in a tanh
        sound = decoder(frames)
        last *= 0.1 / getattr(sound, "audio_values", sound).std()


def _some(frames: Tensor, n_entries: int) -> Tensor:
    chosen = frames[torch.randint(len(frames), (n_entries,))]
    return chosen + 0.3 * frames.std(dim=0) * torch.randn_like(chosen)
