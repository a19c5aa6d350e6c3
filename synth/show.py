"""What training sounds and looks like: WAV files, and mel spectrograms side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile as sf

from synth.mel import MelSettings, log_mel

SAFE_PEAK = 0.999


def save_sounds(
    folder: Path, step: int, triples: Sequence[tuple[np.ndarray, ...]], settings: MelSettings
) -> list[Path]:
    """Write (recorded, synthesised, mel) as WAV and one picture of both mels; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (recorded, synthesised, _) in enumerate(triples, start=1):
        for name, audio in {
            f"recorded-{number}": recorded,
            f"step-{step:07}-{number}": synthesised,
        }.items():
            paths.append(folder / f"{name}.wav")
            save_sound(paths[-1], audio, settings.sample_rate)
    title = f"synthesised after {step} updates"
    rows = {
        "held out": [mel for _, _, mel in triples],
        title: [log_mel(audio, settings) for _, audio, _ in triples],
    }
    picture = folder / f"step-{step:07}.png"
    save_mels(
        picture, {name: np.concatenate(mels, axis=1) for name, mels in rows.items()}, settings
    )
    return [*paths, picture]


def save_sound(path: Path, audio: np.ndarray, sample_rate: int) -> None:
    """A WAV file, lowered as a whole where it would be beyond full scale."""
    sf.write(path, audio / max(1.0, float(np.abs(audio).max()) / SAFE_PEAK), sample_rate)


def save_mels(path: Path, mels: dict[str, np.ndarray], settings: MelSettings) -> None:
    """A picture of log-mel spectrograms (n_mels, frames) below each other, by title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.2 * len(mels)), layout="constrained")
    axes = figure.subplots(len(mels), 1, squeeze=False)[:, 0]
    low = settings.silence
    high = max(float(mel.max()) for mel in mels.values())
    for axis, (title, mel) in zip(axes, mels.items(), strict=True):
        seconds = mel.shape[1] / settings.frame_rate
        axis.imshow(
            mel,
            origin="lower",
            aspect="auto",
            vmin=low,
            vmax=high,
            extent=(0, seconds, 0, len(mel)),
            cmap="magma",
        )
        axis.set(title=title, ylabel="mel band")
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=100)
