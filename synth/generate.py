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
from typing import Any

import numpy as np
import soundfile as sf
import torch
import xxhash

from audio.pcm import PCM_16_SCALE
from files.atomic import replacing
from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.faults import audio_fault, mel_fault
from synth.generated_manifest import (
    MANIFEST,
    GeneratedFile,
    append_file,
    explained,
    make_header,
    open_folder,
    write_manifest,
)
from synth.generator import Generator
from synth.mel import MelSettings
from synth.vocoder import Vocoder
from training.threads import torch_threads

MAX_ATTEMPTS = 5
MIN_SECONDS = 1.0  # of a file
MAX_SECONDS = 3600.0  # needs a gigabyte per worker
SAFE_PEAK = 0.999


@dataclass(frozen=True)
class GenerateOptions:
    """Options for generating audio. A later run with more `minutes` adds files."""

    minutes: float
    seconds: float = 30.0  # of each file, including the last
    random_seed: int = 0
    workers: int | None = None  # files made at a time; by default one per core

    def __post_init__(self) -> None:
        if not (math.isfinite(self.minutes) and self.minutes > 0):
            raise ParameterError(f"minutes={self.minutes} must be a positive number")
        if not MIN_SECONDS <= self.seconds <= MAX_SECONDS:
            raise ParameterError(
                f"seconds={self.seconds} of a file must be {MIN_SECONDS:g} to {MAX_SECONDS:g}"
            )
        if not isinstance(self.random_seed, int) or self.random_seed < 0:
            raise ParameterError(
                f"random_seed={self.random_seed!r} must be an integer of at least 0"
            )
        if self.workers is not None and self.workers < 1:
            raise ParameterError(f"workers={self.workers} must be at least 1")

    @property
    def n_files(self) -> int:
        return math.ceil(self.minutes * 60 / self.seconds - 1e-9)


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


@dataclass(frozen=True)
class GeneratedClip:
    """Float32 audio (n_samples,), changed by `gain_db` if it was too loud, or its fault."""

    audio: np.ndarray
    gain_db: float = 0.0
    fault: str | None = None


def generate(
    generator: Generator,
    vocoder: Vocoder,
    out: Path,
    *,
    options: GenerateOptions,
    names: tuple[str, str],
    force: bool = False,
    progress: Progress = no_progress,
) -> GenerateSummary:
    """Fill `out` with files, or continue an interrupted run. Other files in it are kept.

    Parameters
    ----------
    names : (str, str)
        Of the generator and the vocoder, for the manifest and for messages.
    force : bool
        Replace what was generated in `out` with other models or options.

    Raises
    ------
    ParameterError
        If the two models have different mel settings, `out` was made with other models or options,
        or cannot be written.
    """
    generator.mel.check_matches(
        vocoder.mel, mine=f"the generator {names[0]}", theirs=f"the vocoder {names[1]}"
    )
    started = time.perf_counter()
    header = make_header(
        generator, vocoder, seconds=options.seconds, random_seed=options.random_seed, names=names
    )
    files = open_folder(out, header, force=force)
    names_of_files = [f"generated-{i + 1:06d}.flac" for i in range(options.n_files)]
    missing = [i for i, name in enumerate(names_of_files) if name not in files]
    n_kept = options.n_files - len(missing)
    made: list[GeneratedFile] = []
    make = partial(_make_file, generator, vocoder, options)
    with _workers(options.workers or os.cpu_count()) as pool:
        for file in pool.map(make, missing, [out / names_of_files[i] for i in missing]):
            append_file(out / MANIFEST, file)
            made.append(file)
            progress(n_kept + len(made), options.n_files, file.name)
    files.update({file.name: file for file in made})
    write_manifest(out, header, files)
    seconds = time.perf_counter() - started
    return _summary([files[name] for name in names_of_files], made, generator.mel, seconds)


def make_clip(
    generator: Generator, vocoder: Vocoder, *, random_seed: int, n_samples: int
) -> GeneratedClip:
    """Make the audio of one seed and check it.

    With one torch thread, the same machine and torch give the same bytes.
    """
    with torch.inference_mode():
        n_frames = -(-n_samples // generator.mel.hop_length)
        mel = generator.sample(n_frames, random_seeds=[random_seed])[0].numpy()
        if fault := mel_fault(mel, generator.mel):
            return GeneratedClip(np.zeros(0, np.float32), fault=fault)
        audio = vocoder.synthesise(mel)[:n_samples]
    if not np.isfinite(audio).all():
        return GeneratedClip(audio, fault="not finite")
    peak = float(np.abs(audio).max())
    gain_db = 0.0
    if peak > SAFE_PEAK:
        gain_db = 20 * math.log10(SAFE_PEAK / peak)
        audio = audio * np.float32(SAFE_PEAK / peak)
    return GeneratedClip(audio, gain_db, audio_fault(audio, generator.mel))


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
    generator: Generator, vocoder: Vocoder, options: GenerateOptions, index: int, path: Path
) -> GeneratedFile:
    rejected: list[dict[str, Any]] = []
    n_samples = round(options.seconds * generator.mel.sample_rate)
    for attempt in range(MAX_ATTEMPTS):
        seed = _seed_of(options.random_seed, index, attempt)
        clip = make_clip(generator, vocoder, random_seed=seed, n_samples=n_samples)
        if clip.fault is None:
            file_hash = _write_flac(path, clip.audio, generator.mel.sample_rate)
            peak = float(np.abs(clip.audio).max())
            return GeneratedFile(
                path.name, seed, rejected, n_samples, peak, clip.gain_db, file_hash
            )
        rejected.append({"seed": seed, "reason": clip.fault})
    return GeneratedFile(path.name, None, rejected)


def _seed_of(random_seed: int, index: int, attempt: int) -> int:
    """Return the seed of an attempt at a file: 53 bits, which every JSON reader keeps."""
    sequence = np.random.SeedSequence(random_seed, spawn_key=(index, attempt))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(11))


def _write_flac(path: Path, audio: np.ndarray, sample_rate: int) -> str:
    """Write FLAC of 16 bits, rounded without dither, and return the hash of its bytes.

    It is encoded in memory, because libsndfile does not always report a full disk.
    """
    samples = np.rint(audio * PCM_16_SCALE).astype(np.int16)
    buffer = BytesIO()
    sf.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_16")
    data = buffer.getvalue()
    with explained(path), replacing(path) as temporary:
        temporary.write_bytes(data)
    return xxhash.xxh3_128_hexdigest(data)


def _summary(
    files: list[GeneratedFile], made: list[GeneratedFile], mel: MelSettings, seconds: float
) -> GenerateSummary:
    made_seconds = sum(file.n_samples for file in made) / mel.sample_rate
    n_made = sum(file.hash is not None for file in made)
    reasons = Counter(attempt["reason"] for file in made for attempt in file.rejected)
    return GenerateSummary(
        made=n_made,
        kept=sum(file.hash is not None for file in files) - n_made,
        redone=dict(reasons),
        failed=[file.name for file in files if file.hash is None],
        audio_seconds=sum(file.n_samples for file in files) / mel.sample_rate,
        seconds=seconds,
        real_time=made_seconds / seconds,
    )
