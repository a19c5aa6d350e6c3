"""Import published checkpoints of HiFi-GAN, MelGAN and UNAGAN.

Their state dicts have the names of our networks, but with weight norm not yet folded in; sizes and
mel settings are in a JSON file.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import msgspec
from torch import Tensor, nn

from audio.read import MAX_RATE
from files.documents import read_document
from files.errors import CheckpointError, ParameterError
from files.ranges import check_integer
from synth.generator import Generator
from synth.mel import PRESETS, MelSettings
from synth.melgan import MelGANConfig
from synth.published_files import read_state, read_statistic, some_of
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from training.blueprint import Blueprint

REMEDY = "write there the sizes that the model was trained with"
V1_CHANNELS = 512
V2_CHANNELS = 128
NORMALISED = (
    "no statistics were given: it makes normalised mel spectrograms, which no vocoder understands"
    " as they are"
)


class HifiganSizes(msgspec.Struct):
    """The values of HiFi-GAN's config.json that are used; others are ignored."""

    resblock: Literal[1, 2, "1", "2"]
    upsample_rates: list[int]
    upsample_kernel_sizes: list[int]
    upsample_initial_channel: int
    resblock_kernel_sizes: list[int]
    resblock_dilation_sizes: list[list[int]]
    num_mels: int
    n_fft: int
    hop_size: int
    win_size: int
    sampling_rate: int
    fmin: float
    fmax: float | None


class MelganSizes(msgspec.Struct):
    """The sizes of a MelGAN, by the names of the published code."""

    n_mel_channels: int
    ngf: int
    n_residual_layers: int
    ratios: list[int]
    sampling_rate: int = PRESETS["melgan"].sample_rate


class UnaganSizes(msgspec.Struct):
    """The sizes of a UNAGAN, by the names of the published code."""

    feat_dim: int
    z_dim: int
    hidden_dim: int
    num_groups: int
    z_scale_factors: list[int]
    sampling_rate: int = PRESETS["melgan"].sample_rate


@dataclass(frozen=True)
class PublishedKind:
    """A kind of published model: the type of its config, and a function that builds it."""

    sizes: type[msgspec.Struct]
    build: Callable[[Any], Vocoder | Generator]


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
    kind = _kind_of(checkpoint, state)
    values = read_document(config, kind.sizes, error=CheckpointError, remedy=REMEDY)
    try:
        with Blueprint():
            network = kind.build(values).network
    except ParameterError as error:
        raise CheckpointError(f"{config}: {error}; {REMEDY}") from error
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
        fits = g is not None and v.ndim > 0 and g.numel() == len(v)
        if g is not None and fits and name.endswith(".weight_v"):
            del plain[name], plain[f"{weight_name}_g"]
            length = g.float().reshape(-1, 1)
            direction = v.float().flatten(1)
            weight = length * direction / direction.norm(dim=1, keepdim=True)
            plain[weight_name] = weight.view_as(v)
    return plain


def _hifigan(values: HifiganSizes) -> Vocoder:
    if values.win_size != values.n_fft:
        raise ParameterError(
            f"win_size={values.win_size} must be n_fft={values.n_fft}: mels with other windows"
            " cannot be made here; take a model whose windows are as long as its transform"
        )
    mel = replace(
        PRESETS["hifigan"],
        sample_rate=values.sampling_rate,
        n_fft=values.n_fft,
        hop_length=values.hop_size,
        n_mels=values.num_mels,
        f_min=values.fmin,
        f_max=values.sampling_rate / 2 if values.fmax is None else values.fmax,
    )
    sizes = {
        "upsample_rates": values.upsample_rates,
        "upsample_kernel_sizes": values.upsample_kernel_sizes,
        "channels": values.upsample_initial_channel,
        "resblock": int(values.resblock),
        "kernel_sizes": values.resblock_kernel_sizes,
        "dilations": values.resblock_dilation_sizes,
    }
    return Vocoder(_nearest_hifigan(sizes), mel, config=sizes)


def _nearest_hifigan(sizes: dict[str, Any]) -> str:
    """Return the name of the published configuration with the most similar sizes."""
    if sizes["resblock"] == 2:
        return "hifigan-v3"
    channels = sizes["channels"]
    is_large = abs(channels - V1_CHANNELS) < abs(channels - V2_CHANNELS)
    return "hifigan-v1" if is_large else "hifigan-v2"


def _melgan(values: MelganSizes) -> Vocoder:
    config = MelGANConfig(values.ngf, values.ratios, values.n_residual_layers)
    hop_length = prod(config.rates)
    mel = _melgan_mel(values.sampling_rate, n_mels=values.n_mel_channels, hop_length=hop_length)
    return Vocoder("melgan", mel, config=asdict(config))


def _unagan(values: UnaganSizes) -> UnaganGenerator:
    config = UnaganConfig(
        z_channels=values.z_dim,
        width=values.hidden_dim,
        groups=values.num_groups,
        upsamplings=tuple(values.z_scale_factors),
    )
    return UnaganGenerator(config, _melgan_mel(values.sampling_rate, n_mels=values.feat_dim))


def _melgan_mel(sample_rate: int, **sizes: Any) -> MelSettings:
    """Return MelGAN's mel settings, which UNAGAN shares, up to half the sample rate."""
    check_integer("sampling_rate", sample_rate, 1, MAX_RATE)
    return replace(PRESETS["melgan"], sample_rate=sample_rate, f_max=sample_rate / 2, **sizes)


KINDS = {  # by prefix of a name in the state dict
    "conv_pre.": PublishedKind(HifiganSizes, _hifigan),
    "model.1.": PublishedKind(MelganSizes, _melgan),
    "block0.": PublishedKind(UnaganSizes, _unagan),
    "body.0.": PublishedKind(UnaganSizes, _unagan),
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
