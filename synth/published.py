"""Published checkpoints of HiFi-GAN, MelGAN and UNAGAN, turned into ours.

Code in a file is refused, never run.

Their state dicts have the names of our networks, with weight norm still split; sizes and mel
settings stand in a JSON file.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from files.errors import CheckpointError, ParameterError
from synth.generator import Generator
from synth.mel import PRESETS, MelSettings
from synth.unagan import UnaganConfig
from synth.vocoder import Vocoder

NAMED = 3  # keys that a message shows
V1_CHANNELS = 512
V2_CHANNELS = 128
NORMALISED = (
    "no statistics were given: it makes normalised mel spectrograms, which no vocoder understands"
    " as they are"
)

CONFIG_KINDS: dict[str, Callable[[Any], bool]] = {
    "an integer": lambda v: type(v) is int,
    "a list of integers": lambda v: isinstance(v, list) and all(type(i) is int for i in v),
    "a list of lists of integers": (
        lambda v: isinstance(v, list) and all(map(CONFIG_KINDS["a list of integers"], v))
    ),
    "a number": lambda v: type(v) in (int, float),
    "a number or null": lambda v: v is None or type(v) in (int, float),
    "1 or 2": lambda v: v in (1, 2, "1", "2"),
}
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


def import_published(
    checkpoint: Path, config: Path, *, statistics: tuple[Path, Path] | None = None
) -> Vocoder | Generator:
    """Turn a published checkpoint into a vocoder or a generator, ready to use; which one its keys
    tell.

    Parameters
    ----------
    checkpoint : Path
        A state dict as `torch.save` writes it, bare or as `{"generator": state_dict}`.
    config : Path
        JSON with the names of the published code: HiFi-GAN's own config.json (`upsample_rates`, …);
        for MelGAN `n_mel_channels`, `ngf`, `n_residual_layers`, `ratios`; for UNAGAN `feat_dim`,
        `z_dim`, `hidden_dim`, `num_groups`, `z_scale_factors` ([] is the non-hierarchical one).
        MelGAN and UNAGAN take an optional `sampling_rate`, in Hz; the rest of their mel settings
        was fixed. Other names are ignored.
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
    state = _fold(_read_state(checkpoint))
    values = _read_config(config)
    keys, build = _layout_of(checkpoint, state)
    _check_config(config, values, keys)
    try:
        with torch.device("meta"):  # no memory is taken for sizes that turn out not to fit
            network = build(values).network
    except (ParameterError, RuntimeError) as error:
        raise CheckpointError(f"{config}: {error}") from error
    _check_fits(checkpoint, config, state, network)
    model = build(values)
    model.network.load_state_dict(state)
    model.training_summary = {"imported": checkpoint.name}
    if isinstance(model, Generator):
        _set_statistics(model, statistics)
    elif statistics:
        raise ParameterError("statistics go with a UNAGAN; leave them out for a vocoder")
    return model.eval()


def _layout_of(
    checkpoint: Path, state: dict[str, Tensor]
) -> tuple[dict[str, str], Callable[[dict], Vocoder | Generator]]:
    """The config's keys and the builder of the kind that a state dict is."""
    layouts: dict[str, tuple[dict[str, str], Callable[[dict], Vocoder | Generator]]] = {
        "conv_pre.": (HIFIGAN_KEYS, _hifigan),
        "model.1.": (MELGAN_KEYS, _melgan),
        "block0.": (UNAGAN_KEYS, _unagan),
        "body.0.": (UNAGAN_KEYS, _unagan),
    }
    for first, layout in layouts.items():
        if any(name.startswith(first) for name in state):
            return layout
    raise CheckpointError(
        f"{checkpoint}: its weights ({_some(state)}) are not those of a HiFi-GAN, MelGAN or UNAGAN"
        " generator; give another file"
    )


def _hifigan(values: dict[str, Any]) -> Vocoder:
    if values["win_size"] != values["n_fft"]:
        raise ParameterError(
            f"win_size={values['win_size']} must be n_fft={values['n_fft']}: mels with other"
            " windows cannot be made here; take a model whose windows are as long as its transform"
        )
    rate = values["sampling_rate"]
    channels = values["upsample_initial_channel"]
    f_max = rate / 2 if values["fmax"] is None else float(values["fmax"])
    mel = replace(
        PRESETS["hifigan"],
        sample_rate=rate,
        n_fft=values["n_fft"],
        hop_length=values["hop_size"],
        n_mels=values["num_mels"],
        f_min=float(values["fmin"]),
        f_max=f_max,
    )
    large = abs(channels - V1_CHANNELS) < abs(channels - V2_CHANNELS)
    name = "hifigan-v3" if int(values["resblock"]) == 2 else "hifigan-v1" if large else "hifigan-v2"
    sizes = {
        "upsample_rates": values["upsample_rates"],
        "upsample_kernel_sizes": values["upsample_kernel_sizes"],
        "channels": channels,
        "resblock": int(values["resblock"]),
        "kernel_sizes": values["resblock_kernel_sizes"],
        "dilations": values["resblock_dilation_sizes"],
    }
    return Vocoder(name, mel, config=sizes)


def _melgan(values: dict[str, Any]) -> Vocoder:
    sizes = {
        "channels": values["ngf"],
        "rates": values["ratios"],
        "n_residual_layers": values["n_residual_layers"],
    }
    mel = _melgan_mel(values, n_mels=values["n_mel_channels"], hop_length=prod(values["ratios"]))
    return Vocoder("melgan", mel, config=sizes)


def _unagan(values: dict[str, Any]) -> Generator:
    config = UnaganConfig(
        values["z_dim"],
        values["hidden_dim"],
        values["num_groups"],
        tuple(values["z_scale_factors"]),
    )
    return Generator(config, _melgan_mel(values, n_mels=values["feat_dim"]))


def _melgan_mel(values: dict[str, Any], **sizes: Any) -> MelSettings:
    """MelGAN's mel settings, which UNAGAN shares, up to half the sample rate."""
    rate = values.get("sampling_rate", PRESETS["melgan"].sample_rate)
    return replace(PRESETS["melgan"], sample_rate=rate, f_max=rate / 2, **sizes)


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; give the published checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling and zip errors of many kinds
        raise CheckpointError(
            f"{path}: cannot be read as weights; it is damaged, or holds code, which is never run:"
            " fetch it again"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("generator"), dict):
        state = state["generator"]
    if not isinstance(state, dict) or not all(
        isinstance(tensor, Tensor) for tensor in state.values()
    ):
        what = _some(state) if isinstance(state, dict) else f"a {type(state).__name__}"
        raise CheckpointError(
            f"{path}: holds {what}, not the weights of a generator by name; give another file"
        )
    return state


def _read_config(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); give the JSON with the model's sizes"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: is not JSON ({error}); write the model's sizes as a JSON object"
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{path}: holds a {type(values).__name__}; write the model's sizes as a JSON object"
        )
    return values


def _check_config(path: Path, values: dict[str, Any], keys: dict[str, str]) -> None:
    if missing := [name for name in keys if name not in values]:
        raise CheckpointError(
            f"{path}: {', '.join(missing)} are missing; add them, as the model was trained"
        )
    if "sampling_rate" in values:
        keys = {**keys, "sampling_rate": "an integer"}
    for name, kind in keys.items():
        if not CONFIG_KINDS[kind](values[name]):
            raise CheckpointError(f"{path}: {name}={values[name]!r} must be {kind}")


def _fold(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Multiply weight norm out: w = g v / |v|, the length of each slice of the first axis (arXiv
    1602.07868, equation 2).
    """
    folded = {name: tensor.float() for name, tensor in state.items()}
    for name, v in state.items():
        g = state.get(f"{name.removesuffix('_v')}_g")
        if name.endswith(".weight_v") and g is not None and g.numel() == len(v):
            del folded[name], folded[f"{name.removesuffix('_v')}_g"]
            direction = v.float().flatten(1)
            weight = g.float().reshape(-1, 1) * direction / direction.norm(dim=1, keepdim=True)
            folded[name.removesuffix("_v")] = weight.view_as(v)
    return folded


def _check_fits(
    checkpoint: Path, config: Path, state: dict[str, Tensor], network: nn.Module
) -> None:
    """Raise CheckpointError unless the state dict has the network's names and shapes and is finite."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if problems := [
        f"{what} {_some(names)}"
        for what, names in (
            ("lacks", shapes.keys() - state.keys()),
            ("has unknown", state.keys() - shapes.keys()),
        )
        if names
    ]:
        raise CheckpointError(
            f"{checkpoint}: {' and '.join(problems)}; give the config.json of this very model, not"
            f" {config}"
        )
    for name, shape in shapes.items():
        if (found := tuple(state[name].shape)) != shape:
            raise CheckpointError(
                f"{checkpoint}: {name} has shape {found}, by {config} it is {shape}; correct the"
                " sizes there"
            )
        if not state[name].isfinite().all():
            raise CheckpointError(
                f"{checkpoint}: {name} holds NaN or infinite weights; it is damaged, fetch it again"
            )


def _some(names) -> str:
    shown = sorted(map(str, names))[:NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _set_statistics(generator: Generator, statistics: tuple[Path, Path] | None) -> None:
    if statistics is None:
        generator.training_summary["note"] = NORMALISED
        return
    mean, std = (_read_statistic(path, generator.mel.n_mels) for path in statistics)
    try:
        generator.set_statistics(mean, std)
    except ParameterError as error:
        raise CheckpointError(f"{', '.join(map(str, statistics))}: {error}") from error


def _read_statistic(path: Path, n_mels: int) -> Tensor:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as .npy numbers ({error}); give the file of the training data"
        ) from error
    if (
        not isinstance(values, np.ndarray)
        or values.size != n_mels
        or values.dtype.kind not in "fiu"
    ):
        raise CheckpointError(
            f"{path}: must hold {n_mels} numbers, one for each mel band; give the statistics of"
            " this model"
        )
    return torch.from_numpy(values.reshape(n_mels).astype(np.float32))
