"""Make tests/fixtures/version_0_1_0: files written by version 0.1.0, and results of using them.

    git worktree add ../demiurge-0.1.0 v0.1.0
    PYTHONPATH=../demiurge-0.1.0 python scripts/make/fixtures_0_1_0.py

The modules imported here are that version's, so this script is not changed when they are renamed.
tests/test_version_0_1_0.py opens the files with the present version and compares the results.
"""

import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from click.testing import CliRunner
from demiurge.corpus import CORPUS_DIR
from demiurge.editing import lock_steps, replace_unit
from sequencer.models import BODIES

from db.database import Database
from demiurge.cli import main as demiurge
from playback.plan import Plan
from sequencer.train import TrainingOptions, train_forecaster
from synth.mel import PRESETS
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder

OUT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "version_0_1_0"
SOUNDS = (
    "bd_boom",
    "drum_snare_hard",
    "drum_tom_lo_hard",
    "elec_filt_snare",
    "loop_amen",
    "loop_industrial",
    "tabla_ghe8",
    "tabla_na",
    "tabla_na_o",
    "tabla_tas1",
)
SEED = "tabla_tas3"  # not among them, nor is
TARGET = "drum_tom_hi_soft"
FORECASTERS = {
    "lstm": "mixture",
    "lstm-seq2seq": "point",
    "transformer-encoder": "tokens",
    "transformer": "mixture",
}
SMALL_SIZES = {"hidden_size": 16, "dim": 16, "n_layers": 1, "n_heads": 2, "context_steps": 32}
ANYWHERE = "/music/sounds"  # the corpus folder that the files name, which does not exist


def run(*arguments: object) -> str:
    """Run a command of version 0.1.0."""
    result = CliRunner().invoke(demiurge, [str(argument) for argument in arguments])
    if result.exit_code:
        raise SystemExit(f"demiurge {' '.join(map(str, arguments))}: {result.output}")
    return result.stdout


def copy_sounds() -> None:
    """Lay out the corpus, and beside it the seed and the target."""
    Path("sounds").mkdir()
    for name in SOUNDS:
        shutil.copyfile(CORPUS_DIR / f"{name}.ogg", f"sounds/{name}.ogg")
    for name in (SEED, TARGET):
        shutil.copyfile(CORPUS_DIR / f"{name}.ogg", f"{name}.ogg")


def make_frames() -> None:
    """Make a database of frames, with an index beside it, and query it."""
    run("db", "build", "sounds", "frames.db")
    run("db", "tag", "frames.db", "tabla_*", "tabla")
    query = ("query", f"{SEED}.ogg", "frames.db", "--json", "-k", 3, "--steps", 20)
    explain = ("--explain", "--continuity", 0.5)
    Path("query.json").write_text(run(*query))
    Path("query_ivf.json").write_text(run(*query, "--index", "ivf"))
    Path("query_explained.json").write_text(run(*query, *explain))


def make_onsets() -> None:
    """Make a database of onset units, with all descriptors but fewer sounds, and query it."""
    descriptors = "mfcc,spectral,chroma,loudness"
    onsets = ("--units", "onset", "--max-unit", 150, "--descriptors", descriptors)
    run("db", "build", "sounds", "onsets.db", *onsets)
    run("db", "remove", "onsets.db", "bd_*", "elec_*", "tabla_*")
    run("db", "compact", "onsets.db")
    query = ("query", f"{SEED}.ogg", "onsets.db", "--json", "-k", 3, "--where", "centroid>500")
    Path("query_onsets.json").write_text(run(*query))


def make_forecasters() -> None:
    """Train one of each architecture for two epochs, forecast with them, and evaluate them."""
    for _, sizes in BODIES.values():
        sizes.update({name: size for name, size in SMALL_SIZES.items() if name in sizes})
    for architecture, head in FORECASTERS.items():
        train(architecture, head)
        forecast = ("sequencer", "forecast", f"{architecture}.model", f"{SEED}.ogg", "--steps", 12)
        run(*forecast, "--temperature", 0, "-o", f"{architecture}.likeliest.json")
        run(*forecast, "-o", f"{architecture}.drawn.json")
    models = [f"{architecture}.model" for architecture in FORECASTERS]
    evaluation = run("sequencer", "evaluate", *models, "frames.db", "--json")
    Path("evaluation.json").write_text(evaluation)


def train(architecture: str, head: str) -> None:
    """Train a forecaster; keep the training state of one."""
    database = Database("frames.db")
    train_forecaster(
        list(database.sequences()),
        f"{architecture}.model",
        settings=database.settings,
        normaliser=database.normaliser,
        options=TrainingOptions(model=architecture, head=head, epochs=2, window=24, batch_size=4),
    )
    if architecture != "lstm":
        Path(f"{architecture}.model", "training.pt").unlink()


def make_plans() -> None:
    """Render a continuation of frames, a mosaic of onsets, and a plan edited by hand."""
    run("render", f"{SEED}.ogg", "frames.db", "lstm.model", "-o", "render.wav", "--steps", 24)
    mosaic = ("mosaic", f"{TARGET}.ogg", "onsets.db", "-o", "mosaic.wav", "--novelty", 1)
    run(*mosaic, "--weight", "chroma=2", "--where", "centroid>200", "--crossfade", 30)
    edit_plan("render.plan.json", "edited.plan.json")
    run("playback", "edited.plan.json", "-o", "edited.wav", "--root", "sounds")
    for name in ("render", "mosaic", "edited"):
        samples, rate = sf.read(f"{name}.wav", dtype="int32")  # of 24 bits
        sf.write(f"{name}.flac", samples, rate, subtype="PCM_24")
        Path(f"{name}.wav").unlink()


def edit_plan(name: str, out: str) -> None:
    """Lock steps, choose another unit, and lower and reverse one."""
    plan = lock_steps(Plan.load(name), [2, 3, 11], True)
    unit = int(plan.steps[7].alternatives[0]["unit"])
    plan = replace_unit(plan, 7, unit, Database("frames.db"))
    plan.save(out)
    document = json.loads(Path(out).read_text())
    document["steps"][20] |= {"gain_db": -6.0, "reverse": True}
    Path(out).write_text(json.dumps(document))


def make_synthesis() -> None:
    """Save an untrained vocoder and UNAGAN of toy width, and their output."""
    mel = PRESETS["22k"]
    torch.manual_seed(0)
    sizes = {"dim": 8, "intermediate_dim": 16, "n_layers": 1, "refinements": 1}
    Vocoder("vocos-small", mel, config=sizes).save("vocos.vocoder")
    unagan = UnaganGenerator(UnaganConfig(width=8), mel, latent_order=2)
    rows = np.linspace(-4, -8, mel.n_mels, dtype=np.float32)
    unagan.set_statistics(torch.from_numpy(rows), torch.full((mel.n_mels,), 1.5))
    unagan.save("toy.unagan")
    run("synth", "resynth", f"{SEED}.ogg", "vocos.vocoder", "-o", "resynth.flac")
    seconds = ("--minutes", 2 / 60, "--seconds", 1, "--workers", 1)
    run("synth", "generate", "toy.unagan", "vocos.vocoder", "generated", *seconds)


def forget_this_machine(folder: Path) -> None:
    """Replace the corpus folder that databases and plans name by one that does not exist."""
    here = str(folder / "sounds")
    for name in ("frames.db", "onsets.db"):
        connection = sqlite3.connect(f"{name}/manifest.sqlite", isolation_level=None)
        connection.execute("UPDATE config SET value = ? WHERE key = 'root'", [ANYWHERE])
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
        connection.close()
    for path in folder.glob("*.json"):
        path.write_text(path.read_text().replace(here, ANYWHERE))


def keep(folder: Path) -> None:
    """Copy the files; fail if one of them names a folder of this machine."""
    shutil.rmtree(folder / "sounds")
    for path in [*folder.glob("*.ogg"), *folder.glob("*.db/writer.lock")]:
        path.unlink(missing_ok=True)
    for path in folder.rglob("*"):
        if path.is_file() and str(folder).encode() in path.read_bytes():
            raise SystemExit(f"{path.relative_to(folder)} names {folder}")
    shutil.rmtree(OUT, ignore_errors=True)
    shutil.copytree(folder, OUT)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        os.environ["DEMIURGE_CACHE"] = str(folder / "cache")
        torch.set_num_threads(1)
        copy_sounds()
        make_frames()
        make_onsets()
        make_forecasters()
        make_plans()
        make_synthesis()
        shutil.rmtree(folder / "cache")
        forget_this_machine(folder)
        keep(folder)
        os.chdir(OUT)
    n_bytes = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"{OUT}: {n_bytes} bytes")


if __name__ == "__main__":
    main()
