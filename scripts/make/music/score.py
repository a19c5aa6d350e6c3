"""Public-domain piano scores: read them from MIDI files, perform them, cut excerpts."""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

VELOCITY = 72  # the scores' own velocities are flat
EXCERPT_SECONDS = (10.0, 38.0)  # without the decay at the end
SHORTEST_NOTE = 0.04  # seconds


@dataclass(frozen=True)
class Note:
    """A note: start and end in seconds, MIDI key and velocity, and hand (0 the lower)."""

    start: float
    end: float
    key: int
    velocity: int
    hand: int = 0


@dataclass(frozen=True)
class Piece:
    """A score: seconds per `beat` and per `bar`, and what the package states about it."""

    name: str
    notes: list[Note]
    beat: float
    bar: float
    facts: dict[str, str]


def public_domain_pieces(midi_dir: Path) -> list[Piece]:
    """Read every piece that has a MIDI file and is stated to be in the public domain."""
    pieces = []
    for path in sorted(midi_dir.glob("*/*.json")):
        document = json.loads(path.read_text())
        provenance = document.get("provenance", {})
        midi = path.with_suffix(".mid")
        if provenance.get("arrangement_license") != "Public-Domain" or not midi.exists():
            continue
        if hashlib.sha256(midi.read_bytes()).hexdigest() != provenance["midi_sha256"]:
            raise SystemExit(f"{midi} is not the file whose licence was examined")
        facts = {
            "title": document["title"],
            "composer": document["composer"],
            "typeset": provenance["arrangement_creator"],
            "terms": provenance["terms_url"],
            "sha256": provenance["midi_sha256"],
        }
        pieces.append(read_piece(midi, facts))
    return pieces


def read_piece(path: Path, facts: dict[str, str]) -> Piece:
    """Read a MIDI file of one tempo whose two hands are on two channels."""
    import mido

    file = mido.MidiFile(path)
    beat = 0.5
    bar_beats = 4.0
    messages = list(mido.merge_tracks(file.tracks))
    for message in messages:
        if message.type == "set_tempo":
            beat = message.tempo / 1e6
        elif message.type == "time_signature":
            bar_beats = 4.0 * message.numerator / message.denominator
    notes = in_seconds(read_notes(messages), beat / file.ticks_per_beat)
    return Piece(path.stem, notes, beat, bar_beats * beat, facts)


def read_notes(messages) -> list[Note]:
    """Return the notes of MIDI messages: times in ticks, the channel as the hand."""
    volumes: dict[int, int] = {}
    struck: dict[tuple[int, int], tuple[int, float]] = {}
    notes = []
    ticks = 0
    for message in messages:
        ticks += message.time
        if message.type == "control_change" and message.control == 7:
            volumes[message.channel] = message.value
        elif message.type in {"note_on", "note_off"}:
            key = (message.channel, message.note)
            start, velocity = struck.pop(key, (0, 0))
            if velocity and ticks > start:
                notes.append(Note(start, ticks, message.note, velocity, message.channel))
            if message.type == "note_on" and message.velocity:
                volume = volumes.get(message.channel, 100)
                struck[key] = (ticks, message.velocity * volume / 100)
    return notes


def in_seconds(notes: list[Note], tick: float) -> list[Note]:
    """Return notes in order of time, in seconds, with hands numbered by the mean of their keys.

    A tick lasts `tick` seconds.
    """

    def mean_key(hand: int) -> float:
        return float(np.mean([note.key for note in notes if note.hand == hand]))

    lower = min({note.hand for note in notes}, key=mean_key)
    middle = np.median([note.velocity for note in notes])
    timed = []
    for note in sorted(notes, key=lambda note: (note.start, note.key)):
        velocity = round(VELOCITY + (note.velocity - middle) / 2)
        hand = int(note.hand != lower)
        timed.append(Note(note.start * tick, note.end * tick, note.key, velocity, hand))
    return timed


def perform(
    notes: list[Note], transpose: int, stretch: float, velocity: int, rng: np.random.Generator
) -> list[Note]:
    """Transpose, re-time and play unevenly, in swells, the upper hand a little louder.

    Parameters
    ----------
    transpose : int, semitones
    stretch : float, factor on all times
    velocity : int, added to each velocity
    """
    swell = rng.uniform(6.0, 16.0)
    phase = rng.uniform(0.0, 2 * np.pi)
    performed = []
    for note in notes:
        start = note.start * stretch
        late = float(np.clip(rng.normal(0.0, 0.006), -0.015, 0.015))
        wave = 7 * math.sin(2 * math.pi * start / swell + phase)
        loud = note.velocity + velocity + wave + rng.normal(0.0, 4.0) + (5 if note.hand else 0)
        start = max(start + late, 0.0)
        end = max(note.end * stretch + late, start + SHORTEST_NOTE)
        loud = int(np.clip(loud, 15, 122))
        performed.append(Note(start, end, note.key + transpose, loud, note.hand))
    return performed


def sustain(notes: list[Note], period: float) -> list[Note]:
    """Let notes ring to the next multiple of `period` seconds, as under a pedal.

    A note ends before its key is struck again.
    """
    sustained = []
    next_start: dict[int, float] = {}
    for note in sorted(notes, key=lambda note: -note.start):
        end = max(note.end, math.ceil((note.end - 0.06) / period) * period)
        end = min(end, next_start.get(note.key, math.inf) - 0.01)
        sustained.append(replace(note, end=max(end, note.start + SHORTEST_NOTE)))
        next_start[note.key] = note.start
    return sustained[::-1]


def fold(notes: list[Note], low: int, high: int) -> list[Note]:
    """Bring each key into the instrument's range by octaves."""
    folded = []
    for note in notes:
        up = math.ceil(max(low - note.key, 0) / 12)
        down = math.ceil(max(note.key - high, 0) / 12)
        folded.append(replace(note, key=note.key + 12 * (up - down)))
    return folded


def excerpt(piece: Piece, stretch: float, rng: np.random.Generator) -> tuple[list[Note], float]:
    """Cut whole bars that last `EXCERPT_SECONDS` after stretching.

    Returns
    -------
    notes : list of Note, from 0 s on
    seconds : float, before stretching
    """
    shortest, longest = (seconds / (piece.bar * stretch) for seconds in EXCERPT_SECONDS)
    bars = int(rng.integers(math.ceil(shortest), math.floor(longest) + 1))
    first = int(rng.integers(0, max(round(piece.notes[-1].end / piece.bar) - bars, 1)))
    start = first * piece.bar
    seconds = bars * piece.bar
    notes = []
    for note in piece.notes:
        if start - 0.01 <= note.start < start + seconds - 0.01:
            end = min(note.end - start, seconds)
            notes.append(replace(note, start=max(note.start - start, 0.0), end=end))
    return notes, seconds
