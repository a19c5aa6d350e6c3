"""Fill a folder with generated files, each from its own random seed.

(random seed, file, attempt) ──► file's seed ──► audio ──► FLAC, a manifest line
                                                   └─ broken: next attempt
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch
import xxhash

from audio.pcm import PCM_16_SCALE
from files.atomic import replacing
from files.progress import Progress
from synth.clips import GeneratedClip
from synth.generated_manifest import (
    MANIFEST,
    Attempt,
    GeneratedFile,
    append_file,
    explained,
    open_folder,
    write_manifest,
)
from training.threads import torch_threads

MAX_ATTEMPTS = 5

MakeClip = Callable[[int], GeneratedClip]
"""Makes a clip from a random seed."""


@dataclass(frozen=True)
class GenerateSummary:
    """Summary of a run."""

    made: int
    kept: int  # files made before
    redone: dict[str, int]  # number of broken attempts, by reason
    failed: list[str]  # files whose every attempt was broken
    audio_seconds: float  # of all files
    seconds: float  # taken
    real_time: float  # seconds of audio made, per second taken
    notes: list[str]  # what was changed in the files of the request, or rounded


@dataclass(frozen=True)
class FilesToMake:
    """What a folder is to be filled with.

    Attributes
    ----------
    header : dict
        The first line of its manifest.
    number : int
        Of files.
    make_clip : callable
    random_seed, sample_rate : int
    notes : sequence of str
        For the user.
    """

    header: dict[str, Any]
    number: int
    make_clip: MakeClip
    random_seed: int
    sample_rate: int
    notes: Sequence[str] = ()


def fill_folder(
    out: Path, files: FilesToMake, *, workers: int | None, force: bool, progress: Progress
) -> GenerateSummary:
    """Fill `out` with files, or continue an interrupted run. Other files in it are kept.

    Parameters
    ----------
    workers : int, optional
        Files made at a time, with one torch thread each; by default one after another, by all.
    force : bool
        Replace what was generated in `out` with another header.

    Raises
    ------
    ParameterError
        If `out` was made with another header, or cannot be written.
    """
    started = time.perf_counter()
    there = open_folder(out, files.header, force=force)
    names = [f"generated-{i + 1:06d}.flac" for i in range(files.number)]
    missing = [i for i, name in enumerate(names) if name not in there]
    n_kept = files.number - len(missing)
    made: list[GeneratedFile] = []
    with _mapping(workers) as map_all:
        for file in map_all(lambda i: _make_file(files, i, out / names[i]), missing):
            append_file(out / MANIFEST, file)
            made.append(file)
            progress(n_kept + len(made), files.number, file.name)
    there.update({file.name: file for file in made})
    write_manifest(out, files.header, there)
    seconds = time.perf_counter() - started
    return _summary(files, [there[name] for name in names], made, seconds)


@contextmanager
def _mapping(workers: int | None) -> Iterator[Callable[..., Iterable[GeneratedFile]]]:
    """Yield a function like `map`, by threads that each use one torch thread if there are workers.

    If an error or Ctrl-C ends the block, files not yet begun are dropped.
    """
    if workers is None:
        yield map
        return
    with (
        torch_threads(1),
        ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        try:
            yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)


def _make_file(files: FilesToMake, index: int, path: Path) -> GeneratedFile:
    rejected: list[Attempt] = []
    for attempt in range(MAX_ATTEMPTS):
        seed = _seed_of(files.random_seed, index, attempt)
        clip = files.make_clip(seed)
        if clip.fault is None:
            file_hash = _write_flac(path, clip.audio, files.sample_rate)
            peak = float(np.abs(clip.audio).max())
            n_samples = clip.audio.shape[-1]
            return GeneratedFile(
                path.name, seed, rejected, n_samples, peak, clip.gain_db, file_hash
            )
        rejected.append(Attempt(seed, clip.fault))
    return GeneratedFile(path.name, None, rejected)


def _seed_of(random_seed: int, index: int, attempt: int) -> int:
    """Return the seed of an attempt at a file: 53 bits, which every JSON reader keeps."""
    sequence = np.random.SeedSequence(random_seed, spawn_key=(index, attempt))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(11))


def _write_flac(path: Path, audio: np.ndarray, sample_rate: int) -> str:
    """Write FLAC of 16 bits, rounded without dither, and return the hash of its bytes.

    It is encoded in memory, because libsndfile does not always report a full disk.
    """
    scaled = np.rint(audio.T * PCM_16_SCALE)
    samples = np.clip(scaled, -PCM_16_SCALE, PCM_16_SCALE - 1).astype(np.int16)
    buffer = BytesIO()
    sf.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_16")
    data = buffer.getvalue()
    with explained(path), replacing(path) as temporary:
        temporary.write_bytes(data)
    return xxhash.xxh3_128_hexdigest(data)


def _summary(
    files: FilesToMake, wanted: list[GeneratedFile], made: list[GeneratedFile], seconds: float
) -> GenerateSummary:
    made_seconds = sum(file.n_samples for file in made) / files.sample_rate
    n_made = sum(file.hash is not None for file in made)
    reasons = Counter(attempt.reason for file in made for attempt in file.rejected)
    return GenerateSummary(
        made=n_made,
        kept=sum(file.hash is not None for file in wanted) - n_made,
        redone=dict(reasons),
        failed=[file.name for file in wanted if file.hash is None],
        audio_seconds=sum(file.n_samples for file in wanted) / files.sample_rate,
        seconds=seconds,
        real_time=made_seconds / seconds,
        notes=list(files.notes),
    )
