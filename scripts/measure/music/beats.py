"""Music whose beats are known: drum patterns, loops, rendered piano, rock songs; and music without.

Each piece is made when it is asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.read import read_mono
from audio.resample import resample
from demiurge.bundled import CORPUS_DIR

RATE = 44_100
SECONDS = 40.0  # of a drum pattern
LONGEST = 120.0  # seconds of a piece
KICK, SNARE, HAT = range(3)
KITS = (
    ("bd_haus", "sn_dolf", "drum_cymbal_closed"),
    ("bd_808", "sn_zome", "drum_cymbal_pedal"),
    ("drum_bass_hard", "drum_snare_hard", "drum_cymbal_closed"),
)
# beats in each of the bundled loops
LOOP_BEATS = {
    "loop_amen": 4,
    "loop_breakbeat": 4,
    "loop_compus": 16,
    "loop_garzul": 16,
    "loop_industrial": 2,
    "loop_mika": 16,
    "loop_safari": 16,
    "loop_tabla": 16,
}


@dataclass(frozen=True)
class Piece:
    """Samples, mono float32 at `RATE`, and the times of the beats in seconds, (n_beats,).

    A piece without a beat has no times. With `has_offset`, all beats may be late or early by the
    same time.
    """

    name: str
    samples: np.ndarray
    beats: np.ndarray
    has_offset: bool = False


def steady(bpm: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from beats to seconds at one tempo."""
    return lambda beat: 0.31 + beat * 60 / bpm


def ramp(first: float, last: float, n_beats: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from beats to seconds whose tempo changes evenly over `n_beats`."""

    def seconds(beat: np.ndarray) -> np.ndarray:
        slope = (last - first) / n_beats
        return 0.31 + 60 / slope * np.log1p(slope * np.asarray(beat) / first)

    return seconds


def jump(first: float, last: float, at_beat: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from beats to seconds whose tempo changes at one beat."""

    def seconds(beat: np.ndarray) -> np.ndarray:
        beat = np.asarray(beat, float)
        after = np.maximum(beat - at_beat, 0)
        return 0.31 + np.minimum(beat, at_beat) * 60 / first + after * 60 / last

    return seconds


def hits(
    pattern: str, n_beats: int, rng: np.random.Generator
) -> Iterator[tuple[float, int, float]]:
    """Yield (beat, drum, gain) of a pattern: "straight", "swing", "broken" or "seven"."""
    off = 2 / 3 if pattern == "swing" else 0.5
    if pattern == "seven":  # a bar of 7/8; beats are eighths
        for beat in range(n_beats):
            place = beat % 7
            yield beat, HAT, 0.4
            if place in (0, 3):
                yield beat, KICK, 1.0
            if place in (2, 5):
                yield beat, SNARE, 0.8
        return
    for beat in range(n_beats):
        place = beat % 4
        yield beat, HAT, 0.4
        yield beat + off, HAT, 0.3
        if pattern == "broken":
            yield from _broken(beat, place, rng)
            continue
        if place in (0, 2):
            yield beat, KICK, 1.0
        else:
            yield beat, SNARE, 0.8
        if place == 2:
            yield beat + off, KICK, 0.8


def _broken(beat: int, place: int, rng: np.random.Generator) -> Iterator[tuple[float, int, float]]:
    """Yield syncopated kicks and snares in sixteenths."""
    if place == 0:
        yield beat, KICK, 1.0
    if place in (1, 3):
        yield beat, SNARE, 0.8
    for quarter in range(1, 4):
        if rng.random() < 0.2:
            drum = KICK if rng.random() < 0.6 else SNARE
            yield beat + quarter / 4, drum, 0.6


def drums(name: str, pattern: str, seconds_of: Callable, *, kit: int) -> Piece:
    """Place the hits of a pattern in time."""
    rng = np.random.default_rng(kit)
    n_beats = int(np.searchsorted(seconds_of(np.arange(200)), SECONDS - 1))
    sounds = [_sound(sound) for sound in KITS[kit % len(KITS)]]
    samples = np.zeros(round(SECONDS * RATE), np.float32)
    for beat, drum, gain in hits(pattern, n_beats, rng):
        start = round(float(seconds_of(np.array(beat))) * RATE)
        sound = sounds[drum][: max(0, len(samples) - start)]
        samples[start : start + len(sound)] += np.float32(gain * rng.uniform(0.8, 1.0) / 3) * sound
    return Piece(name, samples, seconds_of(np.arange(n_beats)))


def _sound(name: str) -> np.ndarray:
    """Return a bundled sound from its attack on, with a peak of 1."""
    mono, info = read_mono(CORPUS_DIR / f"{name}.ogg")
    mono = resample(mono, info.sample_rate, RATE)
    mono = mono / np.abs(mono).max()
    return mono[int(np.argmax(np.abs(mono) > 0.1)) :]


def drum_pieces() -> Iterator[Piece]:
    """Yield drum patterns of steady and of changing tempo."""
    for i, bpm in enumerate((60, 70, 81.3, 90, 100, 112.7, 120, 128, 140, 155.5, 174, 190)):
        for pattern in ("straight", "swing", "broken"):
            yield drums(f"{pattern} {bpm:g}", pattern, steady(bpm), kit=i)
    for i, bpm in enumerate((180, 220, 260)):
        yield drums(f"seven {bpm:g}", "seven", steady(bpm), kit=i)


def changing_pieces() -> Iterator[Piece]:
    """Yield drum patterns whose tempo changes."""
    for i, (first, last) in enumerate(((90, 130), (150, 100), (70, 95), (120, 128))):
        for pattern in ("straight", "broken"):
            yield drums(f"{pattern} {first} to {last}", pattern, ramp(first, last, 80), kit=i)
    yield drums("straight 100, then 125", "straight", jump(100, 125, 32), kit=1)
    yield drums("broken 140, then 93", "broken", jump(140, 93, 40), kit=2)


def loop_pieces(seconds: float = 30.0) -> Iterator[Piece]:
    """Yield the bundled loops, repeated."""
    for name, n_beats in LOOP_BEATS.items():
        mono, info = read_mono(CORPUS_DIR / f"{name}.ogg")
        times = max(2, round(seconds * info.sample_rate / len(mono)))
        length = len(mono) / info.sample_rate
        samples = resample(np.tile(mono, times), info.sample_rate, RATE)
        yield Piece(name, samples, np.arange(times * n_beats) * length / n_beats)


def piano_pieces(midi_dir: Path, soundfont: Path) -> Iterator[Piece]:
    """Yield piano scores of one tempo, rendered with a SoundFont, played a little unevenly."""
    import mido
    import tinysoundfont

    from scripts.make.music.arrangement import Part
    from scripts.make.music.score import perform, read_piece
    from scripts.make.music.sound import RATE as RENDERED_RATE
    from scripts.make.music.sound import RENDER_RATE, render

    synth = tinysoundfont.Synth(samplerate=RENDER_RATE)
    synth.sfload(str(soundfont))
    for path in sorted(midi_dir.glob("*/*.mid")):
        tempi = [m for m in mido.MidiFile(path) if m.type == "set_tempo"]
        if len({message.tempo for message in tempi}) > 1:
            continue
        piece = read_piece(path, {})
        notes = perform(piece.notes, 0, 1.0, 0, np.random.default_rng(0))
        notes = [note for note in notes if note.start < LONGEST]
        samples = render(synth, [Part(notes, program=0)])
        beats = np.arange(0, notes[-1].start, piece.beat)
        yield Piece(path.stem, resample(samples, RENDERED_RATE, RATE), beats)


def song_pieces(songs_dir: Path) -> Iterator[Piece]:
    """Yield the songs of Frets on Fire with the beats of their tempo maps."""
    import mido

    for path in sorted(songs_dir.glob("*/notes.mid")):
        parts = []
        for name in ("song.ogg", "guitar.ogg"):
            mono, info = read_mono(path.parent / name)
            parts.append(resample(mono, info.sample_rate, RATE)[: round(LONGEST * RATE)])
        n = min(map(len, parts))
        file = mido.MidiFile(path)
        beats = _beats_of(file, n / RATE)
        yield Piece(path.parent.name, parts[0][:n] + parts[1][:n], beats, has_offset=True)


def _beats_of(file, seconds: float) -> np.ndarray:
    """Return the times of the beats of a MIDI file's tempo map up to `seconds`."""
    changes = []
    tick = 0
    for message in file.tracks[0]:
        tick += message.time
        if message.type == "set_tempo":
            changes.append((tick, message.tempo / 1e6 / file.ticks_per_beat))
    ticks = np.arange(0, 2000 * file.ticks_per_beat, file.ticks_per_beat)
    starts = np.array([change[0] for change in changes])
    rates = np.array([change[1] for change in changes])
    times = np.concatenate([[0], np.cumsum(np.diff(starts) * rates[:-1])])
    which = np.searchsorted(starts, ticks, side="right") - 1
    beats = times[which] + (ticks - starts[which]) * rates[which]
    return beats[beats < seconds]


def beatless_pieces() -> Iterator[Piece]:
    """Yield sounds without a beat."""
    rng = np.random.default_rng(0)
    none = np.empty(0)
    n = 30 * RATE
    for path in sorted(CORPUS_DIR.glob("ambi_*.ogg")):
        mono, info = read_mono(path)
        yield Piece(path.stem, resample(mono, info.sample_rate, RATE), none)
    for path in sorted(CORPUS_DIR.glob("*_c.ogg")) + sorted(CORPUS_DIR.glob("bd_*.ogg")):
        mono, info = read_mono(path)
        yield Piece(path.stem, resample(mono, info.sample_rate, RATE), none)
    yield Piece("white noise", 0.1 * rng.standard_normal(n).astype(np.float32), none)
    yield Piece("silence", np.zeros(n, np.float32), none)
    for seed in range(6):
        yield random_hits(seed)


def random_hits(seed: int) -> Piece:
    """Return hits of bundled drums at random times, about two a second."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(40 * RATE, np.float32)
    sounds = [_sound(sound) for kit in KITS for sound in kit]
    at = 0.0
    while (at := at + rng.exponential(0.4) + 0.08) < 39:
        sound = sounds[rng.integers(len(sounds))]
        start = round(at * RATE)
        sound = sound[: len(samples) - start]
        samples[start : start + len(sound)] += np.float32(rng.uniform(0.1, 0.4)) * sound
    return Piece(f"random hits {seed}", samples, np.empty(0))
