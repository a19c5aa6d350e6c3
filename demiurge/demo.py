"""The demo: the whole chain on the bundled sounds, stage by stage."""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from audio.channels import fit_channels
from audio.decibels import to_amplitude
from audio.read import read_audio
from audio.resample import resample
from db.build import build_database
from db.database import Database
from db.settings import FOR_CONTINUATIONS, DescriptorSettings
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.demo_figures import Figures, figures_table, measure_result
from demiurge.demo_text import farewell
from demiurge.overview import save_overview
from demiurge.pipeline import render_continuation, render_mosaic
from demiurge.results import RenderResult
from demiurge.shipped import shipped_model, shipped_vocoder
from files.atomic import make_folder
from files.progress import Progress
from query.filters import Filters
from query.options import CONTINUATION_PATH
from query.settings import SearchSettings
from sequencer.sampling import SamplingOptions
from sequencer.sequence_training import ForecasterSummary
from sequencer.train import ForecasterOptions, train_forecaster
from synth.fill_folder import GenerateSummary
from synth.generate import GenerateOptions, generate
from synth.generated_manifest import clear_folder
from synth.generator import load_generator
from synth.vocoder import Vocoder

SECONDS = 20.0  # of a continuation
GENERATED_FILES = 7  # the last is continued, and not among the sounds
GENERATED_FILE_SECONDS = 10.0
SAME_RECORDING = "loop_amen"  # an extract of the seed's recording: not played
# drum loops about as loud as the seed; the softer ones could not be brought to its level
LOOPS = ("loop_breakbeat", "loop_garzul", "loop_mika")

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A result of the demo, by its name, and the file that it continues or rebuilds."""

    name: str
    result: RenderResult
    given: Path

    def facts(self, figures: Figures) -> dict[str, Any]:
        """Return what --json prints about it."""
        return {
            "samples": self.result.summary.n_samples,
            "steps": len(self.result.plan.steps),
            "sources": self.result.n_sources,
            "joins": self.result.n_joins,
            "distinct_units": self.result.n_distinct_units,
            "mean_distance": self.result.mean_distance,
            "measures": figures.measures,
        }


def run_demo(out: Path, *, random_seed: int, echo: Echo, progress: Progress) -> dict[str, Any]:
    """Build, train, continue a loop and a texture, and make a mosaic, in the folder `out`.

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
    generated = make_sounds(out, random_seed, echo, progress)
    database = analyse(out, echo)
    training = train(database, out, random_seed, echo, progress)
    made = [
        continue_loop(database, out, random_seed, echo),
        continue_piano(database, out, random_seed, echo),
        rebuild_seed(out, echo),
    ]
    draw(made[0], database, out)
    figures = [
        measure_result(one.name, one.result, one.given, has_beat=one.given == SEED_FILE)
        for one in made
    ]
    echo(f"7. How they measure, beside what they continue or rebuild:\n{figures_table(figures)}")
    seconds = time.perf_counter() - started
    echo(farewell(out, seconds))
    return {
        "out": str(out),
        "seconds": seconds,
        "generated": asdict(generated),
        "sources": len(database.sources),
        "units": database.n_units,
        "training": asdict(training),
        **{one.name: one.facts(of_one) for one, of_one in zip(made, figures, strict=True)},
    }


def make_sounds(out: Path, random_seed: int, echo: Echo, progress: Progress) -> GenerateSummary:
    """Copy the bundled sounds into one folder, generate piano into another, and hold one back."""
    echo("1. Making piano sound from noise with the shipped generator and vocoder …")
    recorded = out / "sounds" / "recorded"
    recorded.mkdir(parents=True, exist_ok=True)
    for path in CORPUS_DIR.iterdir():
        if path.stem != SAME_RECORDING:
            shutil.copyfile(path, recorded / path.name)
    model = shipped_model("generator")
    generator = load_generator(model)
    vocoder = shipped_vocoder(generator.mel.to_dict())
    folder = out / "sounds" / "generated"
    clear_folder(folder)  # another version's files would be kept
    generated = generate(
        generator,
        Vocoder.load(vocoder).prepare(),
        folder,
        options=GenerateOptions(
            minutes=GENERATED_FILES * GENERATED_FILE_SECONDS / 60,
            seconds=GENERATED_FILE_SECONDS,
            random_seed=random_seed,
        ),
        names=(model.name, vocoder.name),
        force=True,
        progress=progress,
    )
    max(folder.glob("*.flac")).replace(texture_seed(out))
    echo(
        f"   {generated.audio_seconds:.0f} s in {generated.seconds:.1f} s, "
        f"{generated.real_time:.0f} times faster than it plays"
    )
    return generated


def texture_seed(out: Path) -> Path:
    return out / "piano.flac"


def analyse(out: Path, echo: Echo) -> Database:
    """Build a database of all sounds."""
    echo("2. Analysing it, and the bundled sounds (CC0, from the Sonic Pi collection) …")
    report = build_database(out / "sounds", out / "corpus.db", settings=FOR_CONTINUATIONS)
    database = Database(out / "corpus.db")
    minutes = sum(source.n_samples for source in database.sources) / database.sample_rate / 60
    echo(
        f"   {len(database.sources)} sources, {minutes:.1f} minutes, {database.n_units} units: "
        f"quarters of beats, or events where there is no beat, in {report.seconds:.1f} s"
    )
    return database


def train(
    database: Database, out: Path, random_seed: int, echo: Echo, progress: Progress
) -> ForecasterSummary:
    """Train a forecaster on all sounds."""
    echo("3. Training an LSTM on how these units follow each other …")
    summary = train_forecaster(
        list(database.sequences()),
        out / "forecaster",
        settings=database.settings,
        normaliser=database.normaliser,
        options=ForecasterOptions(head="contrast", random_seed=random_seed),
        progress=progress,
    )
    if summary.stopped_by == "interrupt":
        raise KeyboardInterrupt  # the demo ends here, too
    echo(
        f"   {summary.epochs} epochs in {summary.seconds:.0f} s; validation loss "
        f"{summary.validation_loss:.1f} nats per step, best after epoch {summary.best_epoch}"
    )
    return summary


def continue_loop(database: Database, out: Path, random_seed: int, echo: Echo) -> Made:
    """Continue a drum loop with others."""
    echo(f"4. Continuing {SEED_FILE.name}, which is not among the sounds …")
    sampling = SamplingOptions(random_seed=random_seed)
    filters = Filters(sources=tuple(f"recorded/{name}.ogg" for name in LOOPS))
    return continue_seed(SEED_FILE, "continuation", database, out, sampling, filters, echo)


def continue_piano(database: Database, out: Path, random_seed: int, echo: Echo) -> Made:
    """Continue a piano that was made from noise."""
    seed = texture_seed(out)
    echo(f"5. Continuing {seed.name}, which is not among the sounds …")
    sampling = SamplingOptions(random_seed=random_seed)
    return continue_seed(seed, "texture", database, out, sampling, Filters(), echo)


def continue_seed(
    seed: Path,
    name: str,
    database: Database,
    out: Path,
    sampling: SamplingOptions,
    filters: Filters,
    echo: Echo,
) -> Made:
    """Render a continuation, and the seed followed by it."""
    (result,) = render_continuation(
        seed,
        database.path,
        out / "forecaster",
        out / f"{name}.wav",
        seconds=SECONDS,
        sampling=sampling,
        search=SearchSettings(path=CONTINUATION_PATH, filters=filters),
    )
    echo(f"   {_told(result)}; between joins a source simply goes on")
    save_after(seed, result, out / f"seed_and_{name}.wav")
    return Made(name, result, seed)


def rebuild_seed(out: Path, echo: Echo) -> Made:
    """Render the seed rebuilt out of frames of all sounds, and the seed followed by it."""
    echo(f"6. Rebuilding {SEED_FILE.name} out of pieces of 23 ms of all sounds …")
    frames = out / "frames.db"
    build_database(out / "sounds", frames, settings=DescriptorSettings())
    (result,) = render_mosaic(
        SEED_FILE,
        frames,
        out / "mosaic.wav",
        search=SearchSettings(),
    )
    echo(f"   {_told(result)}")
    save_after(SEED_FILE, result, out / "target_and_mosaic.wav")
    return Made("mosaic", result, SEED_FILE)


def _told(result: RenderResult) -> str:
    seconds = result.summary.n_samples / result.plan.sample_rate
    return (
        f"{seconds:.1f} s made of {len(result.plan.steps)} units from {result.n_sources} sources "
        f"with {result.n_joins} joins"
    )


def draw(made: Made, database: Database, out: Path) -> None:
    """Draw a picture of a result."""
    sources = f"{made.result.n_sources} of {len(database.sources)} sounds"
    title = f"{made.given.stem} continued with {sources}"
    save_overview(made.result, database, out / "overview.png", title=title)


def save_after(given: Path, result: RenderResult, path: Path) -> None:
    """Write a seed or target followed at once by a result, both at the level of the result."""
    plan = result.plan
    audio = read_audio(given)
    before = fit_channels(
        resample(audio.samples, audio.sample_rate, plan.sample_rate), plan.channels
    )
    before = before * np.float32(to_amplitude(result.summary.gain_db))
    after, _ = sf.read(result.wav, dtype="float32", always_2d=True)
    both = np.concatenate([before, after])
    peak = max(1.0, float(np.abs(both).max()))
    sf.write(path, both / peak, plan.sample_rate, subtype="PCM_24")
