"""Measure the beat tracker and librosa's on music whose beats are known, for docs/rooms/db.md.

    python scripts/measure/beat_table.py [--midi MIDI_DIR --soundfont SOUNDFONT] [--songs SONGS_DIR]

MIDI_DIR and SOUNDFONT are those of `make/training_music.py`. SONGS_DIR is
/usr/share/games/fretsonfire/data/songs/sectoid of Debian's package `fretsonfire-songs-sectoid`. The
other music is made from the bundled sounds (`measure/music/beats.py`).

F       F-measure within 70 ms, without the first 5 s (as mir_eval): of the written beats
level   the same for the best metrical level: the written beats, two or three times as many, half as
        many, or off-beats
error   median distance of the beats found from the written ones at that level, in ms. Songs have a
        constant distance from their scores, which is subtracted
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import librosa
import numpy as np

from db.settings import DescriptorSettings
from db.track_beats import track_beats
from scripts.measure.music.beats import (
    RATE,
    Piece,
    beatless_pieces,
    changing_pieces,
    drum_pieces,
    loop_pieces,
    piano_pieces,
    song_pieces,
)

SETTINGS = DescriptorSettings()
NEAR_S = 0.07
SKIPPED_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--midi", type=Path)
    parser.add_argument("--soundfont", type=Path)
    parser.add_argument("--songs", type=Path)
    arguments = parser.parse_args()
    groups: dict[str, Iterable[Piece]] = {
        "drum patterns, steady": drum_pieces(),
        "drum patterns, changing tempo": changing_pieces(),
        "bundled loops, repeated": loop_pieces(),
    }
    if arguments.midi and arguments.soundfont:
        groups["ragtime and classical piano"] = piano_pieces(arguments.midi, arguments.soundfont)
    if arguments.songs:
        groups["rock songs"] = song_pieces(arguments.songs)
    print("| music | pieces | F | level | error, ms | librosa: F | level | error, ms |")
    print("|---|---|---|---|---|---|---|---|")
    for name, pieces in groups.items():
        rows = [[*measure(piece, track_ours), *measure(piece, track_librosa)] for piece in pieces]
        means = np.nanmean(rows, axis=0).reshape(2, 3).tolist()
        cells = [f"{f:.2f} | {level:.2f} | {error:.1f}" for f, level, error in means]
        print(f"| {name} | {len(rows)} | {' | '.join(cells)} |", flush=True)
    without = [track_beats(piece.samples, SETTINGS).confidence for piece in beatless_pieces()]
    print(f"without a beat: {np.count_nonzero(without)} of {len(without)} have a grid")


def track_ours(samples: np.ndarray) -> np.ndarray:
    """Return the times of the beats in seconds."""
    return track_beats(samples, SETTINGS).beats / RATE


def track_librosa(samples: np.ndarray) -> np.ndarray:
    """Return the times of the beats in seconds, by librosa with its defaults."""
    _, beats = librosa.beat.beat_track(y=samples, sr=RATE, units="time")
    return beats


def measure(piece: Piece, track: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
    """Return F, F at the best level, and the error in ms."""
    found = track(piece.samples)
    levels = metrical_levels(piece.beats)
    scores = [f_measure(found, level) for level in levels]
    best = int(np.argmax(scores))
    level = levels[best]
    distances = (
        found - level[np.abs(found[:, None] - level).argmin(axis=1)] if len(found) else found
    )
    distances = distances[(np.abs(distances) <= NEAR_S) & (found >= SKIPPED_S)]
    if piece.has_offset and len(distances):
        distances = distances - np.median(distances)
    error = float(np.median(np.abs(distances))) * 1000 if len(distances) else np.nan
    return scores[0], scores[best], error


def metrical_levels(beats: np.ndarray) -> list[np.ndarray]:
    """Return the beats, two and three times as many, the off-beats, and each half of the beats."""
    places = np.arange(len(beats))
    double, triple = (
        np.interp(np.arange(n * (len(beats) - 1) + 1) / n, places, beats) for n in (2, 3)
    )
    return [beats, double, triple, double[1::2], beats[::2], beats[1::2]]


def f_measure(found: np.ndarray, beats: np.ndarray) -> float:
    """Return the F-measure: each beat is matched with one that was found, within 70 ms."""
    found = found[found >= SKIPPED_S]
    beats = beats[beats >= SKIPPED_S]
    hits = i = j = 0
    while i < len(found) and j < len(beats):
        if abs(found[i] - beats[j]) <= NEAR_S:
            hits += 1
            i += 1
            j += 1
        elif found[i] < beats[j]:
            i += 1
        else:
            j += 1
    return 2 * hits / max(len(found) + len(beats), 1)


if __name__ == "__main__":
    main()
