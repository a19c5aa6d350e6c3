"""The vocoders by name: network, sizes, and training recipe.

To add one, write a file with its network, a line here and its name in `synth.names`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from files.errors import ParameterError
from files.ranges import shown
from synth.hifigan import V1, V2, V3, HiFiGAN, HiFiGANConfig
from synth.mel import MelSettings
from synth.melgan import MelGAN, MelGANConfig
from synth.recipes import HIFIGAN, MELGAN, VOCOS, VOCOS_SMALL, Recipe
from synth.vocoder_network import VocoderNetwork
from synth.vocos import PUBLISHED, SMALL, Vocos


@dataclass(frozen=True)
class VocoderArchitecture:
    """`sizes` is a frozen dataclass whose `fit_hop(hop_length)` adapts it to a hop length."""

    build: Callable[[MelSettings, Any], VocoderNetwork]
    sizes: Any
    recipe: Recipe


def build_hifigan(mel: MelSettings, sizes: HiFiGANConfig) -> HiFiGAN:
    return HiFiGAN(mel.n_mels, sizes)


def build_melgan(mel: MelSettings, sizes: MelGANConfig) -> MelGAN:
    return MelGAN(mel.n_mels, sizes)


ARCHITECTURES = {
    "vocos-small": VocoderArchitecture(Vocos, SMALL, VOCOS_SMALL),
    "vocos": VocoderArchitecture(Vocos, PUBLISHED, VOCOS),
    "hifigan-v1": VocoderArchitecture(build_hifigan, V1, HIFIGAN),
    "hifigan-v2": VocoderArchitecture(build_hifigan, V2, HIFIGAN),
    "hifigan-v3": VocoderArchitecture(build_hifigan, V3, HIFIGAN),
    "melgan": VocoderArchitecture(build_melgan, MelGANConfig(), MELGAN),
}


def check_architecture(name: str) -> None:
    """Raise ParameterError, which lists the known names, if `name` is unknown."""
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ParameterError(
            f"vocoder {shown(name)} is not known; choose one of {', '.join(ARCHITECTURES)}"
        )
