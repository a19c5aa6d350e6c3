"""Names that the command line offers, without loading torch.

A test holds them equal to the registries: `synth.architectures`, `synth.unagan` and `synth.mel`.
"""

VOCODERS = ("vocos-small", "vocos", "hifigan-v1", "hifigan-v2", "hifigan-v3", "melgan")
DEFAULT_VOCODER = "vocos-small"

UNAGAN_ARCHITECTURES = ("hierarchical", "nonhierarchical")
DEFAULT_UNAGAN = "hierarchical"

MEL_PRESETS = ("22k", "44k", "hifigan", "melgan")
DEFAULT_MEL = "22k"  # of the shipped models
