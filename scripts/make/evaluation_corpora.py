"""Divide public music into corpora and pieces to continue, for docs/evaluation.md.

    python scripts/make/evaluation_corpora.py orchestral OUT MUSIC_DIR
    python scripts/make/evaluation_corpora.py beat OUT MUSIC_DIR SONGS_DIR
    python scripts/make/evaluation_corpora.py loops OUT SAMPLES_DIR
    python scripts/make/evaluation_corpora.py piano OUT MIDI_DIR TRAIN_DIR SOUNDFONT

Writes FLAC files of at most 4 minutes to OUT/corpus and OUT/pieces. Nothing is in both. Where the
music is, and what it is, says docs/evaluation.md. `piano` needs the PyPI packages of
`training_music.py`, whose OUT/piano/train is TRAIN_DIR.
"""

import argparse
from pathlib import Path

import numpy as np

from audio.read import probe, read_audio
from audio.write import AudioWriter

MOST_SECONDS = 240
MOST_PIECES = 9
ORCHESTRAL_SECONDS = 150  # shorter ones are for the corpus
LOOP_SECONDS = 75  # a loop is repeated, so that there is something to continue
PIANO_CORPUS = (
    "bethena",
    "debussy-arabesque-no1",
    "elite-syncopations",
    "solace",
    "the-easy-winners",
)


def divide_orchestral(out: Path, music: Path) -> None:
    """Every third long track is a piece to continue."""
    tracks = sorted(music.glob("*.ogg"))
    long = [path for path in tracks if seconds(path) >= ORCHESTRAL_SECONDS]
    pieces = long[::3][:MOST_PIECES]
    for path in tracks:
        copy(path, out / part(path in pieces) / f"{path.stem}.flac")


def divide_beat(out: Path, music: Path, songs: Path) -> None:
    """Every fourth electronic track, and two rock songs, are pieces to continue."""
    tracks = [path for path in sorted(music.rglob("*.opus")) if "menu" not in path.name]
    rock = sorted(songs.glob("*/song.ogg"))
    pieces = [*tracks[1::4][: MOST_PIECES - 2], *rock[:2]]
    for path in [*tracks, *rock]:
        name = f"{path.parent.name}_{path.stem}".replace(" ", "_")
        copy(path, out / part(path in pieces) / f"{name}.flac")


def divide_loops(out: Path, samples: Path) -> None:
    """Every other loop is a piece to continue, repeated; all other samples are the corpus."""
    paths = sorted(samples.glob("*.flac"))
    pieces = [path for path in paths if path.stem.startswith("loop_")][::2][:MOST_PIECES]
    for path in paths:
        if path not in pieces:
            copy(path, out / "corpus" / path.name)
            continue
        audio = read_audio(path)
        length = LOOP_SECONDS * audio.sample_rate
        repeated = np.resize(audio.samples, (length, audio.samples.shape[1]))
        write(out / "pieces" / path.name, repeated, audio.sample_rate)


def divide_piano(out: Path, midi_dir: Path, train: Path, soundfont: Path) -> None:
    """Five composed pieces in many renderings are the corpus; the others are to be continued."""
    import tinysoundfont

    from scripts.make.music.arrangement import Part
    from scripts.make.music.score import perform, read_piece
    from scripts.make.music.sound import RATE, RENDER_RATE, render

    for path in sorted(train.glob("*.flac")):
        if path.name.startswith(PIANO_CORPUS):
            copy(path, out / "corpus" / path.name)
    synth = tinysoundfont.Synth(samplerate=RENDER_RATE)
    synth.sfload(str(soundfont))
    for path in sorted(midi_dir.rglob("*.mid")):
        if path.stem not in PIANO_CORPUS:
            notes = perform(read_piece(path, {}).notes, 0, 1.0, 0, np.random.default_rng(0))
            mono = render(synth, [Part(notes, 0)])
            samples = (0.7 / np.abs(mono).max() * mono).astype(np.float32)[:, None]
            write(out / "pieces" / f"{path.stem}.flac", samples, RATE)


def part(is_piece: bool) -> str:
    return "pieces" if is_piece else "corpus"


def seconds(path: Path) -> float:
    info = probe(path)
    return info.n_samples / info.sample_rate


def copy(source: Path, path: Path) -> None:
    """Decode a file into a FLAC file."""
    audio = read_audio(source)
    write(path, audio.samples, audio.sample_rate)


def write(path: Path, samples: np.ndarray, rate: int) -> None:
    """Write the first minutes of audio (n, channels)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = samples[: MOST_SECONDS * rate]
    samples = samples / max(1.0, float(np.abs(samples).max()))
    channels = samples.shape[1]
    with AudioWriter(
        path, rate, channels, bits="16", n_samples=len(samples), is_render=False
    ) as writer:
        writer.write(samples.astype(np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS, help="what kind of music")
    parser.add_argument("out", type=Path, help="folder to write corpus/ and pieces/ into")
    parser.add_argument("sources", type=Path, nargs="+", help="where it comes from, as above")
    arguments = parser.parse_args()
    KINDS[arguments.kind](arguments.out, *arguments.sources)


KINDS = {
    "orchestral": divide_orchestral,
    "beat": divide_beat,
    "loops": divide_loops,
    "piano": divide_piano,
}


if __name__ == "__main__":
    main()
