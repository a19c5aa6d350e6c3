"""Measure the pitch of bands, YIN's and librosa's where the notes are known, for docs/rooms/db.md.

    python scripts/measure/pitch_table.py MIDI_DIR SOUNDFONT [--pyin]

MIDI_DIR and SOUNDFONT are those of `make/training_music.py`. A phrase is the highest line of a
piece, from second 10 to 30, played by one instrument. Its notes are rendered three apart, so that
it is known which one sounds: frames count in which it is 10 dB louder than all others. --pyin takes
many minutes.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import mido
import numpy as np
import tinysoundfont

from db.bands import describe_bands
from db.descriptors.yin import find_pitch
from db.settings import DescriptorSettings

SETTINGS = DescriptorSettings()
RATE = SETTINGS.sample_rate
HOP = SETTINGS.hop_length
START_S = 10.0
SECONDS = 20.0
PHRASES = 4  # of an instrument
APART = 3
RANGES = {  # lowest and highest note of General MIDI programs
    "piano": (0, 36, 90),
    "guitar": (24, 40, 80),
    "bass": (32, 28, 55),
    "violin": (40, 55, 96),
    "cello": (42, 36, 72),
    "choir": (52, 48, 79),
    "voice oohs": (53, 48, 79),
    "synth voice": (54, 48, 79),
    "trumpet": (56, 55, 84),
    "alto sax": (65, 51, 80),
    "tenor sax": (66, 44, 75),
    "clarinet": (71, 50, 88),
    "flute": (73, 60, 93),
}
CHORDS = {"piano": 0, "organ": 19, "strings": 48}
DECIBELS = 10.0
SILENCE_DB = -50.0  # of a note, from the loudest frame
FEW_NOTES = 12

Note = tuple[float, float, int, int]  # start and end in seconds, key, velocity
Pitch = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("midi", type=Path)
    parser.add_argument("soundfont", type=Path)
    parser.add_argument("--pyin", action="store_true")
    arguments = parser.parse_args()
    pieces = [read_notes(path) for path in sorted(arguments.midi.rglob("*.mid"))]
    methods: dict[str, Pitch] = {"bands": pitch_of_bands, "yin": pitch_of_yin}
    if arguments.pyin:
        methods["pyin"] = pitch_of_pyin
    print("| | with a pitch | within 50 cents | an octave off |")
    for name, (program, low, high) in RANGES.items():
        phrases = list(make_phrases(pieces, arguments.soundfont, program, low, high))
        for method, measure in methods.items():
            print(f"| {name}, {method} | {' | '.join(score_phrases(phrases, measure))} |")
    for name, program in CHORDS.items():
        sounds = [render(notes, arguments.soundfont, program) for notes in pieces[:PHRASES]]
        print_shares(name, sounds, methods)
    noise = np.random.default_rng(0).standard_normal(int(SECONDS * RATE)).astype(np.float32)
    print_shares("noise", [0.1 * noise], methods)


def read_notes(path: Path) -> list[Note]:
    """Return the notes that lie within the seconds that are played."""
    now = 0.0
    held: dict[tuple[int, int], tuple[float, int]] = {}
    notes = []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on" and message.velocity:
            held[message.channel, message.note] = (now - START_S, message.velocity)
        elif message.type in ("note_on", "note_off"):
            start, velocity = held.pop((message.channel, message.note), (-1.0, 0))
            if start >= 0 and now - START_S <= SECONDS:
                notes.append((start, now - START_S, message.note, velocity))
    return sorted(notes)


def highest_line(notes: list[Note]) -> list[Note]:
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (round(note[0], 2), -note[2])):
        if line and note[0] < line[-1][1] and note[2] <= line[-1][2]:
            continue  # a lower note below one that is held
        if line:
            line[-1] = (line[-1][0], min(line[-1][1], note[0]), *line[-1][2:])
        line.append(note)
    return [note for note in line if note[1] - note[0] > 0.06]


def render(notes: list[Note], soundfont: Path, program: int) -> np.ndarray:
    synth = tinysoundfont.Synth(samplerate=RATE)
    synth.program_select(0, synth.sfload(str(soundfont)), 0, program)
    ends = [(end, 0, key, 0) for _, end, key, _ in notes]
    starts = [(start, 1, key, max(velocity, 70)) for start, _, key, velocity in notes]
    blocks = []
    done = 0
    for seconds, begins, key, velocity in [*sorted(ends + starts), (SECONDS, 0, 0, 0)]:
        n_samples = int(seconds * RATE) - done
        if n_samples > 0:
            blocks.append(np.frombuffer(synth.generate(n_samples), np.float32).copy())
            done += n_samples
        if begins:
            synth.noteon(0, key, velocity)
        else:
            synth.noteoff(0, key)
    return np.concatenate(blocks).reshape(-1, 2).mean(axis=1)


def make_phrases(
    pieces: list[list[Note]], soundfont: Path, program: int, low: int, high: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield samples, and the pitch of each frame in Hz; 0 where no note sounds alone."""
    n_made = 0
    for notes in pieces:
        line = highest_line(notes)
        if len(line) < FEW_NOTES or n_made == PHRASES:
            continue
        n_made += 1
        octaves = round(((low + high) / 2 - np.median([note[2] for note in line])) / 12)
        line = [(start, end, key + 12 * octaves, loud) for start, end, key, loud in line]
        line = [note for note in line if low <= note[2] <= high]
        parts = [render(line[i::APART], soundfont, program) for i in range(APART)]
        levels = np.array([librosa.feature.rms(y=part, hop_length=HOP)[0] for part in parts])
        yield np.sum(parts, axis=0), _known_pitch(line, levels)


def _known_pitch(line: list[Note], levels: np.ndarray) -> np.ndarray:
    total = levels.sum(axis=0)
    starts = np.arange(levels.shape[1]) * HOP / RATE
    pitch = np.zeros(levels.shape[1])
    for number, (start, end, key, _) in enumerate(line):
        own = levels[number % APART]
        alone = own > (total - own) * 10 ** (DECIBELS / 20)
        alone &= own > total.max() * 10 ** (SILENCE_DB / 20)
        pitch[(starts >= start + 0.01) & (starts + HOP / RATE <= end) & alone] = librosa.midi_to_hz(
            key
        )
    return pitch


def pitch_of_bands(samples: np.ndarray) -> np.ndarray:
    return describe_bands(samples, SETTINGS)[1]


def _padded(samples: np.ndarray) -> np.ndarray:
    return np.pad(samples, ((SETTINGS.n_fft - HOP) // 2, SETTINGS.n_fft))


def pitch_of_yin(samples: np.ndarray) -> np.ndarray:
    frames = librosa.util.frame(_padded(samples), frame_length=SETTINGS.n_fft, hop_length=HOP).T
    return find_pitch(frames, np.sqrt(np.mean(frames**2, axis=1)), RATE)


def pitch_of_pyin(samples: np.ndarray) -> np.ndarray:
    f0, voiced, _ = librosa.pyin(
        _padded(samples),
        fmin=50,
        fmax=2000,
        sr=RATE,
        frame_length=SETTINGS.n_fft,
        hop_length=HOP,
        center=False,
    )
    return np.where(voiced, np.nan_to_num(f0), 0)


def score_phrases(phrases: list[tuple[np.ndarray, np.ndarray]], measure: Pitch) -> list[str]:
    off = []
    n_known = 0
    for samples, notes in phrases:
        found = measure(samples)
        n_frames = min(len(found), len(notes))
        found = found[:n_frames]
        known = notes[:n_frames]
        n_known += (known > 0).sum()
        both = (known > 0) & (found > 0)
        off.append(1200 * np.log2(found[both] / known[both]))
    cents = np.concatenate(off)
    right = np.abs(cents) <= 50
    octave = ~right & (np.abs(cents - 1200 * np.round(cents / 1200)) <= 50)
    return [f"{value:.3f}" for value in (len(cents) / n_known, right.mean(), octave.mean())]


def print_shares(name: str, sounds: list[np.ndarray], methods: dict[str, Pitch]) -> None:
    for method, measure in methods.items():
        share = np.mean([(measure(sound) > 0).mean() for sound in sounds])
        print(f"| {name}, {method} | {share:.3f} | | |")


if __name__ == "__main__":
    main()
