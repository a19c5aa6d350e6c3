"""Rendering a plan, against the original's way: read and append every segment by itself."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile as sf

from audio.read import AudioInfo, probe
from audio.scan import find_audio
from audio.write import AudioWriter
from demiurge.bench import SAMPLE_RATE, Result, medians
from files.cache import FOLDER_VARIABLE
from playback.options import CrossfadeOptions, RenderOptions
from playback.plan import Plan, Step
from playback.render import render
from playback.runs import join_runs

HOP = 1024
N_STEPS = 60 * SAMPLE_RATE // HOP  # a minute
# The baseline plays one step of so many, since decoding a file for each step takes minutes.
MEASURED_EVERY = {"WAV": 1, "FLAC": 16, "OGG": 64}
PLAIN_MS = 22.0  # the original's
BASELINE = "per segment: read the whole file, cut, crossfade onto the result"
RANDOM_SEED = 0
# of the plan of voices; with these gains their sum stays below full scale
N_VOICES = 6
SHARE_OF_JOINS = 0.3
GAINS_DB = (-24, -12)
VOICES_MEASURED_EVERY = 16


def bench_playback(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Render from WAV, FLAC and OGG, with plain crossfades and the default ones; and voices."""
    results = []
    with tempfile.TemporaryDirectory() as temporary, own_cache(Path(temporary) / "cache"):
        folder = Path(temporary)
        for container in MEASURED_EVERY:
            root = audio
            if container != "WAV":
                root = convert(audio, folder / container, f".{container.lower()}")
            plan = random_plan(root)
            started = time.perf_counter()
            render(plan, folder / "first.wav")
            facts = {
                "steps": len(plan.steps),
                "first_render_seconds": time.perf_counter() - started,
            }
            plain = CrossfadeOptions.plain(PLAIN_MS)
            for crossfade in (plain, CrossfadeOptions()):
                result = bench_render(plan, container, crossfade, repeats, folder)
                result.facts.update(facts)
                results.append(result)
        results.append(bench_voices(voices_plan(audio), repeats, folder))
    return results


def bench_render(
    plan: Plan, container: str, crossfade: CrossfadeOptions, repeats: int, folder: Path
) -> Result:
    """Render a plan of files of one format."""
    every = MEASURED_EVERY[container]
    seconds, baseline_seconds = medians(
        lambda: render(plan, folder / "out.wav", render_options=RenderOptions(crossfade)),
        lambda: render_by_segment(plan, folder / "baseline.wav", every),
        repeats,
    )
    is_plain = crossfade == CrossfadeOptions.plain(PLAIN_MS)
    return Result(
        f"playback {container} plain" if is_plain else f"playback {container}",
        f"{len(plan.steps)} units of 23 ms at random, {plan.channels} channels, "
        f"fades up to {crossfade.crossfade_ms:g} ms",
        BASELINE if every == 1 else f"{BASELINE}, every {every}th measured",
        seconds,
        baseline_seconds * every,
        plan.n_samples / plan.sample_rate,
        repeats,
    )


def bench_voices(plan: Plan, repeats: int, folder: Path) -> Result:
    """Render a plan of several voices; the baseline plays their steps one after the other."""
    seconds, baseline_seconds = medians(
        lambda: render(plan, folder / "out.wav"),
        lambda: render_by_segment(plan, folder / "baseline.wav", VOICES_MEASURED_EVERY),
        repeats,
    )
    return Result(
        f"playback {plan.n_voices} voices",
        f"{len(plan.steps)} units of 23 ms in {plan.n_voices} voices, {len(join_runs(plan.steps))}"
        f" runs, their gains gliding, {plan.channels} channels",
        f"{BASELINE}, every {VOICES_MEASURED_EVERY}th measured",
        seconds,
        baseline_seconds * VOICES_MEASURED_EVERY,
        plan.n_samples / plan.sample_rate,
        repeats,
    )


def random_plan(audio: Path) -> Plan:
    """Return a plan of units from anywhere in the folder's files, no two of them adjacent."""
    rng = np.random.default_rng(RANDOM_SEED)
    files = _list_files(audio)
    steps = []
    for number in range(N_STEPS):
        name, info = files[rng.integers(len(files))]
        start = int(rng.integers(info.n_samples // HOP - 1)) * HOP
        steps.append(Step(number, name, start, HOP, number * HOP))
    return _make_plan(audio, files, steps)


def voices_plan(audio: Path) -> Plan:
    """Return a plan of voices, as a search makes it: most units go on in their source."""
    rng = np.random.default_rng(RANDOM_SEED)
    files = _list_files(audio)
    steps = []
    for voice in range(N_VOICES):
        start = end = 0  # in the source, in hops
        for number in range(N_STEPS):
            start += 1
            goes_on = start < end and rng.random() >= SHARE_OF_JOINS
            if not goes_on:
                name, info = files[rng.integers(len(files))]
                end = info.n_samples // HOP
                start = int(rng.integers(end))
            step = Step(number, name, start * HOP, HOP, number * HOP, voice=voice, ramp=goes_on)
            steps.append(replace(step, gain_db=float(rng.uniform(*GAINS_DB))))
    return _make_plan(audio, files, steps)


def _list_files(audio: Path) -> list[tuple[str, AudioInfo]]:
    """Return the files that are long enough and at the benchmark's rate."""
    infos = [(name, probe(audio / name)) for name in find_audio(audio)]
    return [
        (name, info)
        for name, info in infos
        if info.sample_rate == SAMPLE_RATE and info.n_samples > 4 * HOP
    ]


def _make_plan(audio: Path, files: list[tuple[str, AudioInfo]], steps: list[Step]) -> Plan:
    channels = max(info.channels for _, info in files)
    return Plan(SAMPLE_RATE, channels, {"id": "bench", "root": str(audio)}, tuple(steps))


def render_by_segment(plan: Plan, out: Path, every: int = 1) -> None:
    """Render one step of `every` as the original did.

    No file is kept open, the result grows by copying, and a crossfade shortens the segments.
    """
    overlap = round(PLAIN_MS * plan.sample_rate / 1000)
    fade = np.linspace(0, 1, overlap, dtype=np.float32)[:, None]
    root = Path(plan.database["root"])
    result = np.zeros((overlap, plan.channels), np.float32)
    for step in plan.steps[::every]:
        samples, _ = sf.read(root / step.source, dtype="float32", always_2d=True)
        segment = samples[step.start_sample : step.end_sample]
        mixed = result[-overlap:] * (1 - fade) + segment[:overlap] * fade
        result = np.concatenate([result[:-overlap], mixed, segment[overlap:]])
    sf.write(out, result, plan.sample_rate, subtype="PCM_16")


def convert(audio: Path, folder: Path, suffix: str) -> Path:
    """Write the folder's files in another format."""
    folder.mkdir()
    bits = "16" if suffix == ".flac" else None
    for number, name in enumerate(find_audio(audio)):
        samples, rate = sf.read(audio / name, dtype="float32", always_2d=True)
        path = folder / f"{number:04d}{suffix}"
        with AudioWriter(path, rate, samples.shape[1], bits=bits, n_samples=len(samples)) as writer:
            writer.write(samples)
    return folder


@contextmanager
def own_cache(folder: Path) -> Iterator[None]:
    """Use an empty cache of decoded audio within the block."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before
