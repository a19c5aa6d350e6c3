"""Drum takes: grooves of a style in phrases, with variations, fills, and a drummer's unevenness."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scripts.make.music.drum_styles import (
    CLOSED_HAT,
    CRASH,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MID_TOM,
    OPEN_HAT,
    RIDE,
    SNARE,
    SPLASH,
    SWIRL,
    Style,
)
from scripts.make.music.score import Note

TAKE_SECONDS = (24.0, 58.0)
VELOCITIES = {"X": 112, "x": 88, "g": 40, "?": 84, ",": 36}
CHANCES = {"?": 0.5, ",": 0.35}
TOPS = (CLOSED_HAT, OPEN_HAT, RIDE)
TOMS = (HIGH_TOM, HIGH_TOM, MID_TOM, LOW_TOM)
FILLS = ("roll", "toms", "linear", "stop", "drag")
VALIDATION_TEMPO = 5  # tempi that are multiples of it are for validation, the others to train on

Stroke = tuple[float, int, float]  # step of the bar, key, velocity
Groove = dict[int, str]


@dataclass(frozen=True)
class Take:
    """A recording to be made: its notes, and the tempo in beats per minute."""

    notes: list[Note]
    tempo: int


def make_take(style: Style, rng: np.random.Generator, *, validation: bool) -> Take:
    """Play a style for `TAKE_SECONDS`; takes for validation have other grooves and tempi."""
    tempo = choose_tempo(style.tempo, rng, validation=validation)
    bar = style.beats * 60 / tempo  # seconds
    n_bars = max(round(rng.uniform(*TAKE_SECONDS) / bar), 4)
    grooves = [choose_groove(style, rng, validation=validation) for _ in range(2)]
    hands = Hands(style, bar, len(grooves[0][next(iter(grooves[0]))]), rng)
    notes: list[Note] = []
    for number, strokes in enumerate(phrases(style, grooves, n_bars, rng)):
        notes += hands.play(number, strokes)
    return Take(sorted(notes, key=lambda note: note.start), tempo)


def choose_tempo(tempi: tuple[int, int], rng: np.random.Generator, *, validation: bool) -> int:
    every = range(tempi[0], tempi[1] + 1)
    return int(rng.choice([t for t in every if (t % VALIDATION_TEMPO == 0) == validation]))


def choose_groove(style: Style, rng: np.random.Generator, *, validation: bool) -> Groove:
    """Choose a bar for each drum; in training, vary some by a stroke more or less."""
    chosen = {}
    for key, alternatives in style.grooves.items():
        if validation:
            chosen[key] = alternatives[-1]
            continue
        groove = str(rng.choice(list(alternatives[:-1])))
        chosen[key] = vary(groove, rng) if rng.random() < 0.35 else groove
    return chosen


def vary(groove: str, rng: np.random.Generator) -> str:
    """Move or add a weak stroke; an empty bar stays empty."""
    if not groove.strip("."):
        return groove
    strokes = list(groove)
    step = int(rng.integers(1, len(strokes)))
    strokes[step] = "." if strokes[step] in "xg?," else str(rng.choice(list("xg?")))
    return "".join(strokes)


def phrases(
    style: Style, grooves: list[Groove], n_bars: int, rng: np.random.Generator
) -> Iterator[list[Stroke]]:
    """Yield the strokes of each bar: phrases of four or eight bars, most of which end in a fill."""
    bars = int(rng.choice([4, 4, 8]))
    crashes = False
    silent: set[int] = set()
    for number in range(n_bars):
        place = number % bars
        if place == 0:
            silent = rest(grooves[0], rng)
        groove = (
            grooves[1] if place == bars - 2 or (place > bars // 2 and number % 2) else grooves[0]
        )
        strokes = [stroke for stroke in read(groove, rng) if stroke[1] not in silent]
        if crashes:
            strokes.append((0.0, CRASH if rng.random() < 0.8 else SPLASH, 104.0))
        crashes = False
        if place == bars - 1 and rng.random() < style.fills:
            strokes = fill(strokes, len(groove[KICK]), rng)
            crashes = rng.random() < 0.7
        yield strokes


def rest(groove: Groove, rng: np.random.Generator) -> set[int]:
    """Choose the drums that rest for a phrase: in most phrases none."""
    chance = rng.random()
    if chance < 0.08:
        return {KICK}
    if chance < 0.14:
        return set(groove) - set(TOPS)
    if chance < 0.2:
        return set(TOPS)
    return set()


def read(groove: Groove, rng: np.random.Generator) -> list[Stroke]:
    """Return the strokes of a bar, with those that are left to chance decided."""
    strokes = []
    for key, bar in groove.items():
        for step, letter in enumerate(bar):
            if letter != "." and rng.random() < CHANCES.get(letter, 1.0):
                strokes.append((float(step), key, float(VELOCITIES[letter])))
    return strokes


def fill(strokes: list[Stroke], n_steps: int, rng: np.random.Generator) -> list[Stroke]:
    """Replace the last quarter or half of a bar by a fill."""
    first = n_steps - n_steps // int(rng.choice([2, 4, 4]))
    kept = [stroke for stroke in strokes if stroke[0] < first]
    kind = str(rng.choice(FILLS))
    if kind == "stop":
        return [*kept, (float(first), SNARE, 118.0)]
    times = np.arange(first, n_steps, 0.5 if kind == "roll" and rng.random() < 0.4 else 1.0)
    loud = np.linspace(rng.uniform(50, 90), 116, len(times))
    for number, (time, velocity) in enumerate(zip(times, loud, strict=True)):
        if kind == "toms":
            key = TOMS[number * len(TOMS) // len(times)]
        elif kind == "linear":
            key = int(rng.choice([KICK, SNARE, HIGH_TOM, LOW_TOM, CLOSED_HAT]))
        else:
            key = SNARE
        kept.append((float(time), key, float(velocity)))
        if kind == "drag":
            kept += [(time - 0.3, SNARE, 44.0), (time - 0.18, SNARE, 50.0)]
    return kept


class Hands:
    """A drummer's timing and touch: swing, early or late drums, unevenness, a slow drift."""

    def __init__(self, style: Style, bar: float, n_steps: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.bar = bar
        self.n_steps = n_steps
        self.swing = rng.uniform(*style.swing) if n_steps % 16 == 0 else 0.5
        self.spread = style.looseness_ms / 1000 * rng.uniform(0.5, 1.4)
        self.touch = rng.uniform(3.0, 9.0)
        self.level = rng.uniform(-18.0, 8.0)
        self.offsets: dict[int, float] = {}
        self.drift = 0.0

    def play(self, number: int, strokes: list[Stroke]) -> Iterator[Note]:
        """Yield the notes of the bar `number`."""
        self.drift += self.rng.normal(0.0, self.spread / 3)
        for step, key, velocity in strokes:
            offset = self.offsets.setdefault(key, self.rng.normal(0.0, self.spread))
            late = offset + self.drift + self.rng.normal(0.0, self.spread / 2)
            start = max(number * self.bar + self.time(step) + late, 0.0)
            loud = int(np.clip(velocity + self.level + self.rng.normal(0.0, self.touch), 8, 127))
            yield Note(start, start + self.length(key), key, loud)

    def time(self, step: float) -> float:
        """Return the time of a step from the start of its bar, in seconds."""
        pair, rest = divmod(step, 2.0)
        swung = (
            rest * self.swing * 2
            if rest <= 1
            else self.swing * 2 + (rest - 1) * 2 * (1 - self.swing)
        )
        return (pair * 2 + swung) * self.bar / self.n_steps

    def length(self, key: int) -> float:
        """Return how long a note is held: a swirl lasts two beats, a stroke rings as it will."""
        return self.bar / 2.2 if key == SWIRL else 0.12
