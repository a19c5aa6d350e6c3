"""Live sessions: work per unit, latency, fit, and a long run, from file to file."""

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch

from db.analyse import describe_signal
from db.database import Database
from demiurge.bench import SAMPLE_RATE, Result
from demiurge.bench.live_answers import answer_facts, change_facts
from demiurge.bench.live_corpus import SETTINGS, make_live_corpus, read_input, split_audio
from demiurge.bench.live_sessions import HOP, play, session_of
from demiurge.bench.playback import own_cache
from demiurge.live.knobs import Knobs
from playback.open_plan import open_plan
from playback.options import CrossfadeOptions
from playback.plan import Plan
from playback.runs import join_runs
from playback.sources import SampleReader
from playback.steps import Step
from playback.stitch import stitch
from query.space import Space
from sequencer.forecaster import Forecaster, ForecasterConfig
from sequencer.train import ForecasterOptions

UNIT_SECONDS = HOP / SAMPLE_RATE
UNITS = (100_000,)
UNITS_FULL = (100_000, 1_000_000, 10 * 3600 * SAMPLE_RATE // HOP)  # the last are 10 h
SECONDS = 30.0  # of each mode
LONG_SECONDS = 120.0
LONG_SECONDS_FULL = 3600.0
COMPARED_STEPS = 20  # that the baseline makes
JOIN_SECONDS = 0.002  # on either side of a join, in which a click is looked for
AROUND_SECONDS = 0.05  # of the sources at a join, whose steps it may have
RANDOM_SEED = 0
LIMIT = 9.0  # of the model's forecasts, in standard deviations
FITTED_UNITS = 10_000
MODES = ("mosaic", "accompany", "continue", "free")
BASELINE = "all units compared with NumPy, the unit read with soundfile"


def bench_live(audio: Path, repeats: int, full: bool) -> list[Result]:
    """Play sessions of each mode in corpora of several sizes, and a long one, once each."""
    longest, others = split_audio(audio)
    results = []
    for n_units in UNITS_FULL if full else UNITS:
        with tempfile.TemporaryDirectory() as temporary, own_cache(Path(temporary) / "cache"):
            folder = Path(temporary)
            path = make_live_corpus(folder, others, n_units)
            database = Database(path)
            sound = read_input(longest, SECONDS)
            baseline = time_baseline(database, sound)
            model = make_model(folder / "model", database)
            results += [bench_mode(path, mode, sound, baseline) for mode in MODES]
            results.append(bench_mode(path, "free", sound, baseline, model))
            if n_units == UNITS[0]:
                seconds = LONG_SECONDS_FULL if full else LONG_SECONDS
                results.append(bench_long(path, read_input(longest, seconds), baseline))
    return results


def make_model(folder: Path, database: Database) -> Path:
    """Make a forecaster of default size; its weights are random, which take as long as others."""
    torch.manual_seed(RANDOM_SEED)
    forecaster = Forecaster(ForecasterConfig(ForecasterOptions.architecture, SETTINGS))
    n_columns = forecaster.mean.numel()
    limit = torch.full((n_columns,), LIMIT)
    forecaster.set_statistics(database.normaliser, low=-limit, high=limit)
    rows = torch.from_numpy(database.rows_at(np.arange(min(len(database.units), FITTED_UNITS))))
    forecaster.head.fit([forecaster.normalise(rows[:, :n_columns])])
    forecaster.save(folder)
    return folder


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


def bench_mode(
    path: Path, mode: str, sound: np.ndarray, baseline: float, model: Path | None = None
) -> Result:
    """Time the work on each unit that a session plays; what it only hears is left out.

    To be continued, the input ends after a third.
    """
    if mode == "continue":
        sound = sound.copy()
        sound[len(sound) // 3 :] = 0
    with session_of(path, Knobs(mode=mode), model) as session:
        n_units = len(session.corpus.database.units)
        played = play(session, sound)
    times = played.seconds[played.sounds]
    facts = {**work_facts(times), "units played": len(times), "units heard": len(played.sounds)}
    if mode == "mosaic":
        assert session.plan is not None
        facts |= answer_facts(session.plan, session.corpus.database, sound)
        facts |= change_facts(path, Knobs(mode="mosaic", novelty=0.0))
        facts |= change_facts(path, Knobs(mode="mosaic", novelty=0.0, continuity=0.0))
    return Result(
        f"live {mode}{'' if model is None else ' with a model'}",
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
        "units that took longer than they last": int((times > UNIT_SECONDS).sum()),
    }


def bench_long(path: Path, sound: np.ndarray, baseline: float) -> Result:
    """Play a long mosaic; look for growing memory, late units and clicks; render it again."""
    quarter = len(sound) // 4 // HOP * HOP
    n_samples = len(sound) // HOP * HOP
    with session_of(path, Knobs(mode="mosaic")) as session:
        output = np.ones((n_samples, session.engine.channels), np.float32)  # all in memory at once
        first = play(session, sound[:quarter], output)
        before = resident_bytes()
        rest = play(session, sound[quarter:], output[quarter:])
        after = resident_bytes()
    spent = np.concatenate([first.seconds, rest.seconds])
    plan = session.plan
    assert plan is not None
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
        differing += int(output[n_samples:].any(1).sum())
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
