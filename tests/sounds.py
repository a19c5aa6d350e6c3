"""Sounds whose measures are known."""

import numpy as np

RATE = 22050


def clicks(bpm, seconds, *, first=0.0, rate=RATE):
    """Decaying bursts of noise, all alike, at a tempo."""
    random = np.random.default_rng(0)
    length = rate // 10
    click = random.normal(0, 0.3, length) * np.exp(-np.arange(length) / (rate * 0.02))
    audio = np.zeros(round(seconds * rate) + length)
    for time in np.arange(first, seconds, 60 / bpm):
        start = round(time * rate)
        audio[start : start + length] += click
    return audio[: round(seconds * rate)].astype(np.float32)


def chord(pitches, seconds, *, rate=RATE, level=0.1):
    """Notes by MIDI number, each with four harmonics."""
    time = np.arange(round(seconds * rate)) / rate
    notes = [
        np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * n * time) / n
        for pitch in pitches
        for n in (1, 2, 3, 4)
    ]
    return (level * np.sum(notes, axis=0)).astype(np.float32)


def noise(seconds, *, seed=0, rate=RATE, level=0.1):
    return np.random.default_rng(seed).normal(0, level, round(seconds * rate)).astype(np.float32)
