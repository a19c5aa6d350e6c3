"""Networks of toy width in place of the real ones, so that a command takes a fraction of a second.

Everything else about the commands stays as it is.
"""

from dataclasses import fields, replace
from functools import partial
from typing import Any

from sequencer import registry
from synth import architectures, flow_sizes, train_flow, train_unagan, train_vocoder, unagan_sizes
from synth.codecs import mel_codec_sizes
from synth.discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator

FORECASTER_SIZES = {"hidden_size": 16, "dim": 16, "n_layers": 1, "n_heads": 2, "context_steps": 32}
VOCODER_SIZES = {"dim": 16, "intermediate_dim": 16, "n_layers": 1, "refinements": 1}
FLOW_SIZES = {"width": 64, "layers": 1, "clip_frames": 256, "batch_size": 1}
CODEC_SIZES = {
    "width": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "n_codebooks": 2,
    "codebook_size": 16,
    "segment_frames": 64,
    "batch_size": 1,
}
UNAGAN_SIZES = {"width": 16, "discriminator_width": 16, "clip_frames": 128, "batch_size": 1}
DISCRIMINATORS = {
    "period": (partial(MultiPeriodDiscriminator, (2, 3), 1), 1.0),
    "resolution": (partial(MultiResolutionDiscriminator, (256,), 2), 1.0),
}


def use_toy_networks() -> None:
    """Replace the default sizes of networks, and the number of excerpts that validate them."""
    for name, entry in registry.ARCHITECTURES.items():
        toy = replace(entry, sizes=narrowed(entry.sizes, FORECASTER_SIZES))
        registry.ARCHITECTURES[name] = toy
    vocoder = architectures.ARCHITECTURES["vocos-small"]
    architectures.ARCHITECTURES["vocos-small"] = replace(
        vocoder,
        sizes=narrowed(vocoder.sizes, VOCODER_SIZES),
        recipe=replace(vocoder.recipe, segment_frames=32, discriminators=DISCRIMINATORS),
    )
    flow_sizes.SIZES["small"] = flow_sizes.FlowSizes(**FLOW_SIZES)
    mel_codec_sizes.SIZES["small"] = mel_codec_sizes.MelCodecSizes(**CODEC_SIZES)
    unagan_sizes.SIZES["small"] = unagan_sizes.UnaganSizes(**UNAGAN_SIZES)
    train_vocoder.N_EXCERPTS = 2
    train_vocoder.EXCERPT_FRAMES = 64
    train_flow.N_VALIDATION_CLIPS = 2
    train_flow.VALIDATION_STEPS = 2
    train_unagan.N_VALIDATION_CLIPS = 2


def narrowed(sizes: Any, narrow: dict[str, int]) -> Any:
    """Return a dataclass of sizes with those replaced that it has."""
    own = {field.name for field in fields(sizes)}
    return replace(sizes, **{name: value for name, value in narrow.items() if name in own})
