"""Costs of a build besides its time: its parts on one thread, and its memory."""

import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import soundfile as sf
from scipy.fft import rfft

from audio.read import open_mono
from audio.scan import find_audio
from db.descriptors.frames import frames_of
from db.settings import DescriptorSettings
from files.hashing import hash_file

MEMORY_HOURS = (1, 8)  # hours of audio that memory is measured on
EXECUTORS = ("threads", "processes")
# In a child process, ru_maxrss includes the memory of its parent; VmHWM does not.
PEAK_MEMORY = """
import os, re, resource, sys
from db.build import build_database
if __name__ == "__main__":
    build_database(sys.argv[1], sys.argv[2], executor=sys.argv[3])
    own = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * os.cpu_count()
    print((own + workers) / 1024)
"""


def first_files(audio: Path, folder: Path, *, seconds: float) -> Path:
    """Link the first files of a folder, `seconds` in total, into another one."""
    for name in find_audio(audio):
        if seconds <= 0:
            break
        (folder / name.replace("/", "_")).symlink_to((audio / name).resolve())
        seconds -= sf.info(audio / name).duration
    return folder


def measure_parts(audio: Path, settings: DescriptorSettings) -> dict[str, float]:
    """Return the seconds that one thread needs for each part of the work."""
    paths = [audio / name for name in find_audio(audio)]
    started = time.perf_counter()
    for path in paths:
        hash_file(path)
    hashed = time.perf_counter()
    for path in paths:
        with open_mono(path) as (_, blocks):
            for _ in blocks:
                pass
    decoded = time.perf_counter()
    for path in paths:
        with open_mono(path) as (_, blocks):
            for frames in frames_of(blocks, settings):
                rfft(frames.samples, axis=1)
    transformed = time.perf_counter()
    return {
        "one thread, s: hash the files": hashed - started,
        "one thread, s: decode to mono": decoded - hashed,
        "one thread, s: decode, cut into frames, FFT": transformed - decoded,
    }


def measure_peak_memory(audio: Path) -> dict[str, float]:
    """Return the peak resident megabytes of a build with its workers, at two sizes."""
    peaks = {}
    for hours in MEMORY_HOURS:
        with tempfile.TemporaryDirectory() as folder:
            link_hours(audio, Path(folder) / "audio", hours)
            for executor in EXECUTORS:
                arguments = [f"{folder}/audio", f"{folder}/{executor}.db", executor]
                command = [sys.executable, "-c", PEAK_MEMORY, *arguments]
                result = subprocess.run(command, capture_output=True, text=True, check=True)
                peaks[f"peak memory at {hours} h, {executor}, MB"] = float(result.stdout)
    return peaks


def link_hours(audio: Path, out: Path, hours: float) -> None:
    """Link files of a folder, repeatedly if necessary, until they last `hours`."""
    out.mkdir()
    paths = [audio / name for name in find_audio(audio)]
    mean_seconds = sum(sf.info(path).duration for path in paths) / len(paths)
    n_links = int(-(-3600 * hours // mean_seconds))
    for number, path in zip(range(n_links), cycle(paths), strict=False):
        (out / f"{number:05d}{path.suffix}").symlink_to(path.resolve())
