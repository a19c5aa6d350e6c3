"""Benchmarks: each measures a path of ours and a named baseline in turn, in one run, and gives the
ratio of medians.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from audio.channels import fit_channels
from audio.read import read_audio, resample
from audio.scan import find_audio
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError

SAMPLE_RATE = 44100
FILE_SECONDS = 60  # of the WAVs made for measuring
N_FILES = 10
N_FILES_FULL = 240  # 4 h


@dataclass(frozen=True)
class Result:
    """One measurement: medians in seconds, and the seconds of audio that were worked on or made (0:
    not about audio).
    """

    name: str
    what: str
    baseline: str
    seconds: float
    baseline_seconds: float
    audio_seconds: float
    repeats: int
    facts: dict[str, Any]

    @property
    def ratio(self) -> float:
        return self.baseline_seconds / self.seconds

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def run_benchmarks(
    names: tuple[str, ...], *, audio: Path | None, repeats: int, full: bool = False
) -> list[Result]:
    """Run the named benchmarks, all if none is named.

    Parameters
    ----------
    audio : Path, optional
        Folder to measure on; WAVs made of the bundled sounds by default.
    full : bool
        At the sizes of the published figures: hours of audio, 20 000 files, a million units. Takes
        many minutes.

    Raises
    ------
    ParameterError
        If a name is unknown or `audio` is not a folder with audio files.
    """
    from demiurge.bench.db import bench_db
    from demiurge.bench.playback import bench_playback
    from demiurge.bench.query import bench_query
    from demiurge.bench.sequencer import bench_sequencer
    from demiurge.bench.synth import bench_synth
    from demiurge.bench.web import bench_web

    known: dict[str, Callable[[Path, int, bool], list[Result]]] = {
        "db": bench_db,
        "query": bench_query,
        "playback": bench_playback,
        "sequencer": bench_sequencer,
        "synth": bench_synth,
        "web": bench_web,
    }
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


def make_wavs(folder: Path, n_files: int) -> None:
    """Stereo 16-bit WAVs made of the bundled sounds, end to end, starting with another sound in
    each file.
    """
    sounds = []
    for path in sorted(CORPUS_DIR.glob("*.ogg")):
        audio = read_audio(path)
        sounds.append(fit_channels(resample(audio.samples, audio.sample_rate, SAMPLE_RATE), 2))
    whole = np.clip(np.concatenate(sounds), -1, 1)
    for number in range(n_files):
        samples = np.roll(whole, -number * len(whole) // n_files, axis=0)[
            : FILE_SECONDS * SAMPLE_RATE
        ]
        sf.write(folder / f"{number:03d}.wav", samples, SAMPLE_RATE, subtype="PCM_16")


def medians(
    ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int
) -> tuple[float, float]:
    """Median seconds of each, run in turn so that a drift of the machine's speed meets both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for function, seconds in zip((ours, theirs), times, strict=True):
            started = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])
