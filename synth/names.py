"""Names that the command line offers, without loading torch.

A test checks that they are those of the registries, `synth.architectures` and `synth.mel`.
"""

from synth.unagan_sizes import SIZES

VOCODERS = ("vocos-small", "vocos", "hifigan-v1", "hifigan-v2", "hifigan-v3", "melgan")
DEFAULT_VOCODER = "vocos-small"

UNAGAN_ARCHITECTURES = ("hierarchical", "nonhierarchical")
DEFAULT_UNAGAN = "hierarchical"
UNAGAN_SIZES = tuple(SIZES)
DEFAULT_UNAGAN_SIZE = "published"

MEL_PRESETS = ("22k", "44k", "hifigan", "melgan")
DEFAULT_MEL = "22k"  # of the shipped models
