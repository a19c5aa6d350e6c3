"""Options of demiurge synth train-vocoder, train-generator and train-codec."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from demiurge.cli.options.command import Decorator, option_group
from demiurge.cli.options.output import random_seed_option
from demiurge.cli.options.paths import ANY_PATH
from demiurge.cli.options.training import (
    THE_TRAINING,
    device_option,
    learning_rate_option,
    minutes_option,
    model_option,
    precision_option,
    resume_option,
    track_option,
    training_option,
)
from synth.names import (
    CODEC_DISCRIMINATORS,
    CODEC_SIZES,
    DEFAULT_GENERATOR,
    DEFAULT_MEL,
    DEFAULT_VOCODER,
    GENERATORS,
    MEL_PRESETS,
    VOCODERS,
)

OWN = ("architecture", "mel", "n_mels")  # decided by the model to start from


@dataclass(frozen=True, kw_only=True)
class AskedTraining:
    """The options as given; None means as before training was stopped, or the default."""

    architecture: str | None
    mel: str | None
    n_mels: int | None
    minutes: float | None
    steps: int | None
    batch_size: int | None
    learning_rate: float | None
    precision: str | None
    random_seed: int | None
    device: str | None
    start: Path | None
    resume: bool
    track: str | None

    def values(self) -> dict[str, Any]:
        """Return the given options by their names in the library."""
        own = {name: getattr(self, name) for name in OWN}
        run = {
            "minutes": self.minutes,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "precision": self.precision,
            "random_seed": self.random_seed,
            "device": self.device,
        }
        return {name: value for name, value in (own | run).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class AskedVocoder(AskedTraining):
    """The options for a vocoder."""

    segment_frames: int | None

    def values(self) -> dict[str, Any]:
        if self.segment_frames is None:
            return super().values()
        return {**super().values(), "segment_frames": self.segment_frames}


@dataclass(frozen=True, kw_only=True)
class AskedGenerator(AskedTraining):
    """The options for a generator."""

    size: str | None

    def values_for(self, architecture: str) -> dict[str, Any]:
        """Return the given options by their names in the library, sizes of --size among them."""
        from synth.sizes import read_sizes

        sizes = asdict(read_sizes(self.size, GENERATORS[architecture])) if self.size else {}
        return {**sizes, **self.values()}


@dataclass(frozen=True, kw_only=True)
class AskedCodec(AskedTraining):
    """The options for a codec."""

    architecture: str | None = None
    n_mels: int | None = None
    size: str | None
    vocoder: Path | None
    discriminators: str | None

    def values(self) -> dict[str, Any]:
        from synth.sizes import read_sizes

        sizes = asdict(read_sizes(self.size, CODEC_SIZES)) if self.size else {}
        own = {"discriminators": self.discriminators} if self.discriminators else {}
        return {**sizes, **own, **super().values()}


mel_option = model_option(
    "--mel",
    type=click.Choice(MEL_PRESETS),
    help=f"Kind of mel spectrogram. [default: {DEFAULT_MEL}]",
)
n_mels_option = model_option(
    "--n-mels", type=click.IntRange(1), help="Number of mel bands. [default: those of --mel]"
)
training_options = (
    minutes_option,
    training_option(
        "--steps",
        type=click.IntRange(1),
        help="Most training steps. [default: 1000000]",
    ),
    learning_rate_option,
    precision_option(THE_TRAINING, default=None),
    random_seed_option(THE_TRAINING, default=None),
    device_option(THE_TRAINING, default=None),
    training_option(
        "--from",
        "start",
        metavar="MODEL",
        type=ANY_PATH,
        help="Start from the weights of this model.",
    ),
    resume_option("options not given are as before"),
    track_option,
)


def batch_size_option(default: str) -> Decorator:
    """Return the option for a network whose batches have `default` excerpts."""
    return training_option(
        "--batch-size",
        type=click.IntRange(1),
        help=f"Training excerpts in a batch. [default: {default}]",
    )


vocoder_options = option_group(
    model_option(
        "--architecture",
        type=click.Choice(VOCODERS),
        help=f"Network; demiurge synth models lists the sizes. [default: {DEFAULT_VOCODER}]",
    ),
    mel_option,
    n_mels_option,
    batch_size_option("16"),
    training_option(
        "--segment-frames",
        type=click.IntRange(16),
        help="Length of a training excerpt, in frames. [default: the architecture's own]",
    ),
    *training_options,
    into="asked",
    make=AskedVocoder,
)
size_option = model_option(
    "--size",
    metavar="NAME|FILE.json",
    help="Sizes of networks and batches: a name that demiurge synth models lists, or a JSON file."
    " [default: the first of the architecture]",
)
generator_options = option_group(
    model_option(
        "--architecture",
        type=click.Choice(list(GENERATORS)),
        help=f"Network. [default: {DEFAULT_GENERATOR}]",
    ),
    size_option,
    mel_option,
    n_mels_option,
    batch_size_option("as in --size"),
    *training_options,
    into="asked",
    make=AskedGenerator,
)
codec_options = option_group(
    size_option,
    mel_option,
    model_option(
        "--vocoder",
        metavar="VOCODER",
        type=ANY_PATH,
        help="What turns decoded mel spectrograms into audio; kept in MODEL. [default: the shipped"
        " one for --mel]",
    ),
    training_option(
        "--discriminators",
        type=click.Choice(CODEC_DISCRIMINATORS),
        help="Train only the decoder of the codec that --from names, against discriminators that"
        " hear its sound. [default: no discriminators]",
    ),
    batch_size_option("as in --size"),
    *training_options,
    into="asked",
    make=AskedCodec,
)
