"""The continuations of seeds by methods, kept with their measures in a folder.

    FOLDER/METHOD/SEED.flac    the continuation
    FOLDER/METHOD/SEED.json    what made it, its runs and its measures
    FOLDER/METHOD/SEED.npy     embeddings of its windows, float32, (n, d)

What is there already, made by the same method with the same settings, is not made again.
"""

import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tokenize import TokenError

import numpy as np
import xxhash

from audio.channels import to_mono
from audio.read import read_audio
from audio.resample import resample
from demiurge.evaluate.continuation import Method
from demiurge.evaluate.heard import VERSION, SeedProfile, measure
from demiurge.evaluate.runs import Run
from demiurge.evaluate.seeds import Seed, write_flac
from files.atomic import make_folder, replacing, write_text
from files.documents import read_document
from files.errors import ParameterError
from files.hashing import hash_file
from files.regular import check_regular
from synth.audio_distance import Embedding

MEASURED_RATE = 44100  # Hz, of every seed and continuation when it is measured
# raised for a kept array: by the system, and by NumPy, whose headers are Python literals
DAMAGED = (ParameterError, OSError, ValueError, EOFError, SyntaxError, TypeError, TokenError)


@dataclass(frozen=True)
class MeasuredContinuation:
    """A continuation as a file, what it is made of, its measures, and embeddings (n, d)."""

    seed: Seed
    path: Path
    runs: tuple[Run, ...]
    measures: dict[str, float]
    windows: np.ndarray
    seed_windows: np.ndarray


@dataclass(frozen=True)
class Kept:
    """What is kept about a continuation: a hash of its settings, its runs, and its measures."""

    key: str
    runs: tuple[Run, ...]
    version: int = 0  # of the measures; 0 before there are any
    measures: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class ContinuationFolder:
    """Makes and keeps continuations of one length in a folder.

    With `again`, those that are there are replaced.
    """

    folder: Path
    seconds: float
    embedding: Embedding
    random_seed: int = 0
    again: bool = False

    def render(self, method: Method, seed: Seed) -> tuple[Run, ...]:
        """Make a continuation, unless it is there; return its runs. Raises as the method."""
        path = self._path(method, seed)
        key = self._key(method, seed)
        kept = self._read(path, key)
        if kept and path.exists() and not self.again:
            return kept.runs
        made = method.continue_seed(seed.path, self.seconds, _seed_number(seed, self.random_seed))
        make_folder(path.parent)
        path.with_suffix(".npy").unlink(missing_ok=True)
        write_flac(path, made.audio, made.sample_rate)
        _write(path, Kept(key, made.runs))
        return made.runs

    def measure(self, method: Method, seed: Seed, profile: SeedProfile) -> MeasuredContinuation:
        """Measure a continuation that was rendered, unless it has been."""
        path = self._path(method, seed)
        key = self._key(method, seed)
        kept = self._read(path, key)
        assert kept
        windows_file = path.with_suffix(".npy")
        windows = _load_windows(windows_file)
        if kept.version == VERSION and windows is not None:
            values = {name: math.nan if v is None else v for name, v in kept.measures.items()}
            return MeasuredContinuation(seed, path, kept.runs, values, windows, profile.windows)
        audio = read_for_measures(path)
        windows = self.embedding.embed(audio, MEASURED_RATE)
        with replacing(windows_file) as temporary:
            np.save(temporary, windows)
        values = measure(audio, windows, kept.runs, profile)
        _write(path, replace(kept, version=VERSION, measures=without_nan(values)))
        return MeasuredContinuation(seed, path, kept.runs, values, windows, profile.windows)

    def profile(self, seed: Seed) -> SeedProfile:
        """Return the seed's profile; its embeddings are kept beside it."""
        audio = read_for_measures(seed.path)
        windows_file = seed.path.with_suffix(".npy")
        windows = _load_windows(windows_file)
        if windows is None:
            windows = self.embedding.embed(audio, MEASURED_RATE)
            with replacing(windows_file) as temporary:
                np.save(temporary, windows)
        return SeedProfile(audio, MEASURED_RATE, windows)

    def _path(self, method: Method, seed: Seed) -> Path:
        return self.folder / folder_name(method.name) / f"{seed.name}.flac"

    def _key(self, method: Method, seed: Seed) -> str:
        """Return a hash of all that affects a continuation."""
        facts = {
            "method": type(method).__name__,
            "identity": method.identity,
            "seed": hash_file(seed.path),
            "following": hash_file(seed.following),
            "seconds": self.seconds,
            "random_seed": self.random_seed,
        }
        return xxhash.xxh3_128(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _read(self, path: Path, key: str) -> Kept | None:
        """Return what is kept about a continuation; None if it is damaged or of other settings."""
        record = path.with_suffix(".json")
        try:
            kept = read_document(record, Kept, error=ParameterError, remedy="remove it")
        except ParameterError:
            return None
        return kept if kept.key == key else None


def read_for_measures(path: Path) -> np.ndarray:
    """Return an audio file as mono float32 at `MEASURED_RATE`, (n_samples,)."""
    audio = read_audio(path)
    return resample(to_mono(audio.samples), audio.sample_rate, MEASURED_RATE)


def without_nan(values: dict[str, float]) -> dict[str, float | None]:
    """Return values for JSON: None for NaN."""
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def folder_name(method_name: str) -> str:
    """Return "oracle-beats" for "oracle, beats"."""
    return re.sub(r"[^\w.]+", "-", method_name).strip("-")


def _seed_number(seed: Seed, random_seed: int) -> int:
    """Return a random seed for each seed, so that chance differs between them."""
    return xxhash.xxh32(f"{random_seed} {seed.name}".encode()).intdigest()


def _load_windows(path: Path) -> np.ndarray | None:
    """Return embeddings (n, d) that were kept; None if they are missing or damaged."""
    try:
        check_regular(path, error=ParameterError, remedy="remove it")
        windows = np.load(path, mmap_mode="r")  # refuses shapes that the file does not have
    except DAMAGED:
        return None
    fits = windows.ndim == 2 and windows.dtype.kind == "f" and len(windows)
    return np.array(windows) if fits and np.isfinite(windows).all() else None


def _write(path: Path, kept: Kept) -> None:
    write_text(path.with_suffix(".json"), json.dumps(asdict(kept), allow_nan=False) + "\n")
