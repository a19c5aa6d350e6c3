"""Fill a folder with generated audio, each file from its own random seed.

    (random seed, file, attempt) ──► file's seed ──► log-mel ──► audio ──► FLAC, a manifest line
                                                                   └─ broken: next attempt

Files are made in parallel, each by one thread from beginning to end, never in batches: the last
bits of a network's sums depend on the rest of the batch. So the bytes do not depend on the number
of workers, nor on the other files.
"""

import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import xxhash

from audio.pcm import PCM_16_SCALE
from files.atomic import replacing
from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.clips import ClipPlan, make_clip
from synth.file_request import NOTHING_ASKED, FileRequest
from synth.generated_manifest import (
    MANIFEST,
    Attempt,
    GeneratedFile,
    append_file,
    explained,
    make_header,
    open_folder,
    write_manifest,
)
from synth.generator import Generator
from synth.mel import MelSettings
from synth.plan_clips import MOST_SECONDS, plan_clips
from synth.vocoder import Vocoder
from training.threads import torch_threads

MAX_ATTEMPTS = 5
MIN_SECONDS = 1.0  # of a file


@dataclass(frozen=True)
class GenerateOptions:
    """Options for generating audio. A later run with more `minutes` adds files."""

    minutes: float | None = None  # of new sound, in whole files; by default one file
    seconds: float | None = None  # of new sound in each file; by default 30, or what is followed
    random_seed: int = 0
    workers: int | None = None  # files made at a time; by default one per core

    def __post_init__(self) -> None:
        if self.minutes is not None and not (math.isfinite(self.minutes) and self.minutes > 0):
            raise ParameterError(f"minutes={self.minutes} must be a positive number")
        if self.seconds is not None and not MIN_SECONDS <= self.seconds <= MOST_SECONDS:
            raise ParameterError(
                f"seconds={self.seconds} of a file must be {MIN_SECONDS:g} to {MOST_SECONDS:g}"
            )
        if not isinstance(self.random_seed, int) or self.random_seed < 0:
            raise ParameterError(
                f"random_seed={self.random_seed!r} must be an integer of at least 0"
            )
        if self.workers is not None and self.workers < 1:
            raise ParameterError(f"workers={self.workers} must be at least 1")

    def n_files(self, seconds: float) -> int:
        """Return how many files of so much new sound to make."""
        return 1 if self.minutes is None else math.ceil(self.minutes * 60 / seconds - 1e-9)


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


def generate(
    generator: Generator,
    vocoder: Vocoder,
    out: Path,
    *,
    options: GenerateOptions,
    names: tuple[str, str],
    request: FileRequest = NOTHING_ASKED,
    force: bool = False,
    progress: Progress = no_progress,
) -> GenerateSummary:
    """Fill `out` with files, or continue an interrupted run. Other files in it are kept.

    Parameters
    ----------
    names : (str, str)
        Of the generator and the vocoder, for the manifest and for messages.
    request : FileRequest
        What the files are made from, if the generator is a flow.
    force : bool
        Replace what was generated in `out` with other models or options.

    Raises
    ------
    AudioError, ParameterError
        If the two models have different mel settings, `out` was made with other models or options,
        or cannot be written; and as `plan_clips`.
    """
    generator.mel.check_matches(
        vocoder.mel, mine=f"the generator {names[0]}", theirs=f"the vocoder {names[1]}"
    )
    started = time.perf_counter()
    planned = plan_clips(generator, names[0], request, options.seconds)
    header = make_header(
        generator,
        vocoder,
        seconds=planned.seconds,
        random_seed=options.random_seed,
        names=names,
        request=request.record(),
    )
    files = open_folder(out, header, force=force)
    n_files = options.n_files(planned.seconds)
    names_of_files = [f"generated-{i + 1:06d}.flac" for i in range(n_files)]
    missing = [i for i, name in enumerate(names_of_files) if name not in files]
    n_kept = n_files - len(missing)
    made: list[GeneratedFile] = []
    make = partial(_make_file, generator, vocoder, planned.plan, options.random_seed)
    with _workers(options.workers or os.cpu_count()) as pool:
        for file in pool.map(make, missing, [out / names_of_files[i] for i in missing]):
            append_file(out / MANIFEST, file)
            made.append(file)
            progress(n_kept + len(made), n_files, file.name)
    files.update({file.name: file for file in made})
    write_manifest(out, header, files)
    seconds = time.perf_counter() - started
    wanted = [files[name] for name in names_of_files]
    return _summary(wanted, made, generator.mel, seconds, planned.notes)


@contextmanager
def _workers(number: int | None) -> Iterator[ThreadPoolExecutor]:
    """Yield an executor whose threads each use one torch thread.

    If an error or Ctrl-C ends the block, files not yet begun are dropped.
    """
    with (
        torch_threads(1),
        ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _make_file(
    generator: Generator,
    vocoder: Vocoder,
    plan: ClipPlan,
    random_seed: int,
    index: int,
    path: Path,
) -> GeneratedFile:
    rejected: list[Attempt] = []
    for attempt in range(MAX_ATTEMPTS):
        seed = _seed_of(random_seed, index, attempt)
        clip = make_clip(generator, vocoder, plan, random_seed=seed)
        if clip.fault is None:
            file_hash = _write_flac(path, clip.audio, generator.mel.sample_rate)
            peak = float(np.abs(clip.audio).max())
            return GeneratedFile(
                path.name, seed, rejected, len(clip.audio), peak, clip.gain_db, file_hash
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
    scaled = np.rint(audio * PCM_16_SCALE)
    samples = np.clip(scaled, -PCM_16_SCALE, PCM_16_SCALE - 1).astype(np.int16)
    buffer = BytesIO()
    sf.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_16")
    data = buffer.getvalue()
    with explained(path), replacing(path) as temporary:
        temporary.write_bytes(data)
    return xxhash.xxh3_128_hexdigest(data)


def _summary(
    files: list[GeneratedFile],
    made: list[GeneratedFile],
    mel: MelSettings,
    seconds: float,
    notes: list[str],
) -> GenerateSummary:
    made_seconds = sum(file.n_samples for file in made) / mel.sample_rate
    n_made = sum(file.hash is not None for file in made)
    reasons = Counter(attempt.reason for file in made for attempt in file.rejected)
    return GenerateSummary(
        made=n_made,
        kept=sum(file.hash is not None for file in files) - n_made,
        redone=dict(reasons),
        failed=[file.name for file in files if file.hash is None],
        audio_seconds=sum(file.n_samples for file in files) / mel.sample_rate,
        seconds=seconds,
        real_time=made_seconds / seconds,
        notes=notes,
    )
