"""Flows with random weights, and statistics of noise."""

import torch

from synth.flow import N_CURVES, FlowConfig
from synth.flow_generator import N_STYLES, FlowGenerator
from synth.mel import PRESETS, MelSettings

MEL = PRESETS["22k"]
RATE = MEL.sample_rate
WINDOW = 64  # frames
PATCH = 4


def toy_flow(random_seed: int = 0, mel: MelSettings = MEL) -> FlowGenerator:
    """Return a flow that makes soft noise of every style."""
    config = FlowConfig(width=64, layers=2)
    with torch.random.fork_rng():
        torch.manual_seed(random_seed)
        generator = FlowGenerator(config, mel, window_frames=WINDOW, training={"steps": 1})
        for parameter in generator.network.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
        generator.set_statistics(torch.full((mel.n_mels,), -5.0), torch.ones(mel.n_mels))
        generator.set_condition_statistics(
            torch.randn(N_STYLES, config.style_size), torch.randn(3, N_CURVES, 50)
        )
    return generator.eval()
