"""The vocoders by name: network, sizes, and how it is trained. A new one is one file and one line
here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from files.errors import ParameterError
from synth.hifigan import V1, V2, V3, HiFiGAN
from synth.mel import MelSettings
from synth.melgan import MelGAN, MelGANConfig
from synth.network import VocoderNetwork
from synth.recipes import HIFIGAN, MELGAN, VOCOS, VOCOS_SMALL, Recipe
from synth.vocos import PUBLISHED, SMALL, Vocos


class Architecture(NamedTuple):
    """`sizes` is a frozen dataclass of plain values with a method `fit_hop(hop_length)`: the same
    for that hop length.
    """

    build: Callable[[MelSettings, Any], VocoderNetwork]
    sizes: Any
    recipe: Recipe


ARCHITECTURES = {
    "vocos-small": Architecture(Vocos, SMALL, VOCOS_SMALL),
    "vocos": Architecture(Vocos, PUBLISHED, VOCOS),
    "hifigan-v1": Architecture(lambda mel, sizes: HiFiGAN(mel.n_mels, sizes), V1, HIFIGAN),
    "hifigan-v2": Architecture(lambda mel, sizes: HiFiGAN(mel.n_mels, sizes), V2, HIFIGAN),
    "hifigan-v3": Architecture(lambda mel, sizes: HiFiGAN(mel.n_mels, sizes), V3, HIFIGAN),
    "melgan": Architecture(lambda mel, sizes: MelGAN(mel.n_mels, sizes), MelGANConfig(), MELGAN),
}
DEFAULT = "vocos-small"


def check_architecture(name: str) -> None:
    """Raise ParameterError, which lists the known ones, if a name is unknown."""
    if name not in ARCHITECTURES:
        raise ParameterError(
            f"vocoder {name!r} is not known; choose one of {', '.join(ARCHITECTURES)}"
        )
