"""Recordings that generated sound goes on from, fills, resembles or follows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audio.cancellation import CANCELLED
from audio.read import measure_mono
from audio.resample import resample_blocks
from files.errors import AudioError, ParameterError
from synth.faults import SILENT_PEAK
from synth.mel import MelSettings, log_mel


@dataclass(frozen=True)
class Recording:
    """A recording at a model's sample rate.

    Attributes
    ----------
    name : str
    audio : ndarray, float32, shape (n_samples,), within ±1
    note : str
        What was changed to make it so, or "".
    """

    name: str
    audio: np.ndarray
    note: str


def read_recording(path: Path, rate: int) -> Recording:
    """Decode a file of any rate and number of channels to mono at `rate`.

    Raises
    ------
    AudioError
        If it cannot be read, or holds NaN.
    """
    audio, info = measure_mono(
        path,
        lambda info, blocks: np.concatenate([*resample_blocks(blocks, info.sample_rate, rate)]),
    )
    changes = [*info.warnings]
    is_mixed = not any(warning.startswith(CANCELLED) for warning in info.warnings)
    if info.channels > 1 and is_mixed:
        changes.append(f"{info.channels} channels are mixed to one")
    if info.sample_rate != rate:
        changes.append(f"resampled from {info.sample_rate} to {rate} Hz")
    peak = float(np.abs(audio).max())
    if peak > 1:
        audio /= np.float32(peak)
        changes.append(f"lowered by {20 * np.log10(peak):.1f} dB, since its peak was above 1")
    note = f"{path.name}: {', '.join(changes)}" if changes else ""
    return Recording(path.name, audio, note)


def check_length(recording: Recording, least: int, sample_rate: int) -> None:
    """Refuse a recording of fewer than `least` samples."""
    n_samples = len(recording.audio)
    if n_samples < least:
        raise AudioError(
            f"{recording.name}: {n_samples / sample_rate:.3f} s are too short to be described; give"
            f" at least {least / sample_rate:.3f} s"
        )


def check_audible(name: str, audio: np.ndarray) -> None:
    """Refuse silence, which says nothing about what is to be made."""
    if np.abs(audio).max(initial=0) < SILENT_PEAK:
        raise AudioError(f"{name}: silent; give a sound")


def cut_mel(audio: np.ndarray, start: int, n_frames: int, settings: MelSettings) -> Tensor:
    """Return log-mel (n_mels, n_frames) from a sample on, as that of the whole signal has it."""
    hop = settings.hop_length
    margin = -(-settings.n_fft // (2 * hop))  # frames around, so that nothing is reflected
    before = min(margin, start // hop)
    last = start + (n_frames + margin) * hop
    mel = log_mel(audio[start - before * hop : last], settings)
    return torch.from_numpy(mel[:, before : before + n_frames])


def check_span(span: tuple[float, float], recording: Recording, settings: MelSettings) -> None:
    """Refuse a span, in seconds, that is not within a recording."""
    start, stop = span
    seconds = len(recording.audio) / settings.sample_rate
    if not 0 <= start < stop:
        raise ParameterError(
            f"--from {start:g} --to {stop:g}: a span must begin at 0 or later, and end after that"
        )
    if stop > seconds + 0.001:  # as printed
        raise ParameterError(
            f"--to {stop:g} lies after the end of {recording.name}, which lasts {seconds:.3f} s"
        )
