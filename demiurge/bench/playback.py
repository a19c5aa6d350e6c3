"""RenderResult a plan against the original's path: every segment re-opens its file and is appended to
the result.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile as sf

from audio.read import probe
from audio.scan import find_audio
from audio.write import AudioWriter
from demiurge.bench import SAMPLE_RATE, Result, medians
from files.cache import FOLDER_VARIABLE
from playback.options import CrossfadeOptions, RenderOptions
from playback.plan import Plan, Step
from playback.render import render

HOP = 1024
N_STEPS = 60 * SAMPLE_RATE // HOP  # a minute
REFERENCE_EVERY = {
    "WAV": 1,
    "FLAC": 16,
    "OGG": 64,
}  # steps of which one is measured: decoding a file for each takes minutes
PLAIN_MS = 22.0  # the original's
SEED = 0


def bench_playback(audio: Path, repeats: int, full: bool) -> list[Result]:
    """The folder's files as they are, and as FLAC and OGG; with plain fades, and with all that is
    done at crossfade.
    """
    results = []
    with tempfile.TemporaryDirectory() as temporary, own_cache(Path(temporary) / "cache"):
        folder = Path(temporary)
        for container, every in REFERENCE_EVERY.items():
            root = (
                audio
                if container == "WAV"
                else _converted(audio, folder / container, f".{container.lower()}")
            )
            plan = random_plan(root)
            started = time.perf_counter()
            render(plan, folder / "first.wav")
            first = time.perf_counter() - started
            for what, crossfade in (
                (f"{container} plain", CrossfadeOptions.plain(PLAIN_MS)),
                (container, CrossfadeOptions()),
            ):
                results.append(
                    _compare(f"playback {what}", plan, crossfade, every, first, repeats, folder)
                )
    return results


def _compare(
    name: str,
    plan: Plan,
    crossfade: CrossfadeOptions,
    every: int,
    first: float,
    repeats: int,
    folder: Path,
) -> Result:
    seconds, reference_seconds = medians(
        lambda: render(plan, folder / "out.wav", render_options=RenderOptions(crossfade)),
        lambda: reference_path(plan, folder / "reference.wav", every),
        repeats,
    )
    baseline = "per segment: read the whole file, cut, crossfade onto the result"
    what = (
        f"{len(plan.steps)} units of 23 ms at random, {plan.channels} channels, fades up to"
        f" {crossfade.crossfade_ms:g} ms"
    )
    return Result(
        name,
        what,
        baseline if every == 1 else f"{baseline}, every {every}th measured",
        seconds,
        reference_seconds * every,
        plan.n_samples / plan.sample_rate,
        repeats,
        {"steps": len(plan.steps), "first_render_seconds": first},
    )


def random_plan(audio: Path) -> Plan:
    """Units from anywhere in the folder's files: no two adjacent, so that every boundary is a seam."""
    rng = np.random.default_rng(SEED)
    files = [(name, probe(audio / name)) for name in find_audio(audio)]
    files = [
        (name, info)
        for name, info in files
        if info.sample_rate == SAMPLE_RATE and info.n_samples > 4 * HOP
    ]
    steps = []
    for i in range(N_STEPS):
        name, info = files[rng.integers(len(files))]
        steps.append(
            Step(i, name, int(rng.integers(info.n_samples // HOP - 1)) * HOP, HOP, i * HOP)
        )
    channels = max(info.channels for _, info in files)
    return Plan(SAMPLE_RATE, channels, {"id": "bench", "root": str(audio)}, tuple(steps))


def reference_path(plan: Plan, out: Path, every: int = 1) -> None:
    """As the original: no file is kept open, the result grows by copying, the crossfade eats the
    hop.
    """
    overlap = round(PLAIN_MS * plan.sample_rate / 1000)
    fade = np.linspace(0, 1, overlap, dtype=np.float32)[:, None]
    result = np.zeros((overlap, plan.channels), np.float32)
    for step in plan.steps[::every]:
        samples, _ = sf.read(
            Path(plan.database["root"]) / step.source, dtype="float32", always_2d=True
        )
        segment = samples[step.start_sample : step.end_sample]
        mixed = result[-overlap:] * (1 - fade) + segment[:overlap] * fade
        result = np.concatenate([result[:-overlap], mixed, segment[overlap:]])
    sf.write(out, result, plan.sample_rate, subtype="PCM_16")


def _converted(audio: Path, folder: Path, suffix: str) -> Path:
    """The folder's files in another format."""
    folder.mkdir()
    for number, name in enumerate(find_audio(audio)):
        samples, rate = sf.read(audio / name, dtype="float32", always_2d=True)
        bits = "16" if suffix == ".flac" else None
        path = folder / f"{number:04d}{suffix}"
        with AudioWriter(path, rate, samples.shape[1], bits=bits, n_samples=len(samples)) as writer:
            writer.write(samples)
    return folder


@contextmanager
def own_cache(folder: Path) -> Iterator[None]:
    """Decoded audio is kept apart, so that the first render is a first one."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before
