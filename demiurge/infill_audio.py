"""Infill of audio: a codec's latents → tokens → masked model → latents → the codec's decoder.

    audio      |~~~~|~~~~|~~~~|~~~~|~~~~|      frames of the codec
    tokens       a    ▢    ▢    d    e         those that are not kept are masked
    filled       a    b    c    d    e
    decoded    |~~~~|~~~~|~~~~|~~~~|~~~~|      exactly as long as the audio

No corpus is played from: what is filled in never sounded before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from audio.onsets import find_onsets
from audio.read import read_mono
from db.settings import DescriptorSettings
from demiurge.model_descriptors import CODEC_KINDS, codec_of_frames, one_at_a_time
from demiurge.sequences import DescriptorSequence, describe
from demiurge.write_sound import write_sound
from files.errors import AudioError, ParameterError
from files.progress import Progress, no_progress
from sequencer.infill import InfillOptions, fill_tokens
from sequencer.masked import MaskedModel
from sequencer.prompts import Prompt, StepTimes, keep_mask
from synth.codec import Codec


@dataclass(frozen=True)
class AudioInfill:
    """Audio of which a part was filled in.

    Attributes
    ----------
    wav : Path
    n_samples, sample_rate : int
    n_steps, n_kept : int
        Frames of the codec, and how many of them are kept whole.
    n_tokens, n_kept_tokens : int
    codec, licence : str
    gain : float
        By which the whole was lowered, to stay below full scale.
    """

    wav: Path
    n_samples: int
    sample_rate: int
    n_steps: int
    n_kept: int
    n_tokens: int
    n_kept_tokens: int
    codec: str
    licence: str
    gain: float


def infill_audio(
    audio: str | Path,
    model: str | Path,
    outputs: Sequence[Path],
    *,
    prompts: Sequence[Prompt],
    options: InfillOptions,
    progress: Progress = no_progress,
) -> list[AudioInfill]:
    """Fill in a part of an audio file, once for each output.

    Raises
    ------
    ParameterError
        If the model is not one of a codec's frames, nothing would be kept or filled in, or an
        output cannot be written.
    AudioError
        If the file cannot be read, or nothing audible can be decoded.
    CheckpointError, DatabaseError
        If the model cannot be loaded, or its codec is missing or another one now.
    """
    masked = MaskedModel.load(model)
    settings = masked.config.settings
    codec = _codec_of(settings, model)
    heard = describe(audio, settings, whose=f"the model {model}")
    n_samples = int(heard.step_samples.sum())
    times = _step_times(audio, heard, settings)
    rng = np.random.default_rng(options.sampling.random_seed)
    keep = keep_mask(prompts, times, masked.levels, rng)
    _check_keep(keep, prompts)
    generator = torch.Generator().manual_seed(options.sampling.random_seed)
    results = []
    for out in outputs:
        with one_at_a_time():
            latents = fill_latents(
                masked, heard.descriptors, keep, options, generator=generator, progress=progress
            )
            samples = codec.decode(latents, n_samples=n_samples)
        if not np.isfinite(samples).all():
            raise AudioError(
                f"{codec.name} decodes what was filled in to samples that are NaN or infinite; use"
                " another codec"
            )
        gain = write_sound(out, samples.T, codec.sample_rate)
        results.append(
            AudioInfill(
                wav=out,
                n_samples=n_samples,
                sample_rate=codec.sample_rate,
                n_steps=len(keep),
                n_kept=int(keep.all(axis=1).sum()),
                n_tokens=keep.size,
                n_kept_tokens=int(keep.sum()),
                codec=codec.name,
                licence=codec.licence,
                gain=gain,
            )
        )
    return results


def fill_latents(
    model: MaskedModel,
    latents: np.ndarray,
    keep: np.ndarray,
    options: InfillOptions,
    *,
    generator: torch.Generator,
    progress: Progress = no_progress,
) -> np.ndarray:
    """Return latents (frames, n_latents) whose tokens are filled in where they are not kept.

    If the tokens are the codec's own, these are what it makes of all of them. Else frames of which
    all tokens are kept stay as they were encoded.

    Parameters
    ----------
    keep : ndarray, bool, shape (frames, levels)
    """
    quantiser = model.head.quantiser
    codes = quantiser.quantise(model.normalise(torch.from_numpy(np.ascontiguousarray(latents))))
    filled = fill_tokens(
        model, codes, torch.from_numpy(keep), options, generator=generator, progress=progress
    )
    restored = quantiser.restore(filled)
    if quantiser.of_codec:
        return np.asarray(model.denormalise(restored), np.float32)
    restored = model.denormalise(restored.clamp(model.low, model.high))
    free = ~keep.all(axis=1)
    made = latents.copy()
    made[free] = restored.numpy()[free]
    return made


def _codec_of(settings: DescriptorSettings, model: str | Path) -> Codec:
    """Return the codec whose frames are the steps of a model, and nothing else."""
    if codec := codec_of_frames(settings):
        return codec
    is_codec = len(settings.descriptors) == 1 and settings.descriptors[0] in CODEC_KINDS
    if is_codec and settings.units == "frame":
        known = settings.models[0]
        remedy = (
            f"its frames are of {settings.hop_length} samples at {settings.sample_rate} Hz, the"
            f" codec's of {known.hop_length} at {known.sample_rate}; build a database with"
            f" --sample-rate {known.sample_rate} --hop-length {known.hop_length}"
        )
    else:
        remedy = (
            "it knows other descriptors than a codec's; build a database with --units frame"
            " --descriptors codec:PATH"
        )
    raise ParameterError(
        f"{model}: audio can only be filled in by a masked model of a codec's frames: {remedy}, and"
        " train a masked model on it"
    )


def _step_times(
    audio: str | Path, heard: DescriptorSequence, settings: DescriptorSettings
) -> StepTimes:
    ends = np.cumsum(heard.step_samples)

    def onsets() -> np.ndarray:
        samples, info = read_mono(audio)
        return find_onsets(samples, info.sample_rate)

    rate = settings.sample_rate
    return StepTimes((ends - heard.step_samples) / rate, ends / rate, onsets)


def _check_keep(keep: np.ndarray, prompts: Sequence[Prompt]) -> None:
    names = ", ".join(prompt.text for prompt in prompts)
    if not keep.any():
        raise ParameterError(f"{names}: none of the {len(keep)} frames is kept; keep more of them")
    if keep.all():
        raise ParameterError(
            f"{names}: all {len(keep)} frames are kept, so that nothing is filled in; keep fewer"
        )
