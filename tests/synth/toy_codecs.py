"""A mel codec of toy width with random weights, and a vocoder for it."""

from pathlib import Path

import torch

from synth.codecs.mel_codec import MelCodec, MelCodecModel
from synth.codecs.mel_codec_network import MelCodecConfig
from synth.mel import MelSettings
from synth.vocoder import Vocoder
from tests.synth.toys import MEL, TOY

SIZES = {
    "stride": 2,
    "width": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "n_latents": 8,
    "n_codebooks": 3,
    "codebook_size": 16,
}
HOP = SIZES["stride"] * MEL.hop_length


def toy_vocoder(mel: MelSettings = MEL) -> Vocoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Vocoder("vocos-small", mel, config=TOY["vocos-small"]).eval()


def toy_model(random_seed: int = 0, mel: MelSettings = MEL) -> MelCodecModel:
    """Return a model whose latents and codes vary with the sound."""
    with torch.random.fork_rng():
        torch.manual_seed(random_seed)
        model = MelCodecModel(MelCodecConfig(**SIZES), mel, training={"steps": 1})
        model.network.mean.fill_(-5.0)
        model.network.std.fill_(2.0)
    return model.eval()


def toy_codec(random_seed: int = 0) -> MelCodec:
    return MelCodec(toy_model(random_seed), toy_vocoder(), name="codec toy")


def save_toy(folder: Path, mel: MelSettings = MEL) -> None:
    """Save a codec's folder, with the vocoder in it."""
    toy_model(mel=mel).save(folder)
    toy_vocoder(mel).save(folder / "vocoder")
