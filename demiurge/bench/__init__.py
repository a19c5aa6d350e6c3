"""Benchmarks of Demiurge against named baselines, measured in turn in one run.

They are part of the program, since users measure their own machine and audio with `demiurge bench`.
Measurements that only the documentation needs are in scripts/measure.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from audio.channels import fit_channels
from audio.read import read_audio
from audio.resample import resample
from audio.scan import find_audio
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError

SAMPLE_RATE = 44100
FILE_SECONDS = 60  # of the WAVs made for measuring
N_FILES = 10
N_FILES_FULL = 240  # 4 h


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes
    ----------
    name, what, baseline : str
        The benchmark, the work that was measured, and the baseline.
    seconds, baseline_seconds : float
        Medians.
    audio_seconds : float
        Length of the audio that was read or made; 0 if the benchmark is not about audio.
    repeats : int
    facts : dict
        Other figures, by name.
    """

    name: str
    what: str
    baseline: str
    seconds: float
    baseline_seconds: float
    audio_seconds: float = 0.0
    repeats: int = 1
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Speed relative to the baseline."""
        return self.baseline_seconds / self.seconds

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def run_benchmarks(
    names: tuple[str, ...], *, audio: Path | None, repeats: int, full: bool = False
) -> list[Result]:
    """Run the named benchmarks, or all if none is named.

    Parameters
    ----------
    audio : Path, optional
        Folder to measure on; by default WAVs made from the bundled sounds.
    full : bool
        Use the sizes of the published figures: hours of audio, 20 000 files, a million units. This
        takes many minutes.

    Raises
    ------
    ParameterError
        If a name is unknown or `audio` is not a folder with audio files.
    """
    known = benchmarks()
    if unknown := [name for name in names if name not in known]:
        raise ParameterError(f"unknown benchmark {unknown[0]!r}; known are {', '.join(known)}")
    if audio is not None and not (audio.is_dir() and find_audio(audio)):
        raise ParameterError(
            f"{audio}: no such folder, or no audio in it; give a folder with audio files"
        )
    with tempfile.TemporaryDirectory() as folder:
        if audio is None:
            audio = Path(folder)
            make_wavs(audio, N_FILES_FULL if full else N_FILES)
        return [result for name in names or known for result in known[name](audio, repeats, full)]


def benchmarks() -> dict[str, Callable[[Path, int, bool], list[Result]]]:
    """Return the benchmark of each room, a function of audio folder, repeats and `full`."""
    from demiurge.bench.cluster import bench_cluster
    from demiurge.bench.db import bench_db
    from demiurge.bench.live import bench_live
    from demiurge.bench.playback import bench_playback
    from demiurge.bench.query import bench_query
    from demiurge.bench.sequencer import bench_sequencer
    from demiurge.bench.start import bench_start
    from demiurge.bench.synth import bench_synth
    from demiurge.bench.web import bench_web

    return {
        "start": bench_start,
        "db": bench_db,
        "query": bench_query,
        "playback": bench_playback,
        "sequencer": bench_sequencer,
        "synth": bench_synth,
        "web": bench_web,
        "live": bench_live,
        "cluster": bench_cluster,
    }


def make_wavs(folder: Path, n_files: int) -> None:
    """Write stereo 16-bit WAVs of the bundled sounds in a row, each starting with another."""
    sounds = []
    for path in sorted(CORPUS_DIR.glob("*.ogg")):
        audio = read_audio(path)
        sounds.append(fit_channels(resample(audio.samples, audio.sample_rate, SAMPLE_RATE), 2))
    whole = np.clip(np.concatenate(sounds), -1, 1)
    for number in range(n_files):
        rolled = np.roll(whole, -number * len(whole) // n_files, axis=0)
        samples = rolled[: FILE_SECONDS * SAMPLE_RATE]
        sf.write(folder / f"{number:03d}.wav", samples, SAMPLE_RATE, subtype="PCM_16")


def medians(
    ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int
) -> tuple[float, float]:
    """Return the median seconds of both functions.

    They are run in turn, so that changes in the machine's speed affect both.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for function, seconds in zip((ours, theirs), times, strict=True):
            started = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])
