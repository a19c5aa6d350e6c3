"""Cut seeds, and what really follows them, out of pieces.

piece  ───────────────────────────────────────────────────────
           [   seed 20 s  ][  true continuation  ]
                   [   seed 20 s  ][  true continuation  ]
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from audio.read import Audio, read_audio
from audio.scan import find_audio
from audio.write import AudioWriter
from db.database import Database
from files.atomic import make_folder, replacing, write_text
from files.documents import read_document
from files.errors import AudioError, ParameterError
from files.hashing import hash_file
from files.progress import Progress, no_progress

SEED_SECONDS = 20.0
SEEDS_PER_PIECE = 3
LEAST_APART_SECONDS = 5.0
COMPLETE = "complete"  # a file with the number of seeds, written last
SeedCount: Any = Annotated[int, Meta(ge=1, le=SEEDS_PER_PIECE)]


@dataclass(frozen=True)
class Seed:
    """An excerpt of a piece, `track`, and what follows it there; both are audio files."""

    name: str
    track: str
    path: Path
    following: Path


@dataclass(frozen=True)
class Seeds:
    """Seeds, and the pieces that could not be used, with the reasons."""

    seeds: list[Seed] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def cut_seeds(
    folder: Path, out: Path, seconds: float, *, progress: Progress = no_progress
) -> Seeds:
    """Cut evenly spaced seeds of every piece in a folder, and `seconds` that follow each.

    They are written as FLAC files of 16 bits below `out`, unless they are there already.

    Raises
    ------
    ParameterError
        If the folder does not exist, holds no audio, or no piece is long enough.
    """
    if not folder.is_dir():
        raise ParameterError(f"{folder}: no such folder; give a folder with pieces to continue")
    names = find_audio(folder, exclude=out.resolve())
    if not names:
        raise ParameterError(
            f"{folder}: no audio files in this folder; put pieces to continue there"
        )
    found = Seeds()
    for number, name in enumerate(names):
        progress(number, len(names), name)
        try:
            found.seeds.extend(_cut_piece(folder / name, name, out, seconds))
        except AudioError as error:
            found.left_out[name] = str(error)
    if not found.seeds:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in found.left_out.items())
        raise ParameterError(f"{folder}: no piece can be used:\n{reasons}")
    return found


def _cut_piece(path: Path, name: str, out: Path, seconds: float) -> list[Seed]:
    track = Path(name).with_suffix("").as_posix()
    place = out / f"{hash_file(path)[:16]}-{seconds:g}"
    label = track.replace("/", "_")
    n_seeds = _count_written(place)
    if n_seeds is None:
        n_seeds = _write_seeds(read_audio(path), path.name, place, seconds)
    seeds = []
    for number in range(1, n_seeds + 1):
        parts = (place / f"{number}-seed.flac", place / f"{number}-following.flac")
        seeds.append(Seed(f"{label}-{number}", track, *parts))
    return seeds


def _count_written(place: Path) -> int | None:
    """Return the number of seeds that were written; None if they are not complete."""
    try:
        n_seeds = read_document(
            place / COMPLETE, SeedCount, error=ParameterError, remedy="remove it"
        )
    except ParameterError:
        return None
    files = (
        place / f"{number}-{part}.flac"
        for number in range(1, n_seeds + 1)
        for part in ("seed", "following")
    )
    return n_seeds if all(map(Path.is_file, files)) else None


def _write_seeds(audio: Audio, name: str, place: Path, seconds: float) -> int:
    """Write the seeds of a piece and what follows them, and return their number."""
    starts = seed_starts(len(audio.samples) / audio.sample_rate, seconds)
    if not len(starts):
        raise AudioError(
            f"{name}: {len(audio.samples) / audio.sample_rate:.1f} s are too short for a seed of"
            f" {SEED_SECONDS:g} s and {seconds:g} s that follow it; give longer pieces, or fewer"
            " --seconds"
        )
    make_folder(place)
    peak = max(1.0, float(np.abs(audio.samples).max()))  # a lossy file can exceed full scale
    samples = audio.samples / np.float32(peak)
    for number, start in enumerate(starts, start=1):
        begin = round(start * audio.sample_rate)
        middle = begin + round(SEED_SECONDS * audio.sample_rate)
        end = middle + round(seconds * audio.sample_rate)
        write_flac(place / f"{number}-seed.flac", samples[begin:middle], audio.sample_rate)
        following = samples[middle:end]
        write_flac(place / f"{number}-following.flac", following, audio.sample_rate)
    write_text(place / COMPLETE, str(len(starts)))
    return len(starts)


def seed_starts(piece_seconds: float, seconds: float) -> np.ndarray:
    """Return where the seeds of a piece begin, in seconds: three, or fewer in a short piece."""
    spare = piece_seconds - SEED_SECONDS - seconds
    if spare < 0:
        return np.empty(0)
    n_seeds = min(SEEDS_PER_PIECE, 1 + int(spare / LEAST_APART_SECONDS))
    return spare * (np.arange(n_seeds) + 0.5) / n_seeds


def write_flac(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write audio (n, channels), within full scale, as 16 bits."""
    channels = samples.shape[1]
    with (
        replacing(path) as temporary,
        AudioWriter(
            temporary, sample_rate, channels, bits="16", n_samples=len(samples), shown=path
        ) as writer,
    ):
        writer.write(samples)


def check_unheard(folder: Path, database: Database) -> None:
    """Refuse pieces that are sources of the database: their continuations could be copied.

    Raises
    ------
    ParameterError
        Which names them.
    """
    sources = {source.content_hash: source.path for source in database.sources}
    same = []
    for name in find_audio(folder):
        source = sources.get(hash_file(folder / name))
        if source:
            same.append(f"  {name} is {source}")
    if same:
        lines = "\n".join(same)
        raise ParameterError(
            f"{folder}: pieces to continue must not be sources of the database; move them out of"
            f" the corpus and build it again with --prune:\n{lines}"
        )
