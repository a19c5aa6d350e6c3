"""Cut the corpus and the targets of the measurements of voices out of public music.

The music is `data/core/music` of Debian's package `wesnoth-1.16-music` (The Battle for Wesnoth,
GPL-2+). Every file is mono, 44.1 kHz, 16 bits; the same music gives the same bytes.
"""

from pathlib import Path

import numpy as np
import soundfile as sf

from audio.channels import to_mono
from audio.read import read_audio
from audio.resample import resample

RATE = 44_100
CORPUS = ("elvish-theme", "knalgan_theme", "legends_of_the_north")
CORPUS_SECONDS = 200  # of each: ten minutes together
TARGETS = ("battle", "love_theme", "sad", "underground")
TARGET_START = 10  # seconds: what comes before is quiet in some
TARGET_SECONDS = 30


def cut_music(music: Path, out: Path) -> None:
    """Write out/corpus and out/targets; what is there already is kept."""
    for name in CORPUS:
        cut(music / f"{name}.ogg", out / "corpus" / f"{name}.wav", 0, CORPUS_SECONDS)
    for name in TARGETS:
        path = out / "targets" / f"{name}.wav"
        cut(music / f"{name}.ogg", path, TARGET_START, TARGET_SECONDS)


def cut(source: Path, path: Path, start: float, seconds: float) -> None:
    """Write part of an audio file as mono, unless it is there."""
    if path.exists():
        return
    samples = read_mono(source)
    first = round(start * RATE)
    write_mono(path, samples[first : first + round(seconds * RATE)])


def read_mono(path: Path) -> np.ndarray:
    """Return the mean of a file's channels at 44.1 kHz, float32, shape (n_samples,)."""
    audio = read_audio(path)
    return resample(to_mono(audio.samples), audio.sample_rate, RATE)


def write_mono(path: Path, samples: np.ndarray) -> None:
    """Write samples (n,) as WAV of 16 bits, softer where they would clip.

    Demiurge's own writer marks files as rendered, and databases leave those out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples / max(1.0, float(np.abs(samples).max())), RATE, subtype="PCM_16")
