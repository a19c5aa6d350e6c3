"""Make one clip from one random seed, and check it."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from synth.faults import audio_fault, mel_fault
from synth.flow_generator import FlowGenerator, FlowRequest
from synth.generator import Generator
from synth.join_recording import replace_span
from synth.mel import MelSettings
from synth.vocoder import Vocoder
from training.precision import autocast

SAFE_PEAK = 0.999
MIN_CHECKED_SECONDS = 1.0  # a shorter sound may well be steady, or nearly silent


@dataclass(frozen=True)
class Join:
    """The span [start, stop) of a recording that a clip replaces.

    Attributes
    ----------
    recording : ndarray, float32, shape (n_samples,)
    first : int
        Sample of the recording at which the mel begins.
    """

    recording: np.ndarray
    first: int
    start: int
    stop: int


@dataclass(frozen=True)
class ClipPlan:
    """How to make a clip; only its random seed is missing.

    Attributes
    ----------
    n_samples : int > 0
        Of new sound.
    n_frames : int > 0
        Of mel, with what is given.
    request : FlowRequest, optional
        By default any generator does.
    join : Join, optional
        By default the clip is all new.
    first_new : int
        The first frame that is new.
    """

    n_samples: int
    n_frames: int
    request: FlowRequest | None = None
    join: Join | None = None
    first_new: int = 0

    @property
    def loops(self) -> bool:
        return self.request is not None and self.request.loop


@dataclass(frozen=True)
class GeneratedClip:
    """Float32 audio (n_samples,), its new sound changed by `gain_db` if too loud, or its fault."""

    audio: np.ndarray
    gain_db: float = 0.0
    fault: str | None = None


def plain_clip(n_samples: int, mel: MelSettings, request: FlowRequest | None = None) -> ClipPlan:
    """Return the plan of a clip that is all new."""
    return ClipPlan(n_samples, -(-n_samples // mel.hop_length), request)


def make_clip(
    generator: Generator, vocoder: Vocoder, plan: ClipPlan, *, random_seed: int
) -> GeneratedClip:
    """Make the audio of one seed and check it.

    With one torch thread, the same machine and torch give the same bytes.
    """
    settings = generator.mel
    is_checked = plan.n_samples >= MIN_CHECKED_SECONDS * settings.sample_rate
    with torch.inference_mode():
        with autocast(generator.mean.device, vocoder.precision):
            mel = _sample(generator, plan, random_seed)
        if not np.isfinite(mel).all():
            return GeneratedClip(np.zeros(0, np.float32), fault="not finite")
        new_mel = mel[:, plan.first_new :][:, : -(-plan.n_samples // settings.hop_length)]
        if is_checked and (fault := mel_fault(new_mel, settings)):
            return GeneratedClip(np.zeros(0, np.float32), fault=fault)
        audio = vocode_loop(vocoder, mel) if plan.loops else vocoder.synthesise(mel)
    if not np.isfinite(audio).all():
        return GeneratedClip(audio, fault="not finite")
    new = audio[: plan.n_samples]
    if plan.join is not None:
        start = plan.join.start - plan.join.first
        new = audio[start : start + plan.n_samples]
    gain_db, factor = safe_gain(new)
    fault = audio_fault(new * factor, settings) if is_checked else None
    if plan.join is None:
        return GeneratedClip(new * factor, gain_db, fault)
    joined = replace_span(
        plan.join.recording,
        audio * factor,
        first=plan.join.first,
        start=plan.join.start,
        stop=plan.join.stop,
        sample_rate=settings.sample_rate,
    )
    return GeneratedClip(joined, gain_db, fault)


def _sample(generator: Generator, plan: ClipPlan, random_seed: int) -> np.ndarray:
    """Return the log-mel (n_mels, n_frames) of a seed."""
    if plan.request is None:
        return generator.sample(plan.n_frames, random_seeds=[random_seed])[0].float().numpy()
    assert isinstance(generator, FlowGenerator)
    mels = generator.sample(plan.n_frames, random_seeds=[random_seed], request=plan.request)
    return mels[0].float().numpy()


def vocode_loop(vocoder: Vocoder, mel: np.ndarray) -> np.ndarray:
    """Synthesise a loop: its end is followed by its beginning, as the vocoder hears it."""
    context = vocoder.network.context_frames
    hop = vocoder.mel.hop_length
    around = np.pad(mel, ((0, 0), (context, context)), mode="wrap")
    return vocoder.synthesise(around)[context * hop : (context + mel.shape[1]) * hop]


def safe_gain(audio: np.ndarray) -> tuple[float, np.float32]:
    """Return by how much to lower audio so that its peak is safe: in decibels, and as a factor."""
    peak = float(np.abs(audio).max())
    if peak <= SAFE_PEAK:
        return 0.0, np.float32(1)
    return 20 * math.log10(SAFE_PEAK / peak), np.float32(SAFE_PEAK / peak)
