"""Arrange excerpts of piano scores for other General MIDI instruments, some with drums."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from scripts.make.music.score import Note, Piece, excerpt, fold, perform, sustain

TRANSPOSITIONS = range(-5, 7)  # semitones
STRETCH = (0.85, 1.2)
VELOCITY_SHIFT = 15
DRUM_SHARE = 0.35
DRUM_KITS = (0, 8, 16, 24, 25, 32, 40)
BASSES = range(32, 40)

KICK = 36
STICK = 37
SNARE = 38
CLAP = 39
CLOSED_HAT = 42
OPEN_HAT = 46
CRASH = 49
RIDE = 51
TAMBOURINE = 54


@dataclass(frozen=True)
class Part:
    """Notes for one instrument: its program, whether it is a drum kit, and volume (0 to 127).

    All notes sound `semitones` higher, -2 to 2.
    """

    notes: list[Note]
    program: int
    drums: bool = False
    volume: int = 100
    semitones: float = 0.0


@dataclass(frozen=True)
class Family:
    """Similar instruments: General MIDI programs from 0, keys, and whether they swell slowly."""

    first: int
    last: int
    low: int
    high: int
    swells: bool = False

    def __contains__(self, program: int) -> bool:
        return self.first <= program <= self.last


FAMILIES = {
    "keys": Family(1, 7, 36, 96),
    "chromatic percussion": Family(8, 15, 55, 96),
    "organ": Family(16, 23, 36, 96),
    "guitar": Family(24, 31, 40, 84),
    "bass": Family(32, 39, 28, 55),
    "solo strings": Family(40, 46, 40, 88),
    "ensemble": Family(48, 54, 40, 84, swells=True),
    "brass": Family(56, 63, 40, 80),
    "reed": Family(64, 71, 46, 84),
    "pipe": Family(72, 79, 60, 96),
    "synth lead": Family(80, 87, 48, 88),
    "synth pad": Family(88, 95, 40, 84, swells=True),
    "ethnic": Family(104, 111, 48, 84),
}


def make_parts(piece: Piece, deck: list[int], rng: np.random.Generator) -> list[Part]:
    """Arrange an excerpt for one to three instruments of `deck`, perhaps with drums."""
    stretch = rng.uniform(*STRETCH)
    notes, seconds = excerpt(piece, stretch, rng)
    shift = int(rng.choice(list(TRANSPOSITIONS)))
    velocity = int(rng.integers(-VELOCITY_SHIFT, VELOCITY_SHIFT + 1))
    notes = perform(notes, shift, stretch, velocity, rng)
    bar = piece.bar * stretch
    count = int(rng.choice([1, 2, 3], p=[0.4, 0.35, 0.25]))
    programs = [next_program(deck, rng) for _ in range(count)]
    programs.sort(key=lambda program: program not in BASSES)  # a bass plays the lower hand
    lines = split_into_lines(notes, count, rng)
    parts = [
        instrument_part(line, program, bar, rng)
        for line, program in zip(lines, programs, strict=True)
        if line
    ]
    if rng.random() < DRUM_SHARE:
        parts.append(drum_part(bar, round(4 * piece.bar / piece.beat), seconds * stretch, rng))
    return parts


def split_into_lines(notes: list[Note], count: int, rng: np.random.Generator) -> list[list[Note]]:
    """Divide notes among one to three instruments.

    One gets all notes, two get a hand each, and a third doubles a hand, an octave up or down.
    """
    if count == 1:
        return [notes]
    hands = [[note for note in notes if note.hand == hand] for hand in (0, 1)]
    doubled = hands[int(rng.integers(2))]
    double = [replace(note, key=note.key + int(rng.choice([12, -12]))) for note in doubled]
    return [*hands, double][:count]


def next_program(deck: list[int], rng: np.random.Generator) -> int:
    """Take the next program from a shuffled deck, which is refilled when it is empty."""
    if not deck:
        families = FAMILIES.values()
        programs = [p for family in families for p in range(family.first, family.last + 1)]
        deck.extend(int(p) for p in rng.permutation(programs))
    return deck.pop()


def instrument_part(notes: list[Note], program: int, bar: float, rng: np.random.Generator) -> Part:
    """Fit notes to a program: fold them into its range, and sustain them if it swells slowly."""
    family = next(family for family in FAMILIES.values() if program in family)
    notes = fold(notes, family.low, family.high)
    if family.swells or rng.random() < 0.25:
        notes = sustain(notes, bar / int(rng.choice([1, 2])))
    return Part(notes, program, volume=int(rng.integers(75, 115)))


@dataclass(frozen=True)
class Pattern:
    """A drum pattern of one bar of `steps` sixteenth notes."""

    steps: int
    kick: set[int]
    snare: set[int]
    top_every: int
    top: int
    beater: int

    @classmethod
    def random(cls, steps: int, rng: np.random.Generator) -> "Pattern":
        weak = steps // 2
        backbeats = {4, steps - 4}
        if steps % 8 == 0:
            backbeats = {steps // 4, 3 * steps // 4}
        kick = {s for s in range(steps) if s == 0 or rng.random() < (0.7 if s == weak else 0.12)}
        snare = {s for s in range(steps) if s in backbeats or rng.random() < 0.05}
        top_every = int(rng.choice([1, 2, 2, 4]))
        top = int(rng.choice([CLOSED_HAT, CLOSED_HAT, RIDE, TAMBOURINE]))
        beater = int(rng.choice([SNARE, SNARE, STICK, CLAP]))
        return cls(steps, kick, snare, top_every, top, beater)

    def hits(self, bar: int, step: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """Yield key and velocity of the drums struck at a step; every fourth bar has a fill."""
        fills = bar % 4 == 3
        if step in self.kick:
            crashes = step == 0 and bar % 8 == 0 and bar > 0
            yield CRASH if crashes else KICK, 95
        if step in self.snare or (fills and step >= self.steps - 4 and rng.random() < 0.7):
            yield self.beater, 88
        if step % self.top_every == 0:
            opens = self.top == CLOSED_HAT and fills and step == self.steps - 2
            yield OPEN_HAT if opens else self.top, 78 if step % 4 == 0 else 58


def drum_part(bar: float, steps: int, seconds: float, rng: np.random.Generator) -> Part:
    """Repeat a random pattern of one bar.

    Parameters
    ----------
    bar : float, seconds
    steps : int, sixteenth notes in a bar
    seconds : float, length of the whole
    """
    pattern = Pattern.random(steps, rng)
    notes = []
    for number in range(math.ceil(seconds / bar)):
        for step in range(steps):
            time = number * bar + step * bar / steps
            if time >= seconds:
                break
            for key, velocity in pattern.hits(number, step, rng):
                late = rng.normal(0.0, 0.004)
                loud = int(np.clip(velocity + rng.normal(0.0, 6.0), 15, 127))
                start = max(time + late, 0.0)
                notes.append(Note(start, start + 0.1, key, loud))
    return Part(notes, int(rng.choice(DRUM_KITS)), drums=True, volume=int(rng.integers(55, 100)))
