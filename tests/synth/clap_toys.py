"""A folder of CLAP, as `save_pretrained` writes it, at toy width."""

from pathlib import Path

import torch

from tests.synth.plugins.toy_pipelines import byte_vocabulary


def write_clap(folder: Path, *, is_fused: bool = False, collapsed: bool = False) -> Path:
    """Write a CLAP of random weights with 24 columns; `collapsed` hears no text."""
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        RobertaTokenizer,
    )

    text = {"vocab_size": 400, "hidden_size": 16, "intermediate_size": 32, "projection_dim": 24}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 130}
    audio = {
        "window_size": 4,
        "spec_size": 256,
        "hidden_size": 32,
        "depths": [1, 1],
        "num_attention_heads": [1, 2],
        "patch_embeds_hidden_size": 16,
        "projection_dim": 24,
        "enable_fusion": is_fused,
    }
    config = ClapConfig(text_config={**text, **layers}, audio_config=audio, projection_dim=24)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = ClapModel(config).eval()
        for parameter in model.text_model.encoder.parameters():
            parameter.mul_(10)  # or all texts would be nearly one
        if collapsed:
            model.text_projection.linear2.weight.zero_()
            model.text_projection.linear2.bias.fill_(1)
        model.save_pretrained(folder)
    ClapFeatureExtractor(truncation="fusion" if is_fused else "rand_trunc").save_pretrained(folder)
    RobertaTokenizer(byte_vocabulary(), model_max_length=77).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder
