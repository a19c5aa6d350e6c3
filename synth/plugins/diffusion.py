"""Pipelines of diffusers that make audio, from a folder.

AudioLDM (arXiv 2301.12503), AudioLDM 2 (2308.05734), MusicLDM (2308.01546), Stable Audio Open
(2407.14358), Stable Audio 3, ACE-Step (2506.00045), Dance Diffusion; Audio Diffusion is in
`synth.plugins.audio_diffusion`. Each makes a whole sound at a time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from files.documents import read_document
from files.errors import CheckpointError, ParameterError
from files.names import printable
from synth.hub_folder import (
    FETCH_AGAIN,
    check_folder,
    check_no_code,
    first_line,
    hash_folder,
    of_pickle,
)
from synth.hub_import import diffusers, quiet_diffusers
from synth.licences import licence_of
from synth.plugins.plugin import Plugin, SoundRequest

INDEX = "model_index.json"
AUDIO_DIFFUSION = "AudioDiffusionPipeline"
ACE_STEPS = 50  # of the models that are not distilled; the pipeline's 8 are for those that are


@dataclass(frozen=True)
class PipelineKind:
    """How to ask a class of pipelines for a sound.

    Attributes
    ----------
    seconds : str
        The argument that says how long it is.
    sample_rate, channels : callable
        Of a pipeline.
    most_samples : callable
        Of a pipeline; infinity if any length can be made.
    least_samples : callable
    takes_prompt : bool
    options : callable
        Other arguments of the call.
    """

    seconds: str
    sample_rate: Callable[[Any], int]
    channels: Callable[[Any], int]
    most_samples: Callable[[Any], float] = field(default=lambda _: math.inf)
    least_samples: Callable[[Any], int] = field(default=lambda _: 1)
    takes_prompt: bool = True
    options: Callable[[Any], dict[str, Any]] = field(default=lambda _: {})


def _of_vae(pipeline: Any) -> int:
    return pipeline.vae.config.sampling_rate


def _channels_of_vae(pipeline: Any) -> int:
    return pipeline.vae.config.audio_channels


AUDIO_LDM = PipelineKind(
    seconds="audio_length_in_s",
    sample_rate=lambda pipeline: pipeline.vocoder.config.sampling_rate,
    channels=lambda _: 1,
    least_samples=lambda pipeline: (
        math.prod(pipeline.vocoder.config.upsample_rates) * pipeline.vae_scale_factor + 1
    ),
)
PIPELINES = {
    "AudioLDMPipeline": AUDIO_LDM,
    "AudioLDM2Pipeline": AUDIO_LDM,
    "MusicLDMPipeline": AUDIO_LDM,
    "StableAudioPipeline": PipelineKind(
        seconds="audio_end_in_s",
        sample_rate=_of_vae,
        channels=_channels_of_vae,
        most_samples=lambda pipeline: (
            pipeline.transformer.config.sample_size * pipeline.vae.hop_length - 1
        ),
    ),
    "StableAudio3Pipeline": PipelineKind(
        seconds="duration",
        sample_rate=_of_vae,
        channels=_channels_of_vae,
        most_samples=lambda pipeline: (
            pipeline.duration_embedder.config.max_val * pipeline.vae.config.sampling_rate - 1
        ),
    ),
    "AceStepPipeline": PipelineKind(
        seconds="audio_duration",
        sample_rate=_of_vae,
        channels=_channels_of_vae,
        options=lambda pipeline: {} if pipeline.is_turbo else {"num_inference_steps": ACE_STEPS},
    ),
    "DanceDiffusionPipeline": PipelineKind(
        seconds="audio_length_in_s",
        sample_rate=lambda pipeline: pipeline.unet.config.sample_rate,
        channels=lambda pipeline: pipeline.unet.config.out_channels,
        least_samples=lambda pipeline: 3 * 2 ** len(pipeline.unet.up_blocks) + 1,
        takes_prompt=False,
    ),
}


def open_diffusion(folder: Path, *, device: str = "cpu") -> Plugin:
    """Return the pipeline of a folder as a plug-in.

    Raises
    ------
    CheckpointError
        If it is no such folder, or damaged, or of a class that makes no sound here, or with code.
    ParameterError
        If diffusers is missing.
    """
    check_folder(folder, INDEX, word="diffusers")
    check_no_code(folder)
    index = read_document(folder / INDEX, Index, error=CheckpointError, remedy=FETCH_AGAIN)
    name = index.class_name
    if name not in (*PIPELINES, AUDIO_DIFFUSION):
        raise CheckpointError(
            f"{folder} holds a pipeline of the class {printable(str(name))}, which makes no sound"
            f" here; known are {', '.join(sorted((*PIPELINES, AUDIO_DIFFUSION)))}"
        )
    pipeline = _load(folder).to(device)
    if name == AUDIO_DIFFUSION:
        from synth.plugins.audio_diffusion import AudioDiffusion

        return AudioDiffusion(folder, pipeline)
    return Diffusion(folder, pipeline, PIPELINES[name])


class Index(msgspec.Struct, rename={"class_name": "_class_name"}):
    """What is read of a model_index.json before diffusers reads it.

    A class that comes with the folder is written as a pair, of its module and its name.
    """

    class_name: str | list[str]


def _load(folder: Path) -> Any:
    package = diffusers()
    with quiet_diffusers():
        try:
            pipeline = package.DiffusionPipeline.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except Exception as error:  # what a damaged folder leads to has no common class
            raise CheckpointError(
                f"{folder}: diffusers cannot load it ({first_line(error)}); {_remedy(folder)}"
            ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _remedy(folder: Path) -> str:
    """Return what to do about a folder that cannot be loaded; weights may be pickles."""
    pickles = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.bin"))
    if not pickles or any(folder.rglob("*.safetensors")):
        return FETCH_AGAIN
    return of_pickle(folder, pickles[0], "diffusers", "DiffusionPipeline")


class Diffusion(Plugin):
    """A pipeline that makes a whole sound at a time."""

    def __init__(self, folder: Path, pipeline: Any, kind: PipelineKind) -> None:
        self.name = (
            f"{type(pipeline).__name__.removesuffix('Pipeline')} {printable(folder.resolve().name)}"
        )
        self.licence = licence_of(folder)
        self.hash = hash_folder(folder)
        self.pipeline = pipeline
        self.kind = kind
        self.takes_prompt = kind.takes_prompt
        self.sample_rate = int(kind.sample_rate(pipeline))
        self.channels = int(kind.channels(pipeline))
        self.most_seconds = kind.most_samples(pipeline) / self.sample_rate

    def _generate(self, request: SoundRequest) -> np.ndarray:
        # one sample more than is wanted, as pipelines round down
        n_samples = max(request.n_samples + 1, self.kind.least_samples(self.pipeline))
        asked = n_samples / self.sample_rate
        options = {**self.kind.options(self.pipeline), self.kind.seconds: asked}
        if self.takes_prompt:
            options["prompt"] = request.prompt or ""
        with quiet_diffusers():
            try:
                made = self.pipeline(
                    **options, generator=torch.Generator().manual_seed(request.random_seed)
                ).audios[0]
            except ValueError as error:
                raise ParameterError(f"{self.name}: {error}") from error
        made = torch.as_tensor(made).float().cpu().numpy()
        return made.reshape(-1, made.shape[-1])[:, : request.n_samples]
