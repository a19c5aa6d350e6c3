"""Folders of published generators at toy width."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from synth.plugins.open_plugin import open_plugin
from synth.plugins.plugin import Plugin
from tests.synth.codec_toys import write_musicgen, write_musicgen_melody
from tests.synth.plugins import toy_pipelines

STEPS = 3


def write_with_words(write, folder: Path) -> Path:
    """Write a MusicGen with a tokenizer, without a constant offset, that minds what it hears."""
    import transformers

    write(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(folder)
    with torch.no_grad():
        for name, parameter in model.audio_encoder.decoder.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        for head in model.decoder.lm_heads:
            head.weight.mul_(40)
        if hasattr(model, "audio_enc_to_dec_proj"):
            model.audio_enc_to_dec_proj.weight.mul_(100)  # or a melody hardly counts
    model.save_pretrained(folder)
    toy_pipelines.word_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def toys(tmp_path_factory) -> dict[str, str]:
    """The plug-ins of the table, as they are given on the command line."""
    pytest.importorskip("diffusers")
    folder = tmp_path_factory.mktemp("published")
    pipelines = {
        "dance": toy_pipelines.make_dance,
        "audio-diffusion": toy_pipelines.make_audio_diffusion,
        "audio-ldm": toy_pipelines.make_audio_ldm,
        "stable-audio": toy_pipelines.make_stable_audio,
    }
    found = {}
    for name, make in pipelines.items():
        found[name] = f"diffusers:{toy_pipelines.write(make, folder / name)}"
    for name, write in (("musicgen", write_musicgen), ("musicgen-melody", write_musicgen_melody)):
        found[name] = f"transformers:{write_with_words(write, folder / name)}"
    return found


@pytest.fixture(scope="session")
def opened(toys) -> dict[str, Plugin]:
    """Those plug-ins, with few steps and short windows."""
    plugins = {name: open_plugin(spec) for name, spec in toys.items()}
    for plugin in plugins.values():
        if hasattr(plugin, "kind"):
            plugin.kind = replace(plugin.kind, options=lambda _: {"num_inference_steps": STEPS})
        elif hasattr(plugin, "pipeline"):
            plugin.pipeline.get_default_steps = lambda: STEPS
        else:
            plugin.window_frames = 40
            plugin.kept_frames = 15
            plugin.cut_frames = 5
    return plugins
