"""Every registered vocoder at toy width, and mel settings to go with it."""

from dataclasses import asdict
from typing import Any

from synth.architectures import ARCHITECTURES
from synth.mel import MelSettings

MEL = MelSettings(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20, f_max=4000.0)


def toy_sizes(**small: Any) -> dict[str, dict[str, Any]]:
    """Return the sizes that each architecture has, its own where they are smaller."""
    sizes = {}
    for name, architecture in ARCHITECTURES.items():
        own = asdict(architecture.sizes)
        sizes[name] = {size: min(own[size], value) for size, value in small.items() if size in own}
    return sizes


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
