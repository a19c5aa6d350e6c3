"""Names that the command line offers, without loading torch.

A test checks that they are those of the registries, `synth.architectures` and `synth.mel`.
"""

from collections.abc import Mapping

from synth import flow_sizes, unagan_sizes
from synth.codecs import mel_codec_sizes
from synth.sizes import Sizes

VOCODERS = ("vocos-small", "vocos", "hifigan-v1", "hifigan-v2", "hifigan-v3", "melgan")
DEFAULT_VOCODER = "vocos-small"

# named sizes of the generators, the default first
GENERATORS: dict[str, Mapping[str, Sizes]] = {
    "flow": flow_sizes.SIZES,
    "unagan": unagan_sizes.SIZES,
    "unagan-nonhierarchical": unagan_sizes.SIZES,
}
DEFAULT_GENERATOR = "flow"

CODEC_SIZES = mel_codec_sizes.SIZES  # named sizes of a codec, the default first
CODEC_DISCRIMINATORS = ("dac", "encodec")  # recipes by which its decoder may be trained

MEL_PRESETS = ("22k", "44k", "hifigan", "melgan")
DEFAULT_MEL = "22k"  # of the shipped models
