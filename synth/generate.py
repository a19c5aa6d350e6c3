"""Fill a folder with audio by a generator and a vocoder.

    random seed ──► log-mel ──► audio

Files are made in parallel, each by one thread from beginning to end, never in batches: the last
bits of a network's sums depend on the rest of the batch. So the bytes do not depend on the number
of workers, nor on the other files.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from files.errors import ParameterError
from files.progress import Progress, no_progress
from synth.clips import make_clip
from synth.file_request import NOTHING_ASKED, FileRequest
from synth.fill_folder import FilesToMake, GenerateSummary, fill_folder
from synth.generated_header import make_header
from synth.generator import Generator
from synth.plan_clips import MOST_SECONDS, plan_clips
from synth.vocoder import Vocoder

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
    planned = plan_clips(generator, names[0], request, options.seconds)
    header = make_header(
        generator,
        vocoder,
        seconds=planned.seconds,
        random_seed=options.random_seed,
        names=names,
        request=request.record(),
    )
    files = FilesToMake(
        header,
        options.n_files(planned.seconds),
        lambda seed: make_clip(generator, vocoder, planned.plan, random_seed=seed),
        random_seed=options.random_seed,
        sample_rate=generator.mel.sample_rate,
        notes=planned.notes,
    )
    workers = options.workers or os.cpu_count() or 1
    return fill_folder(out, files, workers=workers, force=force, progress=progress)
