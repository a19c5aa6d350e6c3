"""Folders of pipelines of diffusers, as `save_pretrained` writes them, at toy width.

Their weights are random. Tests that open them carry `pytest.importorskip("diffusers")`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

LICENCE = "cc-by-nc-sa-4.0"
VOCODER_LOUDER = 10.0  # each weight; with those of a new vocoder it would be silent


def make_dance() -> Any:
    """Return a Dance Diffusion: stereo, 2 kHz, of any length."""
    from diffusers import DanceDiffusionPipeline, IPNDMScheduler, UNet1DModel

    unet = UNet1DModel(
        sample_size=4096,
        sample_rate=2000,
        in_channels=2,
        out_channels=2,
        extra_in_channels=64,
        block_out_channels=(32, 32),
        layers_per_block=1,
        use_timestep_embedding=False,
        time_embedding_type="fourier",
        mid_block_type="UNetMidBlock1D",
        down_block_types=("DownBlock1DNoSkip", "DownBlock1D"),
        up_block_types=("UpBlock1D", "UpBlock1DNoSkip"),
    )
    for parameter in unet.parameters():
        parameter.data.mul_(0.5)  # or steps would end at the limits of what it makes
    return DanceDiffusionPipeline(unet=unet, scheduler=IPNDMScheduler())


def make_audio_diffusion() -> Any:
    """Return an Audio Diffusion: mono, 8 kHz, pictures of 32 bands × 64 frames: 2.048 s."""
    from diffusers import AudioDiffusionPipeline, DDIMScheduler, Mel, UNet2DModel

    unet = UNet2DModel(
        sample_size=(32, 64),
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    mel = Mel(x_res=64, y_res=32, sample_rate=8000, n_fft=1024, hop_length=256, n_iter=4)
    return AudioDiffusionPipeline(vqvae=None, unet=unet, mel=mel, scheduler=DDIMScheduler())


def make_audio_ldm() -> Any:
    """Return an AudioLDM: mono, 8 kHz, with a tokenizer."""
    from diffusers import AudioLDMPipeline, AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        RobertaTokenizer,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )

    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=8,
        class_embeddings_concat=True,
    )
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
    )
    text = {"vocab_size": 400, "hidden_size": 8, "intermediate_size": 16, "projection_dim": 8}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 130}
    vocoder = SpeechT5HifiGanConfig(
        model_in_dim=8,
        sampling_rate=8000,
        upsample_initial_channel=16,
        upsample_rates=(8, 10),
        upsample_kernel_sizes=(16, 20),
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1, 3),),
        normalize_before=False,
    )
    return AudioLDMPipeline(
        vae=vae,
        text_encoder=ClapTextModelWithProjection(ClapTextConfig(**text, **heads)),
        tokenizer=RobertaTokenizer(byte_vocabulary(), model_max_length=77),
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False),
        vocoder=SpeechT5HifiGan(vocoder),
    )


def byte_vocabulary() -> dict[str, int]:
    """Return RoBERTa's special tokens, and each byte as a token."""
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    return {token: number for number, token in enumerate(tokens)}


def make_stable_audio() -> Any:
    """Return a Stable Audio Open: stereo, 8 kHz, at most 2.048 s, with a tokenizer."""
    from diffusers import (
        AutoencoderOobleck,
        CosineDPMSolverMultistepScheduler,
        StableAudioDiTModel,
        StableAudioPipeline,
        StableAudioProjectionModel,
    )
    from transformers import T5Config, T5EncoderModel

    transformer = StableAudioDiTModel(
        sample_size=256,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        attention_head_dim=4,
        num_attention_heads=2,
        num_key_value_attention_heads=2,
        cross_attention_dim=8,
        time_proj_dim=8,
        global_states_input_dim=16,
        cross_attention_input_dim=8,
    )
    vae = AutoencoderOobleck(
        encoder_hidden_size=4,
        downsampling_ratios=[8, 8],
        decoder_channels=4,
        decoder_input_channels=4,
        audio_channels=2,
        channel_multiples=[1, 2],
        sampling_rate=8000,
    )
    text = T5Config(vocab_size=40, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    return StableAudioPipeline(
        vae=vae,
        text_encoder=T5EncoderModel(text),
        projection_model=StableAudioProjectionModel(8, 8, 0.0, 32.0),
        tokenizer=word_tokenizer(),
        transformer=transformer,
        scheduler=CosineDPMSolverMultistepScheduler(sigma_schedule="exponential"),
    )


def word_tokenizer() -> Any:
    """Return T5's tokenizer of a few words, and of letters."""
    from transformers import T5Tokenizer

    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words = [(f"▁{word}", -1.0) for word in ("rain", "on", "glass", "piano")]
    letters = [(letter, -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    return T5Tokenizer([*special, *words, *letters], extra_ids=0, model_max_length=16)


def write(make: Callable[[], Any], folder: Path) -> Path:
    """Write a pipeline of random weights, without biases, and a README.md with a licence.

    Biases would be a constant offset in what it makes.
    """
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        pipeline = make()
        modules = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
        for module in modules:
            for name, parameter in module.named_parameters():
                if name.endswith("bias"):
                    parameter.zero_()
        if hasattr(pipeline, "vocoder"):
            for parameter in pipeline.vocoder.parameters():
                parameter.mul_(VOCODER_LOUDER)
        pipeline.save_pretrained(folder)
    (folder / "README.md").write_text(f"---\nlicense: {LICENCE}\ntags:\n- audio\n---\n\n# Toy\n")
    return folder
