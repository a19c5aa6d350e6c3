"""Samples written in training: WAV files, and pictures of mel spectrograms."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf

from synth.griffin_lim import griffin_lim
from synth.mel import MelSettings, log_mel

SAFE_PEAK = 0.999


class Sample(NamedTuple):
    """A validation excerpt, float32 (n_samples,), its copy, and its mel (n_mels, frames)."""

    original: np.ndarray
    synthesised: np.ndarray
    mel: np.ndarray


def save_samples(
    folder: Path, step: int, samples: Sequence[Sample], settings: MelSettings
) -> list[Path]:
    """Write originals and copies as WAV, and a picture of their mels; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, sample in enumerate(samples, start=1):
        original = folder / f"original-{number}.wav"
        save_wav(original, sample.original, settings.sample_rate)
        synthesised = folder / f"step-{step:07}-{number}.wav"
        save_wav(synthesised, sample.synthesised, settings.sample_rate)
        paths += [original, synthesised]
    copies = [log_mel(sample.synthesised, settings) for sample in samples]
    rows = {
        "validation": np.concatenate([sample.mel for sample in samples], axis=1),
        f"synthesised after {step} steps": np.concatenate(copies, axis=1),
    }
    picture = folder / f"step-{step:07}.png"
    plot_mels(picture, rows, settings)
    return [*paths, picture]


def save_generated(
    folder: Path,
    step: int,
    generated: np.ndarray,
    recorded: dict[str, np.ndarray],
    settings: MelSettings,
) -> list[Path]:
    """Write the audio of two generated mels, and a picture of them below recorded ones."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"step-{step:07}.png"
    titles = (f"generated after step {step}", "another")
    plot_mels(picture, {**recorded, **dict(zip(titles, generated, strict=True))}, settings)
    paths = [picture]
    for number, clip in enumerate(generated, start=1):
        path = folder / f"step-{step:07}-{number}.wav"
        save_wav(path, griffin_lim(clip, settings), settings.sample_rate)
        paths.append(path)
    return paths


def save_wav(path: Path, audio: np.ndarray, sample_rate: int) -> None:
    """Write audio, lowered as a whole if it exceeds full scale."""
    peak = float(np.abs(audio).max())
    sf.write(path, audio / max(1.0, peak / SAFE_PEAK), sample_rate)


def plot_mels(path: Path, mels: dict[str, np.ndarray], settings: MelSettings) -> None:
    """Plot log-mel spectrograms (n_mels, frames) below each other, by title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.2 * len(mels)), layout="constrained")
    axes = figure.subplots(len(mels), 1, squeeze=False)[:, 0]
    low = settings.silence
    high = max(float(mel.max()) for mel in mels.values())
    for axis, (title, mel) in zip(axes, mels.items(), strict=True):
        extent = (0, mel.shape[1] / settings.frame_rate, 0, len(mel))
        image = {"origin": "lower", "aspect": "auto", "cmap": "magma"}
        axis.imshow(mel, vmin=low, vmax=high, extent=extent, **image)
        axis.set(title=title, ylabel="mel band")
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=100)
