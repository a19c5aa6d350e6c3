"""The names that need no torch are those of the registries."""

import subprocess
import sys

from synth.architectures import ARCHITECTURES
from synth.mel import PRESETS
from synth.names import (
    CODEC_DISCRIMINATORS,
    DEFAULT_GENERATOR,
    DEFAULT_MEL,
    DEFAULT_VOCODER,
    GENERATORS,
    MEL_PRESETS,
    VOCODERS,
)
from synth.recipes import CODEC_RECIPES
from synth.unagan_options import ARCHITECTURES as ARCHITECTURES_OF_UNAGAN


def test_names_are_those_of_the_registries():
    assert tuple(ARCHITECTURES) == VOCODERS
    assert tuple(PRESETS) == MEL_PRESETS
    assert tuple(CODEC_RECIPES) == CODEC_DISCRIMINATORS
    assert tuple(GENERATORS) == ("flow", *ARCHITECTURES_OF_UNAGAN)


def test_defaults_are_known():
    assert DEFAULT_VOCODER in VOCODERS
    assert DEFAULT_GENERATOR in GENERATORS
    assert DEFAULT_MEL in MEL_PRESETS


def test_names_load_without_torch():
    code = "import sys, synth.names; print({'torch', 'numpy'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
