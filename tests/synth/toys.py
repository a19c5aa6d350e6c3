"""Every vocoder at toy width, and a mel to go with it: a new architecture is tested as soon as it
is registered.
"""

from dataclasses import asdict
from typing import Any

from synth.architectures import ARCHITECTURES
from synth.mel import MelSettings

MEL = MelSettings(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20, f_max=4000.0)


def toy_sizes(**small: Any) -> dict[str, dict[str, Any]]:
    """For each architecture those of the sizes that it has, and where its own are smaller, its own."""
    return {
        name: {
            size: min(value, small[size])
            for size, value in asdict(architecture.sizes).items()
            if size in small
        }
        for name, architecture in ARCHITECTURES.items()
    }


TOY = toy_sizes(
    dim=16,
    intermediate_dim=32,
    n_layers=1,
    refinements=1,
    channels=8,
    upsample_rates=(8, 8),
    upsample_kernel_sizes=(16, 16),
    rates=(8, 8),
)
