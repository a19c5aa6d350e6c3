"""The demo: the whole chain on the bundled sounds, stage by stage."""

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
from audio.read import read_audio
from audio.resample import resample
from db.build import build_database
from db.database import Database
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.overview import save_overview
from demiurge.pipeline import RenderResult, render_continuation
from demiurge.shipped import shipped_model
from files.atomic import make_folder
from files.progress import Progress
from query.options import CONTINUATION_PATH
from query.settings import SearchSettings
from sequencer.sampling import SamplingOptions
from sequencer.train import ForecasterOptions, ForecasterSummary, train_forecaster
from synth.generate import GenerateOptions, GenerateSummary, generate
from synth.generated_manifest import clear_folder
from synth.generator import Generator
from synth.vocoder import Vocoder

CONTINUATION_SECONDS = 10.0
GENERATED_MINUTES = 1.0
GENERATED_FILE_SECONDS = 10.0

Echo = Callable[[str], None]


def run_demo(out: Path, *, random_seed: int, echo: Echo, progress: Progress) -> dict[str, Any]:
    """Build, train, forecast, query and render into the folder `out`.

    Parameters
    ----------
    echo : callable
        Called with a line of text before and after each stage.

    Returns
    -------
    dict
        The figures of each stage.

    Raises
    ------
    ParameterError
        If the folder cannot be made.
    """
    started = time.perf_counter()
    make_folder(out, "choose another with --out")
    generated = make_sounds(out / "sounds", random_seed, echo, progress)
    database = analyse(out, echo)
    training = train(database, out, random_seed, echo, progress)
    result = continue_seed(database, out, random_seed, echo)
    seconds = time.perf_counter() - started
    echo(farewell(out, seconds))
    return {
        "out": str(out),
        "seconds": seconds,
        "generated": asdict(generated),
        "sources": len(database.sources),
        "units": database.n_units,
        "training": asdict(training),
        "continuation": {
            "samples": result.summary.n_samples,
            "steps": len(result.plan.steps),
            "sources": result.n_sources,
            "joins": result.n_joins,
            "distinct_units": result.n_distinct_units,
            "mean_distance": result.mean_distance,
        },
    }


def make_sounds(folder: Path, random_seed: int, echo: Echo, progress: Progress) -> GenerateSummary:
    """Copy the bundled sounds into one folder, and generate piano into another."""
    echo("1. Making piano sound from noise with the shipped UNAGAN and vocoder …")
    recorded = folder / "recorded"
    recorded.mkdir(parents=True, exist_ok=True)
    for path in CORPUS_DIR.iterdir():
        shutil.copyfile(path, recorded / path.name)
    unagan = shipped_model("unagan")
    vocoder = shipped_model("vocoder")
    clear_folder(folder / "generated")  # another version's files would be kept
    generated = generate(
        Generator.load(unagan),
        Vocoder.load(vocoder).prepare(),
        folder / "generated",
        options=GenerateOptions(
            minutes=GENERATED_MINUTES, seconds=GENERATED_FILE_SECONDS, random_seed=random_seed
        ),
        names=(unagan.name, vocoder.name),
        force=True,
        progress=progress,
    )
    echo(
        f"   {generated.audio_seconds:.0f} s in {generated.seconds:.1f} s, "
        f"{generated.real_time:.0f} times faster than it plays"
    )
    return generated


def analyse(out: Path, echo: Echo) -> Database:
    """Build a database of all sounds."""
    echo("2. Analysing it, and the bundled sounds (CC0, from the Sonic Pi collection) …")
    report = build_database(out / "sounds", out / "corpus.db")
    database = Database(out / "corpus.db")
    minutes = sum(source.n_samples for source in database.sources) / database.sample_rate / 60
    echo(
        f"   {len(database.sources)} sources, {minutes:.1f} minutes, {database.n_units} units "
        f"of 23 ms, in {report.seconds:.1f} s"
    )
    return database


def train(
    database: Database, out: Path, random_seed: int, echo: Echo, progress: Progress
) -> ForecasterSummary:
    """Train a forecaster on the loops.

    Single hits and chords are left out, because they fade to silence within seconds.
    """
    sequences = database.sequences()
    loops = [(name, rows) for name, rows in sequences if name.startswith("recorded/loop_")]
    echo(f"3. Training an LSTM on how descriptors follow each other in {len(loops)} loops …")
    summary = train_forecaster(
        loops,
        out / "forecaster",
        settings=database.settings,
        normaliser=database.normaliser,
        options=ForecasterOptions(random_seed=random_seed),
        progress=progress,
    )
    if summary.stopped_by == "interrupt":
        raise KeyboardInterrupt  # the demo ends here, too
    echo(
        f"   {summary.epochs} epochs in {summary.seconds:.0f} s; validation loss "
        f"{summary.validation_loss:.1f} nats per step, best after epoch {summary.best_epoch}"
    )
    return summary


def continue_seed(database: Database, out: Path, random_seed: int, echo: Echo) -> RenderResult:
    """Render the continuation, a picture of it, and the seed followed by it."""
    echo(
        f"4. Forecasting what could follow {SEED_FILE.stem}, which is not among the sounds, and "
        "finding it …"
    )
    (result,) = render_continuation(
        SEED_FILE,
        database.path,
        out / "forecaster",
        out / "continuation.wav",
        seconds=CONTINUATION_SECONDS,
        sampling=SamplingOptions(random_seed=random_seed),
        search=SearchSettings(path=CONTINUATION_PATH),
    )
    seconds = result.summary.n_samples / database.sample_rate
    echo(
        f"   {seconds:.1f} s made of {len(result.plan.steps)} units from {result.n_sources} "
        f"sources with {result.n_joins} joins; between joins a source simply goes on"
    )
    n_sources = f"{result.n_sources} of {len(database.sources)} sounds"
    title = f"{SEED_FILE.stem} continued with {n_sources}"
    save_overview(result, database, out / "overview.png", title=title)
    save_after_seed(result, out / "seed_and_continuation.wav")
    return result


def save_after_seed(result: RenderResult, path: Path) -> None:
    """Write the seed followed at once by its continuation."""
    plan = result.plan
    seed = read_audio(SEED_FILE)
    before = fit_channels(resample(seed.samples, seed.sample_rate, plan.sample_rate), plan.channels)
    after, _ = sf.read(result.wav, dtype="float32", always_2d=True)
    both = np.concatenate([before, after])
    peak = max(1.0, float(np.abs(both).max()))
    sf.write(path, both / peak, plan.sample_rate, subtype="PCM_24")


def farewell(out: Path, seconds: float) -> str:
    """Return the closing text: what was made, and what to do next."""
    demiurge = program()
    return f"""
Done in {seconds:.0f} s. In {out}/:
  continuation.wav           the continuation
  seed_and_continuation.wav  the seed, then the continuation
  continuation.plan.json     where every sample of it came from; edit it, and render it again with
                             {demiurge} playback
  overview.png               a picture of it
  sounds                     what it is made of: the bundled sounds, and what the shipped models
                             made from noise
  corpus.db, forecaster      the database and the trained model

See and hear all of it, and change it, in your browser:
  {demiurge} browse {out}/corpus.db --plan {out}/continuation.plan.json

Next, with your own sounds (a folder of them, and one file to continue):
  {demiurge} db build MY_SOUNDS my.db
  {demiurge} sequencer train my.db my.model
  {demiurge} render MY_FILE.wav my.db my.model -o out.wav
Or rebuild any file out of them:
  {demiurge} mosaic MY_FILE.wav my.db -o out.wav"""


def program() -> str:
    """Return how to call `demiurge` in this terminal."""
    if shutil.which("demiurge"):
        return "demiurge"
    if Path(sys.argv[0]).stem == "demiurge":
        return sys.argv[0]
    return f"{sys.executable} -m demiurge"
