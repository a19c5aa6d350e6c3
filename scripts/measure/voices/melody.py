"""Solo lines, played by a SoundFont, and how well a mosaic of one keeps its pitch.

Needs the PyPI packages `tinysoundfont` (install it with --no-deps) and `mido` to play a line.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio.librosa_import import import_librosa
from audio.resample import resample
from scripts.make.music.arrangement import Part
from scripts.make.music.score import Note, fold
from scripts.make.music.sound import RENDER_RATE, render
from scripts.measure.voices.excerpts import RATE

PITCH_RATE = 22_050  # Hz
FRAME = 2048  # samples
HOP = 512
LOWEST_HZ = 65.4  # C2
HIGHEST_HZ = 2093.0  # C7
NEAR_CENTS = 50.0
SAME_START_S = 0.03  # notes that begin closer than this are a chord


def open_soundfont(soundfont: Path) -> Any:
    """Return a synthesizer for `play`."""
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=RENDER_RATE)
    synth.sfload(str(soundfont))
    return synth


def play(synth: Any, notes: list[Note], program: int) -> np.ndarray:
    """Return notes played by a General MIDI program, counted from 0; float32 (n,) at 44.1 kHz."""
    samples = render(synth, [Part(notes, program)], rate=RATE)
    return (samples * (0.5 / np.abs(samples).max())).astype(np.float32)


@dataclass(frozen=True)
class Solo:
    """A solo line: a General MIDI program, counted from 0, its lowest and highest key, and a score.

    What lies below `accompaniment_below` in the score is accompaniment. All times are multiplied by
    `stretch`: rags are for the piano, and too quick for a pitch tracker.
    """

    instrument: str
    program: int
    lowest: int
    highest: int
    score: str
    accompaniment_below: int
    stretch: float


SOLOS = (
    Solo("sax", 66, 46, 75, "pineapple-rag", 58, 2.0),
    Solo("flute", 73, 62, 93, "peacherine-rag", 66, 1.6),
    Solo("voice", 53, 55, 77, "satie-gymnopedie-no1", 68, 1.0),
)


def top_line(notes: list[Note], solo: Solo, seconds: float) -> list[Note]:
    """Return the top line of a piece's first seconds of melody, at the instrument's height.

    Of notes that begin together the highest is kept; lower notes that begin under a longer one are
    left out; a note ends where the next one begins.
    """
    line: list[Note] = []
    melody = [note for note in notes if note.key >= solo.accompaniment_below]
    for note in sorted(melody, key=lambda note: (note.start, -note.key)):
        if line and (note.start - line[0].start) * solo.stretch >= seconds:
            break
        if line and note.start - line[-1].start < SAME_START_S:
            continue
        if line and note.key < line[-1].key and note.start < line[-1].end - SAME_START_S:
            continue
        if line:
            line[-1] = replace(line[-1], end=min(line[-1].end, note.start))
        line.append(note)
    first = line[0].start
    moved = [
        replace(
            note, start=(note.start - first) * solo.stretch, end=(note.end - first) * solo.stretch
        )
        for note in line
    ]
    return fold(moved, solo.lowest, solo.highest)


def pitches(sound: np.ndarray) -> np.ndarray:
    """Return the pitch of a sound (n,) at 44.1 kHz by pYIN, in Hz, NaN where there is none."""
    f0, _, _ = import_librosa().pyin(
        resample(sound, RATE, PITCH_RATE),
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        sr=PITCH_RATE,
        frame_length=FRAME,
        hop_length=HOP,
    )
    return f0


def written(notes: list[Note], heard: np.ndarray) -> np.ndarray:
    """Return heard pitches (frames,) where they are those of the notes, NaN elsewhere.

    So a mistake of the tracker, mostly of an octave, is not what a mosaic has to follow.
    """
    keys = np.full(len(heard), np.nan)
    times = np.arange(len(heard)) * HOP / PITCH_RATE
    for note in notes:
        keys[(times >= note.start) & (times < note.end)] = note.key
    return np.where(np.abs(69 + 12 * np.log2(heard / 440) - keys) < 1, heard, np.nan)


def share_in_tune(wanted: np.ndarray, heard: np.ndarray, *, any_octave: bool = False) -> float:
    """Return the share of the wanted voiced frames where the heard pitch is within 50 cents.

    Both are in Hz, (frames,), NaN where there is no pitch; missing frames have none.
    """
    heard = np.pad(heard, (0, max(0, len(wanted) - len(heard))), constant_values=np.nan)
    cents = 1200 * np.log2(heard[: len(wanted)] / wanted)
    if any_octave:
        cents = (cents + 600) % 1200 - 600
    voiced = ~np.isnan(wanted)
    return float((np.abs(cents[voiced]) <= NEAR_CENTS).mean())
