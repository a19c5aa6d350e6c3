"""Excerpts of the scores for other instruments, or for piano alone, until some minutes are full."""

from pathlib import Path
from typing import Any

import numpy as np

from scripts.make.music.arrangement import (
    STRETCH,
    TRANSPOSITIONS,
    VELOCITY_SHIFT,
    Part,
    make_parts,
)
from scripts.make.music.score import Piece, excerpt, perform, sustain
from scripts.make.music.sound import RATE, remove_offset, render, write
from scripts.make.music.streams import random_stream

PIANO = 0  # General MIDI program
PEDAL_SHARE = 0.5
# The names of random streams determine the bytes: keep those the shipped models were trained with.
GM_STREAMS = {"train": "gm train", "validation": "gm held_out"}


def make_gm(
    synth: Any,
    pieces: list[Piece],
    folder: Path,
    minutes: float,
    seed: int,
    *,
    rate: int = RATE,
) -> float:
    """Render excerpts of the pieces in turn until the minutes are full; return the seconds."""
    total = 0.0
    count = 0
    deck: list[int] = []
    while total < minutes * 60:
        piece = pieces[count % len(pieces)]
        rng = random_stream(seed, f"{GM_STREAMS[folder.name]} {count}")
        parts = make_parts(piece, deck, rng)
        programs = "-".join(
            f"kit{part.program}" if part.drums else f"{part.program:03d}" for part in parts
        )
        name = f"{count:03d}_{piece.name}_{programs}"
        samples = remove_offset(render(synth, parts, rate=rate), rate=rate)
        total += write(folder, name, samples, rng, rate=rate)
        count += 1
    return total


def make_piano_excerpts(
    synth: Any, pieces: list[Piece], folder: Path, minutes: float, seed: int, *, rate: int
) -> float:
    """Render excerpts of the pieces in turn, by a piano; return the seconds written."""
    total = 0.0
    count = 0
    while total < minutes * 60:
        piece = pieces[count % len(pieces)]
        rng = random_stream(seed, f"piano excerpt {folder.name} {count}")
        samples = render(synth, [piano_excerpt(piece, rng)], rate=rate)
        total += write(folder, f"piano_{count:03d}_{piece.name}", samples, rng, rate=rate)
        count += 1
    return total


def piano_excerpt(piece: Piece, rng: np.random.Generator) -> Part:
    """Perform some bars of a piece, transposed, re-timed, with or without pedal."""
    stretch = rng.uniform(*STRETCH)
    notes, _ = excerpt(piece, stretch, rng)
    shift = int(rng.choice(list(TRANSPOSITIONS)))
    velocity = int(rng.integers(-VELOCITY_SHIFT, VELOCITY_SHIFT + 1))
    notes = perform(notes, shift, stretch, velocity, rng)
    if rng.random() < PEDAL_SHARE:
        notes = sustain(notes, float(rng.choice([piece.beat, piece.bar])) * stretch)
    return Part(notes, PIANO)
