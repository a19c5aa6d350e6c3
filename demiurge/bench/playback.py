"""Rendering a plan against the original's path: every segment re-opens its file and is appended to the result."""

import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf

from db.audio import probe
from db.scan import find_audio
from demiurge.bench import SAMPLE_RATE, Result, medians
from playback.plan import Plan, Step
from playback.render import CROSSFADE_MS, render

HOP = 1024
N_STEPS = 60 * SAMPLE_RATE // HOP  # a minute
SEED = 0


def bench_playback(audio: Path, repeats: int, full: bool) -> list[Result]:
    plan = random_plan(audio)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.wav"
        seconds, reference_seconds = medians(
            lambda: render(plan, out), lambda: reference_path(plan, Path(folder) / "reference.wav"), repeats
        )
    result = Result(
        "playback", f"{N_STEPS} units drawn at random, {plan.channels} channels, crossfade {CROSSFADE_MS:g} ms",
        "per segment: read the whole file, cut, crossfade onto the result", seconds, reference_seconds,
        plan.n_samples / plan.sample_rate, repeats, {"steps": N_STEPS},
    )  # fmt: skip
    return [result]


def random_plan(audio: Path) -> Plan:
    """Units from anywhere in the folder's files: no two adjacent, so that every boundary is a seam."""
    rng = np.random.default_rng(SEED)
    files = [(name, probe(audio / name)) for name in find_audio(audio)]
    files = [(name, info) for name, info in files if info.sample_rate == SAMPLE_RATE and info.n_samples > 2 * HOP]
    steps = []
    for i in range(N_STEPS):
        name, info = files[rng.integers(len(files))]
        steps.append(Step(i, name, int(rng.integers(info.n_samples // HOP)) * HOP, HOP, i * HOP))
    channels = max(info.channels for _, info in files)
    return Plan(SAMPLE_RATE, channels, {"id": "bench", "root": str(audio)}, tuple(steps))


def reference_path(plan: Plan, out: Path) -> None:
    """As the original: no file is kept open, the result grows by copying, the crossfade eats the hop."""
    overlap = round(CROSSFADE_MS * plan.sample_rate / 1000)
    fade = np.linspace(0, 1, overlap, dtype=np.float32)[:, None]
    result = np.zeros((overlap, plan.channels), np.float32)
    for step in plan.steps:
        samples, _ = sf.read(Path(plan.database["root"]) / step.source, dtype="float32", always_2d=True)
        segment = samples[step.start_sample : step.end_sample]
        mixed = result[-overlap:] * (1 - fade) + segment[:overlap] * fade
        result = np.concatenate([result[:-overlap], mixed, segment[overlap:]])
    sf.write(out, result, plan.sample_rate, subtype="PCM_16")
