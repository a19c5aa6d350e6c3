"""Render parts with a SoundFont, and write the sound to FLAC files."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from scipy.signal import butter, fftconvolve, sosfilt

from audio.resample import resample
from scripts.make.music.arrangement import Part

RATE = 22_050  # of the written files, if no other is asked for
# The synthesiser interpolates linearly: the images above 22 kHz must not alias.
RENDER_RATE = 88_200
MAX_SECONDS = 60.0  # of a file
TAIL_SECONDS = 3.0  # rendered after the last note, then trimmed
SILENCE_DB = -60.0
PEAK_DB = (-12.0, -1.0)
FADE_SAMPLES = 110  # 5 ms
DRUM_CHANNEL = 9
REVERB_SHARE = 0.5
OFFSET_HZ = 25.0
BEND_SEMITONES = 2.0  # of a full pitch bend

Event = tuple[int, int, int, int, int]  # sample, on or off, channel, key, velocity


def render(synth: Any, parts: list[Part], *, rate: int = RATE) -> np.ndarray:
    """Play the parts together; return the mean of both channels at `rate`, float32."""
    synth.sounds_off()
    synth.generate_simple(RENDER_RATE)  # let remaining notes decay
    events = sorted(choose_programs(synth, parts))
    blocks = []
    now = 0
    end = (events[-1][0] + round(TAIL_SECONDS * RENDER_RATE), 0, 0, 0, 0)
    for sample, is_on, channel, key, velocity in [*events, end]:
        if sample > now:
            stereo = np.frombuffer(synth.generate_simple(sample - now), np.float32).reshape(-1, 2)
            blocks.append(stereo.mean(axis=1))
            now = sample
        if is_on:
            synth.noteon(channel, key, velocity)
        else:
            synth.noteoff(channel, key)
    return trim(resample(np.concatenate(blocks), RENDER_RATE, rate))


def choose_programs(synth: Any, parts: list[Part]) -> list[Event]:
    """Give each part a channel with its program; return the events of all notes."""
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    events: list[Event] = []
    for part, free in zip(parts, channels, strict=False):
        channel = DRUM_CHANNEL if part.drums else free
        bank = 128 if part.drums else 0
        synth.program_select(channel, 0, bank, part.program, part.drums)
        synth.control_change(channel, 7, part.volume)
        synth.pitchbend(channel, round(8192 + part.semitones / BEND_SEMITONES * 8191))
        for note in part.notes:
            events.append((round(note.start * RENDER_RATE), 1, channel, note.key, note.velocity))
            events.append((round(note.end * RENDER_RATE), 0, channel, note.key, 0))
    return events


def trim(samples: np.ndarray) -> np.ndarray:
    """Cut the silence before the first and after the last sound."""
    silence = np.abs(samples).max() * 10 ** (SILENCE_DB / 20)
    loud = np.flatnonzero(np.abs(samples) > silence)
    return samples[loud[0] : loud[-1] + 1]


def reverberate(samples: np.ndarray, rng: np.random.Generator, *, rate: int = RATE) -> np.ndarray:
    """Add a room: noise that decays in 0.4 to 2 s, darker than the sound itself."""
    seconds = rng.uniform(0.4, 2.0)
    level = 10 ** (rng.uniform(-26.0, -12.0) / 20)
    times = np.arange(round(seconds * rate)) / rate
    room = rng.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    room = fftconvolve(room, np.full(3, 1 / 3), "same")
    room[: round(rng.uniform(0.005, 0.03) * rate)] = 0.0
    wet = fftconvolve(samples, room / np.sqrt(np.sum(room**2)))[: len(samples)]
    return samples + (level * np.std(samples) / np.std(wet) * wet).astype(np.float32)


def remove_offset(samples: np.ndarray, *, rate: int = RATE) -> np.ndarray:
    """Remove the inaudible DC offset: the mean of some SoundFont samples is far from zero."""
    filters = butter(2, OFFSET_HZ, "highpass", fs=rate, output="sos")
    return sosfilt(filters, samples).astype(np.float32)


def write(
    folder: Path,
    name: str,
    samples: np.ndarray,
    rng: np.random.Generator,
    *,
    rate: int = RATE,
    reverb_share: float = REVERB_SHARE,
) -> float:
    """Write files of equal length of at most `MAX_SECONDS`, each with a peak of its own.

    Returns the seconds written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if rng.random() < reverb_share:
        samples = reverberate(samples, rng, rate=rate)
    parts = np.array_split(samples, math.ceil(len(samples) / (MAX_SECONDS * rate)))
    for number, part in enumerate(parts, start=1):
        fade = np.minimum(np.arange(len(part)) / FADE_SAMPLES, 1.0)
        faded = part * fade * fade[::-1]
        level = 10 ** (rng.uniform(*PEAK_DB) / 20)
        suffix = f"_{number}" if len(parts) > 1 else ""
        path = folder / f"{name}{suffix}.flac"
        sf.write(path, faded * level / np.abs(faded).max(), rate, subtype="PCM_16")
    return len(samples) / rate
