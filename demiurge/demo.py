"""The demo: the whole chain on the bundled sounds, told in plain words."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from audio.channels import fit_channels
from audio.read import read_audio, resample
from db.build import build_database
from db.database import Database
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.overview import save_overview
from demiurge.pipeline import RenderResult, render_continuation
from demiurge.shipped import shipped_model
from files.atomic import make_folder
from query.settings import SearchSettings
from sequencer.train import TrainingOptions, TrainingSummary, train_forecaster
from synth.generate import GenerateOptions, GenerateSummary, generate
from synth.generator import Generator
from synth.vocoder import Vocoder

STEPS = 430  # 10 s
GENERATED_MINUTES = 1.0

Say = Callable[[str], None]
Progress = Callable[[int, int, str], None]  # done, in all, of what


def run_demo(out: Path, *, random_seed: int, say: Say, progress: Progress) -> dict[str, Any]:
    """Build, train, forecast, query and render into the folder `out`; returns the figures of each
    stage.

    Raises
    ------
    ParameterError
        If the folder cannot be made.
    """
    started = time.perf_counter()
    make_folder(out, "choose another with --out")
    made = _make_sounds(out / "sounds", random_seed, say, progress)
    database = _analyse(out, say)
    summary = _train(database, out, random_seed, say, progress)
    rendering = _continue_seed(database, out, random_seed, say)
    total = time.perf_counter() - started
    say(farewell(out, total))
    return {
        "out": str(out),
        "seconds": total,
        "generated": asdict(made),
        "sources": len(database.sources),
        "units": database.n_units,
        "training": asdict(summary),
        "continuation": {
            "samples": rendering.summary.n_samples,
            "steps": len(rendering.plan.steps),
            "sources": rendering.n_sources,
            "joins": rendering.n_joins,
            "distinct_units": rendering.n_distinct_units,
            "mean_distance": rendering.mean_distance,
        },
    }


def _make_sounds(folder: Path, random_seed: int, say: Say, progress: Progress) -> GenerateSummary:
    """Two folders: the bundled recordings, and generated sound. Both are there to be looked at."""
    say("1. Making piano sound from noise with the shipped UNAGAN and vocoder …")
    (folder / "recorded").mkdir(parents=True, exist_ok=True)
    for path in CORPUS_DIR.iterdir():
        shutil.copyfile(path, folder / "recorded" / path.name)
    unagan = shipped_model("unagan")
    vocoder = shipped_model("vocoder")
    made = generate(
        Generator.load(unagan),
        Vocoder.load(vocoder).prepare(),
        folder / "generated",
        options=GenerateOptions(minutes=GENERATED_MINUTES, seconds=10.0, random_seed=random_seed),
        names=(unagan.name, vocoder.name),
        force=True,
        progress=progress,
    )
    say(
        f"   {made.audio_seconds:.0f} s in {made.seconds:.1f} s, {made.real_time:.0f} times faster"
        " than it plays"
    )
    return made


def _analyse(out: Path, say: Say) -> Database:
    say("2. Analysing it, and the bundled sounds (CC0, from the Sonic Pi collection) …")
    report = build_database(out / "sounds", out / "corpus.db")
    database = Database(out / "corpus.db")
    minutes = sum(source.n_samples for source in database.sources) / database.sample_rate / 60
    say(
        f"   {len(database.sources)} recordings, {minutes:.1f} minutes, {database.n_units} units of"
        f" 23 ms, in {report.seconds:.1f} s"
    )
    return database


def _train(
    database: Database, out: Path, random_seed: int, say: Say, progress: Progress
) -> TrainingSummary:
    # The single hits and chords all fade to silence within a second or two; what goes on and on is
    # learned from loops.
    loops = [
        (name, rows) for name, rows in database.sequences() if name.startswith("recorded/loop_")
    ]
    say(
        f"3. Training an LSTM on how descriptors follow each other in the {len(loops)} loops among"
        " them …"
    )
    summary = train_forecaster(
        loops,
        out / "forecaster",
        settings=database.settings,
        normaliser=database.normaliser,
        options=TrainingOptions(seed=random_seed),
        progress=progress,
    )
    if summary.stopped_by == "interrupt":
        raise KeyboardInterrupt  # whoever interrupts a demo wants no more of it
    say(
        f"   {summary.epochs} epochs in {summary.seconds:.0f} s; on unseen recordings"
        f" {summary.validation_loss:.1f} nats per step, best after epoch {summary.best_epoch}"
    )
    return summary


def _continue_seed(database: Database, out: Path, random_seed: int, say: Say) -> RenderResult:
    """The continuation, a picture of it, and the seed with it behind."""
    say(
        f"4. Forecasting what could follow {SEED_FILE.stem}, which is not among the sounds, and"
        " finding it …"
    )
    (rendering,) = render_continuation(
        SEED_FILE,
        database.path,
        out / "forecaster",
        out / "continuation.wav",
        steps=STEPS,
        search=SearchSettings(),
        random_seed=random_seed,
    )
    seconds = rendering.summary.n_samples / database.sample_rate
    say(
        f"   {seconds:.1f} s made of {len(rendering.plan.steps)} units from {rendering.n_sources}"
        f" recordings, {rendering.n_joins} joins, the rest runs on as recorded"
    )
    title = (
        f"{SEED_FILE.stem} continued with {rendering.n_sources} of {len(database.sources)} sounds"
    )
    save_overview(rendering, database, out / "overview.png", title=title)
    _save_with_seed(rendering, out / "seed_and_continuation.wav")
    return rendering


def _save_with_seed(rendering: RenderResult, path: Path) -> None:
    """The seed followed at once by its continuation: how a listener judges it."""
    plan = rendering.plan
    seed = read_audio(SEED_FILE)
    before = fit_channels(resample(seed.samples, seed.sample_rate, plan.sample_rate), plan.channels)
    after, _ = sf.read(rendering.wav, dtype="float32", always_2d=True)
    both = np.concatenate([before, after])
    sf.write(path, both / max(1.0, float(np.abs(both).max())), plan.sample_rate, subtype="PCM_24")


def _program() -> str:
    """What starts the command `demiurge` in this terminal."""
    if shutil.which("demiurge"):
        return "demiurge"
    return sys.argv[0] if Path(sys.argv[0]).stem == "demiurge" else f"{sys.executable} -m demiurge"


def farewell(out: Path, seconds: float) -> str:
    """What was made, and what to do next."""
    demiurge = _program()
    return f"""
Done in {seconds:.0f} s. In {out}/:
  continuation.wav           the continuation
  seed_and_continuation.wav  the seed, then the continuation
  continuation.plan.json     where every sample of it came from; edit it and play it with demiurge playback
  overview.png               a picture of it
  sounds                     what it is made of: the bundled recordings, and what the shipped models made from noise
  corpus.db, forecaster      the database and the trained model

See and hear all of it, and change it, in your browser:
  {demiurge} browse {out}/corpus.db --plan {out}/continuation.plan.json

Next, with your own sounds (a folder of them, and one file to continue):
  {demiurge} db build MY_SOUNDS my.db
  {demiurge} sequencer train my.db my.model
  {demiurge} render MY_FILE.wav my.db my.model -o out.wav
Or rebuild any file out of them:
  {demiurge} mosaic MY_FILE.wav my.db -o out.wav"""
