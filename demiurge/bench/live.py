"""Live sessions: work per unit, latency, fit, and a long run, from file to file."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from db.analyse import describe_signal
from db.database import Database
from demiurge.bench import SAMPLE_RATE, Result
from demiurge.bench.live_corpus import SETTINGS, make_live_corpus, read_input, split_audio
from demiurge.bench.playback import own_cache
from demiurge.live.knobs import Knobs
from demiurge.live.session import Session
from playback.open_plan import open_plan
from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.runs import join_runs
from playback.sources import SampleReader
from playback.steps import Step
from playback.stitch import stitch
from query.index import UnitIndex
from query.options import PathOptions
from query.path import find_path
from query.settings import SearchSettings
from query.space import Space

HOP = SETTINGS.hop_length
UNIT_SECONDS = HOP / SAMPLE_RATE
UNITS = (100_000,)
UNITS_FULL = (100_000, 1_000_000, 10 * 3600 * SAMPLE_RATE // HOP)  # the last are 10 h
SECONDS = 30.0  # of each mode
LONG_SECONDS = 120.0
LONG_SECONDS_FULL = 3600.0
COMPARED_STEPS = 20  # that the baseline makes
JOIN_SECONDS = 0.002  # on either side of a join, in which a click is looked for
AROUND_SECONDS = 0.05  # of the sources at a join, whose steps it may have
MODES = ("mosaic", "accompany", "continue", "free")
BASELINE = "all units compared with NumPy, the unit read with soundfile"


def bench_live(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Play sessions of each mode in corpora of several sizes, and a long one."""
    longest, others = split_audio(audio)
    results = []
    for n_units in UNITS_FULL if full else UNITS:
        with tempfile.TemporaryDirectory() as temporary, own_cache(Path(temporary) / "cache"):
            folder = Path(temporary)
            path = make_live_corpus(folder, others, n_units)
            database = Database(path)
            sound = read_input(longest, SECONDS)
            baseline = time_baseline(database, sound)
            results += [bench_mode(path, mode, sound, baseline) for mode in MODES]
            if n_units == UNITS[0]:
                seconds = LONG_SECONDS_FULL if full else LONG_SECONDS
                results.append(bench_long(path, read_input(longest, seconds), baseline))
    return results


@contextmanager
def session_of(path: Path, mode: str) -> Iterator[Session]:
    """Open a session beside a database, with an input."""
    session = Session(path, Knobs(mode=mode), SearchSettings(), plan=path.parent / "take.plan.json")
    with session:
        session.engine.set_input(SAMPLE_RATE)
        yield session


def play(session: Session, sound: np.ndarray, kept: list[np.ndarray] | None = None) -> np.ndarray:
    """Play a sound into a session, unit by unit; return what each took, in seconds."""
    engine = session.engine
    seconds = []
    for at in range(0, len(sound) - HOP + 1, HOP):
        started = time.perf_counter()
        engine.hear(sound[at : at + HOP])
        block = engine.produce(HOP)
        seconds.append(time.perf_counter() - started)
        if kept is not None:
            kept.append(block)
    return np.array(seconds)


def time_baseline(database: Database, sound: np.ndarray) -> float:
    """Return the seconds a unit takes if all units are compared and each is read by itself."""
    description = describe_signal([sound[: COMPARED_STEPS * HOP, 0]], SETTINGS)
    assert description is not None
    space = Space(database)
    vectors = space.vectors(database.descriptors.copy())
    times = []
    for target in space.vectors(description.frames.copy()):
        started = time.perf_counter()
        best = int(((vectors - target) ** 2).sum(axis=1).argmin())
        source = database.sources[database.units.source[best]].path
        start = int(database.units.start_sample[best])
        sf.read(database.root / source, HOP, start, dtype="float32")
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def bench_mode(path: Path, mode: str, sound: np.ndarray, baseline: float) -> Result:
    """Time the work on each unit of a session."""
    with session_of(path, mode) as session:
        n_units = len(session.corpus.database.units)
        times = play(session, sound)
    facts = work_facts(times)
    if mode == "mosaic":
        assert session.plan is not None
        facts |= answer_facts(session.plan, session.corpus.database, sound)
    return Result(
        f"live {mode}",
        f"one unit of 23 ms among {n_units} units: analysis, choice and audio",
        BASELINE,
        float(np.median(times)),
        baseline,
        UNIT_SECONDS,
        facts=facts,
    )


def work_facts(times: np.ndarray) -> dict[str, Any]:
    return {
        "median, ms": 1000 * float(np.median(times)),
        "99th percentile, ms": 1000 * float(np.quantile(times, 0.99)),
        "longest, ms": 1000 * float(times.max()),
        "99th percentile, % of the unit": 100 * float(np.quantile(times, 0.99)) / UNIT_SECONDS,
    }


def answer_facts(plan: Plan, database: Database, sound: np.ndarray) -> dict[str, Any]:
    """Return how long after a frame of the input its answer begins, and how well it fits.

    A step answers the frame whose descriptors its target has.
    """
    description = describe_signal([sound[:, 0]], SETTINGS)
    assert description is not None
    assert plan.targets is not None
    frames = description.frames
    static = list(SETTINGS.frame_static)
    steps = [step for step in plan.steps if step.at_sample < len(sound) - 4 * HOP]
    latencies = []
    answered = []
    for step in steps:
        lately = slice(max(step.at_sample // HOP - 8, 0), step.at_sample // HOP + 1)
        target = plan.targets.rows[step.target][static]
        away = np.abs(frames[lately][:, static] - target).sum(axis=1)
        frame = lately.start + int(away.argmin())
        answered.append(frame)
        latencies.append((step.at_sample - frame * HOP) / HOP)
    space = Space(database)
    positions = database.units.find([step.unit for step in steps])
    targets = space.vectors(frames[answered].copy())
    live = space.distances(space.unit_vectors(positions), targets).mean()
    offline = {
        continuity: find_path(
            UnitIndex(space, min_samples=HOP),
            frames[answered],
            PathOptions(search="greedy", continuity=continuity),
            step_samples=np.full(len(answered), HOP),
        ).distances.mean()
        for continuity in (Knobs.continuity, 0.0)
    }
    return {
        "latency, units: median": float(np.median(latencies)),
        "latency, units: longest": float(np.max(latencies)),
        "target cost over the offline greedy path's, %": 100
        * float(live / offline[Knobs.continuity] - 1),
        "target cost over the nearest units', %": 100 * float(live / offline[0.0] - 1),
    }


def bench_long(path: Path, sound: np.ndarray, baseline: float) -> Result:
    """Play a long mosaic; look for growing memory, late units and clicks; render it again."""
    quarter = len(sound) // 4 // HOP * HOP
    played: list[np.ndarray] = []
    with session_of(path, "mosaic") as session:
        times = [play(session, sound[:quarter], played)]
        before = resident_bytes() - sum(block.nbytes for block in played)
        times.append(play(session, sound[quarter:], played))
        after = resident_bytes() - sum(block.nbytes for block in played)
    spent = np.concatenate(times)
    plan = session.plan
    assert plan is not None
    output = np.concatenate(played)
    facts = session.facts()
    return Result(
        "live long run",
        f"{len(output) / SAMPLE_RATE:.0f} s of mosaic, faster than real time",
        BASELINE,
        float(spent.sum()),
        baseline * len(spent),
        len(output) / SAMPLE_RATE,
        facts={
            **work_facts(spent),
            "memory gained in its last three quarters, MB": (after - before) / 2**20,
            "late units": facts["late"],
            "samples clipped": facts["clipped"],
            "joins": facts["joins"],
            **click_facts(plan, output),
        },
    )


def resident_bytes() -> int:
    """Return the memory that this process holds; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


def click_facts(plan: Plan, output: np.ndarray) -> dict[str, Any]:
    """Compare what was played with the plan rendered anew, and joins with their sources."""
    near = round(JOIN_SECONDS * SAMPLE_RATE)
    with open_plan(plan) as opened:
        crossfade = CrossfadeOptions.of(plan.settings)
        again = np.concatenate(list(stitch(opened.plan, opened.reader, crossfade=crossfade)))
        n_samples = min(len(again), len(output))
        differing = int((np.clip(again, -1, 1)[:n_samples] != output[:n_samples]).any(1).sum())
        runs = join_runs(plan.steps)
        ratios = []
        for before, after in pairwise(runs):
            at = after.step.at_sample
            around = output[max(at - near, 0) : at + near]
            if len(around) < 2 * near:
                continue
            ending = largest_step(opened.reader, before.step, before.step.end_sample)
            beginning = largest_step(opened.reader, after.step, after.step.start_sample)
            step = float(np.abs(np.diff(around, axis=0)).max())
            ratios.append(step / max(ending, beginning, 1e-4))
    return {
        "samples that differ from the plan rendered anew": differing,
        "largest step at a join, of its sources': 99th percentile": float(
            np.quantile(ratios, 0.99)
        ),
        "largest step at a join, of its sources': most": float(np.max(ratios)),
    }


def largest_step(reader: SampleReader, step: Step, middle: int) -> float:
    """Return the largest difference of successive samples of a source around a sample of it."""
    around = round(AROUND_SECONDS * SAMPLE_RATE)
    first = max(middle - around, 0)
    samples = np.empty((min(middle + around, reader.length(step.source)) - first, 1), np.float32)
    reader.read_into(samples, step.source, first)
    return float(np.abs(np.diff(samples[:, 0])).max(initial=0))
