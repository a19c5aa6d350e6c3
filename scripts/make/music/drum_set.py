"""Drums to train on: takes in several styles by General MIDI kits and recorded strokes, loops."""

from pathlib import Path
from typing import Any

import numpy as np

from audio.resample import resample
from scripts.make.music import sampled_kit
from scripts.make.music.arrangement import Part
from scripts.make.music.drum_styles import STYLES
from scripts.make.music.drums import make_take
from scripts.make.music.sampled_kit import SampledKit
from scripts.make.music.sound import RATE, remove_offset, render, trim, write
from scripts.make.music.streams import random_stream

MINUTES = {"train": 60.0, "validation": 6.0}
SAMPLED_SHARE = 0.3  # of the takes of styles that allow it
REVERB_SHARE = 0.3
DRIVEN_SHARE = 0.5
DRIVE_DB = (3.0, 18.0)
TUNING = 1.5  # semitones, up or down

README = """
## drums

Percussion alone: `drums/train` (about {train:.0f} minutes) and `drums/validation`. Grooves in nine
styles, written for Demiurge, at 70 to 175 beats per minute, with fills, ghost notes, swing, and the
unevenness of a drummer, half of them saturated as by a tape; those for validation have other
grooves and tempi. About three in four are played by the SoundFont's kits, tuned up or down, the
others by the bundled recordings of single strokes (CC0, `demiurge/data/LICENSES.md`). `loop_*` are
bundled drum loops (CC0), repeated, those to train on also faster and slower; {loops} are for
validation only.
"""


def make_drums(
    synth: Any,
    folder: Path,
    minutes: float,
    seed: int,
    *,
    rate: int = RATE,
) -> float:
    """Write the loops of a part and takes of all styles in turn; return the seconds."""
    part = folder.name
    total = 0.0
    for name, samples in sampled_kit.loops(part).items():
        rng = random_stream(seed, f"{part} {name}")
        resampled = resample(samples, sampled_kit.RATE, rate)
        total += write(folder, name, resampled, rng, rate=rate, reverb_share=0.0)
    count = 0
    while total < minutes * 60:
        style = list(STYLES)[count % len(STYLES)]
        rng = random_stream(seed, f"drums {part} {count}")
        name, samples = play(synth, style, rng, validation=part == "validation", rate=rate)
        if rng.random() < DRIVEN_SHARE:
            samples = drive(samples, rng.uniform(*DRIVE_DB))
        name = f"{count:03d}_{name}"
        total += write(folder, name, samples, rng, rate=rate, reverb_share=REVERB_SHARE)
        count += 1
    return total


def play(
    synth: Any, name: str, rng: np.random.Generator, *, validation: bool, rate: int
) -> tuple[str, np.ndarray]:
    """Return a take of the named style at `rate`, and a name that says how it was played."""
    style = STYLES[name]
    take = make_take(style, rng, validation=validation)
    if style.sampled and rng.random() < SAMPLED_SHARE:
        samples = SampledKit(rng, validation=validation).render(take.notes)
        samples = trim(resample(samples, sampled_kit.RATE, rate))
        return f"{name}_{take.tempo}_strokes", samples
    kit = int(rng.choice(style.kits))
    tuning = rng.uniform(-TUNING, TUNING)
    part = Part(take.notes, kit, drums=True, semitones=tuning)
    samples = remove_offset(render(synth, [part], rate=rate), rate=rate)
    return f"{name}_{take.tempo}_kit{kit}", samples


def drive(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """Saturate softly, as by a tape: the strokes' peaks come nearer to what follows them."""
    loudest = np.abs(samples).max()
    return np.tanh(samples * (10 ** (gain_db / 20) / loudest)).astype(np.float32)
