"""Import published checkpoints of HiFi-GAN, MelGAN and UNAGAN.

Their state dicts have the names of our networks, but with weight norm not yet folded in; sizes and
mel settings are in a JSON file.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from files.errors import CheckpointError, ParameterError
from synth.generator import Generator
from synth.mel import PRESETS, MelSettings
from synth.published_files import check_config, read_config, read_state, read_statistic, some_of
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder

V1_CHANNELS = 512
V2_CHANNELS = 128
NORMALISED = (
    "no statistics were given: it makes normalised mel spectrograms, which no vocoder understands"
    " as they are"
)

HIFIGAN_KEYS = {
    "resblock": "1 or 2",
    "upsample_rates": "a list of integers",
    "upsample_kernel_sizes": "a list of integers",
    "upsample_initial_channel": "an integer",
    "resblock_kernel_sizes": "a list of integers",
    "resblock_dilation_sizes": "a list of lists of integers",
    "num_mels": "an integer",
    "n_fft": "an integer",
    "hop_size": "an integer",
    "win_size": "an integer",
    "sampling_rate": "an integer",
    "fmin": "a number",
    "fmax": "a number or null",
}
MELGAN_KEYS = {
    "n_mel_channels": "an integer",
    "ngf": "an integer",
    "n_residual_layers": "an integer",
    "ratios": "a list of integers",
}
UNAGAN_KEYS = {
    "feat_dim": "an integer",
    "z_dim": "an integer",
    "hidden_dim": "an integer",
    "num_groups": "an integer",
    "z_scale_factors": "a list of integers",
}


@dataclass(frozen=True)
class PublishedKind:
    """A kind of published model: the types of its config values, and a function that builds it."""

    config_kinds: dict[str, str]
    build: Callable[[dict[str, Any]], Vocoder | Generator]


def import_published(
    checkpoint: Path, config: Path, *, statistics: tuple[Path, Path] | None = None
) -> Vocoder | Generator:
    """Make a vocoder or generator, ready to use, from a published checkpoint.

    Parameters
    ----------
    checkpoint : Path
        A state dict as `torch.save` writes it, bare or as `{"generator": state_dict}`. The kind is
        recognised by the names in it.
    config : Path
        JSON with the names of the published code: HiFi-GAN's own config.json (`upsample_rates`, …);
        for MelGAN `n_mel_channels`, `ngf`, `n_residual_layers`, `ratios`; for UNAGAN `feat_dim`,
        `z_dim`, `hidden_dim`, `num_groups`, `z_scale_factors` ([] is the non-hierarchical one).
        MelGAN and UNAGAN take an optional `sampling_rate`, in Hz; their other mel settings are
        fixed. Other names are ignored.
    statistics : (Path, Path), optional
        UNAGAN only: mean and standard deviation of the training mels, .npy of n_mels values each.
        Without them the generator gives normalised mels, and `training_summary["note"]` says so.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, holds code, is of no known kind, or the files do not fit each
        other.
    ParameterError
        If statistics are given for a vocoder.
    """
    state = without_weight_norm(read_state(checkpoint))
    values = read_config(config)
    kind = _kind_of(checkpoint, state)
    check_config(config, values, kind.config_kinds)
    try:
        with torch.device("meta"):  # takes no memory, even if the sizes are wrong
            network = kind.build(values).network
    except (ParameterError, RuntimeError) as error:
        raise CheckpointError(f"{config}: {error}") from error
    _check_fits(checkpoint, config, state, network)
    model = kind.build(values)
    model.network.load_state_dict(state)
    model.training_summary = {"imported": checkpoint.name}
    if isinstance(model, Generator):
        _set_statistics(model, statistics)
    elif statistics:
        raise ParameterError("statistics go with a UNAGAN; leave them out for a vocoder")
    return model.eval()


def without_weight_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fold weight norm into plain weights: w = g v / |v|, a norm per slice of the first axis.

    arXiv 1602.07868, equation 2.
    """
    plain = {name: tensor.float() for name, tensor in state.items()}
    for name, v in state.items():
        weight_name = name.removesuffix("_v")
        g = state.get(f"{weight_name}_g")
        if name.endswith(".weight_v") and g is not None and g.numel() == len(v):
            del plain[name], plain[f"{weight_name}_g"]
            length = g.float().reshape(-1, 1)
            direction = v.float().flatten(1)
            weight = length * direction / direction.norm(dim=1, keepdim=True)
            plain[weight_name] = weight.view_as(v)
    return plain


def _hifigan(values: dict[str, Any]) -> Vocoder:
    if values["win_size"] != values["n_fft"]:
        raise ParameterError(
            f"win_size={values['win_size']} must be n_fft={values['n_fft']}: mels with other"
            " windows cannot be made here; take a model whose windows are as long as its transform"
        )
    rate = values["sampling_rate"]
    mel = replace(
        PRESETS["hifigan"],
        sample_rate=rate,
        n_fft=values["n_fft"],
        hop_length=values["hop_size"],
        n_mels=values["num_mels"],
        f_min=float(values["fmin"]),
        f_max=rate / 2 if values["fmax"] is None else float(values["fmax"]),
    )
    sizes = {
        "upsample_rates": values["upsample_rates"],
        "upsample_kernel_sizes": values["upsample_kernel_sizes"],
        "channels": values["upsample_initial_channel"],
        "resblock": int(values["resblock"]),
        "kernel_sizes": values["resblock_kernel_sizes"],
        "dilations": values["resblock_dilation_sizes"],
    }
    return Vocoder(_nearest_hifigan(sizes), mel, config=sizes)


def _nearest_hifigan(sizes: dict[str, Any]) -> str:
    """Return the name of the published configuration with the most similar sizes."""
    if sizes["resblock"] == 2:
        return "hifigan-v3"
    channels = sizes["channels"]
    is_large = abs(channels - V1_CHANNELS) < abs(channels - V2_CHANNELS)
    return "hifigan-v1" if is_large else "hifigan-v2"


def _melgan(values: dict[str, Any]) -> Vocoder:
    sizes = {
        "channels": values["ngf"],
        "rates": values["ratios"],
        "n_residual_layers": values["n_residual_layers"],
    }
    mel = _melgan_mel(values, n_mels=values["n_mel_channels"], hop_length=prod(values["ratios"]))
    return Vocoder("melgan", mel, config=sizes)


def _unagan(values: dict[str, Any]) -> UnaganGenerator:
    config = UnaganConfig(
        z_channels=values["z_dim"],
        width=values["hidden_dim"],
        groups=values["num_groups"],
        upsamplings=tuple(values["z_scale_factors"]),
    )
    return UnaganGenerator(config, _melgan_mel(values, n_mels=values["feat_dim"]))


def _melgan_mel(values: dict[str, Any], **sizes: Any) -> MelSettings:
    """Return MelGAN's mel settings, which UNAGAN shares, up to half the sample rate."""
    rate = values.get("sampling_rate", PRESETS["melgan"].sample_rate)
    return replace(PRESETS["melgan"], sample_rate=rate, f_max=rate / 2, **sizes)


KINDS = {  # by prefix of a name in the state dict
    "conv_pre.": PublishedKind(HIFIGAN_KEYS, _hifigan),
    "model.1.": PublishedKind(MELGAN_KEYS, _melgan),
    "block0.": PublishedKind(UNAGAN_KEYS, _unagan),
    "body.0.": PublishedKind(UNAGAN_KEYS, _unagan),
}


def _kind_of(checkpoint: Path, state: dict[str, Tensor]) -> PublishedKind:
    for prefix, kind in KINDS.items():
        if any(name.startswith(prefix) for name in state):
            return kind
    raise CheckpointError(
        f"{checkpoint}: its weights ({some_of(state)}) are not those of a HiFi-GAN, MelGAN or"
        " UNAGAN generator; give another file"
    )


def _check_fits(
    checkpoint: Path, config: Path, state: dict[str, Tensor], network: nn.Module
) -> None:
    """Raise CheckpointError unless the weights are finite and fit the network by name and shape."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    problems = []
    if missing := shapes.keys() - state.keys():
        problems.append(f"lacks {some_of(missing)}")
    if unknown := state.keys() - shapes.keys():
        problems.append(f"has unknown {some_of(unknown)}")
    if problems:
        raise CheckpointError(
            f"{checkpoint}: {' and '.join(problems)}; give the config.json of this model, not"
            f" {config}"
        )
    for name, shape in shapes.items():
        found = tuple(state[name].shape)
        if found != shape:
            raise CheckpointError(
                f"{checkpoint}: {name} has shape {found}, but {config} implies {shape}; correct the"
                " sizes there"
            )
        if not state[name].isfinite().all():
            raise CheckpointError(
                f"{checkpoint}: {name} holds NaN or infinite weights; it is damaged, download it"
                " again"
            )


def _set_statistics(generator: Generator, statistics: tuple[Path, Path] | None) -> None:
    if statistics is None:
        generator.training_summary["note"] = NORMALISED
        return
    mean, std = (read_statistic(path, generator.mel.n_mels) for path in statistics)
    try:
        generator.set_statistics(mean, std)
    except ParameterError as error:
        raise CheckpointError(f"{', '.join(map(str, statistics))}: {error}") from error
