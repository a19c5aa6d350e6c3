"""A folder filled with generated audio, each file the work of one recorded seed.

    (run seed, file, attempt) ──► seed ──► log-mel ──► audio ──► broken? the next attempt ──► FLAC, a line of the manifest

Files are made side by side, each by one thread from beginning to end: the sums of a network depend,
in their last bits, on what is computed together with what, so that this alone gives the same bytes
whatever the number of workers, and for one file alone.
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

from files.atomic import replacing
from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.faults import audio_fault, mel_fault
from synth.generated import (
    MANIFEST,
    Entry,
    append_entry,
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
# of a file; the longest takes a gigabyte per worker
MIN_SECONDS = 1.0
MAX_SECONDS = 3600.0
SAFE_PEAK = 0.999
PCM_16_SCALE = 2.0**15


@dataclass(frozen=True)
class GenerateOptions:
    """How much to generate. More `minutes` later add to what is there."""

    minutes: float
    seconds: float = 30.0  # of each file; the last one is whole, too
    random_seed: int = 0
    workers: int | None = None  # files made side by side; the number of cores if not given

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
    """What a run did."""

    made: int
    kept: int  # files that were there
    redone: dict[str, int]  # attempts of this run that were broken, by reason
    failed: list[str]  # files that are not there: every attempt was broken
    audio_seconds: float  # of the files that are there
    seconds: float  # taken
    real_time: float  # seconds of audio made, per second taken


@dataclass(frozen=True)
class Clip:
    """What a seed gave: float32 audio (n_samples,), lowered by `gain_db` if it was too loud, or why
    it is broken.
    """

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
    """Fill `out` with files, or go on where a run was interrupted. Other files in it stay.

    Parameters
    ----------
    names : (str, str)
        Of the generator and the vocoder, for the manifest and for messages.
    force : bool
        Replace what was generated in `out` with other models or options.
    progress : callable (done, total, file)

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
    entries = open_folder(out, header, force=force)
    paths = [out / f"generated-{i + 1:06d}.flac" for i in range(options.n_files)]
    missing = [i for i, path in enumerate(paths) if path.name not in entries]
    made: list[Entry] = []
    make = partial(_make_file, generator, vocoder, options)
    with _workers(options.workers or os.cpu_count()) as pool:
        for entry in pool.map(make, missing, [paths[i] for i in missing]):
            append_entry(out / MANIFEST, entry)
            made.append(entry)
            progress(len(paths) - len(missing) + len(made), len(paths), entry.name)
    entries.update({entry.name: entry for entry in made})
    write_manifest(out, header, entries)
    return _summary(
        [entries[path.name] for path in paths], made, generator.mel, time.perf_counter() - started
    )


def make_clip(generator: Generator, vocoder: Vocoder, *, random_seed: int, n_samples: int) -> Clip:
    """The audio of one seed, judged.

    On one thread of torch it is the same to the byte, on the same machine and torch.
    """
    with torch.inference_mode():
        mel = generator.sample(
            -(-n_samples // generator.mel.hop_length), random_seeds=[random_seed]
        )[0].numpy()
        if fault := mel_fault(mel, generator.mel):
            return Clip(np.zeros(0, np.float32), fault=fault)
        audio = vocoder.synthesise(mel)[:n_samples]
    if not np.isfinite(audio).all():
        return Clip(audio, fault="not finite")
    peak = float(np.abs(audio).max())
    gain_db = 0.0
    if peak > SAFE_PEAK:
        gain_db = 20 * math.log10(SAFE_PEAK / peak)
        audio = audio * np.float32(SAFE_PEAK / peak)
    return Clip(audio, gain_db, audio_fault(audio, generator.mel))


@contextmanager
def _workers(number: int | None) -> Iterator[ThreadPoolExecutor]:
    """Threads on which torch computes alone.

    What is not begun when the block is left, by an error or Ctrl-C, is not made.
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
) -> Entry:
    rejected: list[dict[str, Any]] = []
    n_samples = round(options.seconds * generator.mel.sample_rate)
    for attempt in range(MAX_ATTEMPTS):
        state = np.random.SeedSequence(
            options.random_seed, spawn_key=(index, attempt)
        ).generate_state(1, np.uint64)
        seed = int(state[0] >> np.uint64(11))  # 53 bits, which JSON keeps everywhere
        clip = make_clip(generator, vocoder, random_seed=seed, n_samples=n_samples)
        if clip.fault is None:
            data = _encode(clip.audio, generator.mel.sample_rate)
            with explained(path), replacing(path) as temporary:
                temporary.write_bytes(data)
            peak = float(np.abs(clip.audio).max())
            return Entry(
                path.name,
                seed,
                rejected,
                n_samples,
                peak,
                clip.gain_db,
                xxhash.xxh3_128_hexdigest(data),
            )
        rejected.append({"seed": seed, "reason": clip.fault})
    return Entry(path.name, None, rejected)


def _encode(audio: np.ndarray, sample_rate: int) -> bytes:
    """FLAC of 16 bits, rounded without dither.

    In memory: libsndfile does not always tell that a disk is full.
    """
    buffer = BytesIO()
    sf.write(
        buffer,
        np.rint(audio * PCM_16_SCALE).astype(np.int16),
        sample_rate,
        format="FLAC",
        subtype="PCM_16",
    )
    return buffer.getvalue()


def _summary(
    entries: list[Entry], made: list[Entry], mel: MelSettings, seconds: float
) -> GenerateSummary:
    made_seconds = sum(entry.n_samples for entry in made) / mel.sample_rate
    n_made = sum(entry.hash is not None for entry in made)
    return GenerateSummary(
        made=n_made,
        kept=sum(entry.hash is not None for entry in entries) - n_made,
        redone=dict(Counter(attempt["reason"] for entry in made for attempt in entry.rejected)),
        failed=[entry.name for entry in entries if entry.hash is None],
        audio_seconds=sum(entry.n_samples for entry in entries) / mel.sample_rate,
        seconds=seconds,
        real_time=made_seconds / seconds,
    )
