"""MusicGen."""

from pathlib import Path

from synth.plugins.plugin import Plugin


def open_musicgen(folder: Path, *, device: str) -> Plugin:
    raise NotImplementedError(folder)
