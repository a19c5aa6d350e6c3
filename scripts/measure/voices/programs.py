"""The programs that are compared: Demiurge's command line, and the Concatenator."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from scripts.measure.voices.concatenator import ConcatenatorSettings, Corpus, concatenate
from scripts.measure.voices.excerpts import RATE, read_mono, write_mono


@dataclass(frozen=True)
class Outcome:
    """A mosaic that was made, and the seconds of the whole command and of all processors."""

    file: Path
    wall_s: float
    processor_s: float

    @property
    def sound(self) -> np.ndarray:
        """Float32, shape (n_samples,), at 44.1 kHz."""
        return read_mono(self.file)


@dataclass(frozen=True)
class Demiurge:
    """`demiurge mosaic` with some options, on frames of a corpus."""

    name: str
    options: tuple[str, ...] = ()
    descriptors: str = "mfcc"

    def make(self, target: Path, corpus: Path, out: Path) -> None:
        run("mosaic", str(target), str(self.database(corpus)), "-o", str(out), *self.options)

    def prepare(self, corpus: Path) -> None:
        """Build the database of a corpus; this is not measured."""
        database = self.database(corpus)
        if not database.exists():
            options = ("--units", "frame", "--descriptors", self.descriptors)
            run("db", "build", str(corpus), str(database), *options)

    def database(self, corpus: Path) -> Path:
        return corpus.with_name(f"{corpus.name}-{self.descriptors}.db")


@dataclass(frozen=True)
class Concatenator:
    """Our own version of the Concatenator, with p windows at a time."""

    name: str
    windows: int

    def make(self, target: Path, corpus: Path, out: Path) -> None:
        settings = ConcatenatorSettings(windows=self.windows)
        write_mono(out, concatenate(read_mono(target), read_corpus(corpus), settings))

    def prepare(self, corpus: Path) -> None:
        read_corpus(corpus)


Program = Demiurge | Concatenator


@dataclass
class Results:
    """Mosaics, each made once and kept in a folder."""

    folder: Path
    made: dict[tuple[Program, Path, Path], Outcome | None] = field(default_factory=dict)

    def of(self, program: Program, target: Path, corpus: Path) -> Outcome | None:
        """Return the mosaic of a target; None if the program failed, which is printed."""
        key = (program, target, corpus)
        if key not in self.made:
            out = self.folder / f"{len(self.made):03}-{target.stem}.wav"
            try:
                program.prepare(corpus)
                self.made[key] = Outcome(
                    out, *measure_seconds(lambda: program.make(target, corpus, out))
                )
            except subprocess.CalledProcessError as error:
                print(f"{program.name}, {target.name}: {last_line(error.stderr)}", file=sys.stderr)
                self.made[key] = None
        return self.made[key]


def run(*arguments: str) -> None:
    """Run a command of Demiurge."""
    command = [sys.executable, "-m", "demiurge", *arguments]
    subprocess.run(command, check=True, capture_output=True, text=True)


def measure_seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds that work takes, and those of its processors and its processes'."""
    started = time.perf_counter()
    before = os.times()
    work()
    after = os.times()
    used = [end - start for start, end in zip(before[:4], after[:4], strict=True)]
    return time.perf_counter() - started, sum(used)


@lru_cache(maxsize=1)
def read_corpus(folder: Path) -> Corpus:
    """Return the Concatenator's windows of all sounds of a folder."""
    sounds = [read_mono(path) for path in sorted(folder.glob("*.wav"))]
    return Corpus(sounds, RATE, ConcatenatorSettings.highest_hz)


def last_line(text: str) -> str:
    """Return the last line of a program's messages, or nothing."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
