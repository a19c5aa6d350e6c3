"""Healthy files of every format, made by the program itself: the beginning of every case."""

import json
import shutil
import sqlite3
from dataclasses import asdict
from pathlib import Path

import numpy as np

from demiurge.bundled import CORPUS_DIR
from demiurge.cli import main
from demiurge.web.make.jobs import DONE, Job
from demiurge.web.make.options import DEFAULTS
from demiurge.web.make.seeds import Seed
from scripts.fuzz.healthy_audio import RATE, encode, make_audio, music
from scripts.fuzz.healthy_requests import write_requests
from scripts.fuzz.toy_networks import use_toy_networks

FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures"
SOUNDS = ("loop_amen", "ambi_piano", "tabla_ghe3", "elec_chime")
FORECASTERS = {  # architecture and head by name
    "lstm": ("lstm", "mixture"),
    "contrast": ("lstm", "contrast"),
    "transformer": ("transformer", "point"),
    "tokens": ("transformer-encoder", "tokens"),
}
TABLES = {
    "demiurge.json": "demiurge-json",
    "table.csv": "csv",
    "table.npz": "npz",
    "table.parquet": "parquet",
}
ID = "00000000-0000-4000-8000-000000000000"  # of the databases, so that runs are alike


def command(*arguments: object) -> None:
    """Run a command in this process.

    Raises
    ------
    SystemExit
        If it fails.
    """
    status = main([str(one) for one in arguments], prog_name="demiurge", standalone_mode=False)
    if status:
        raise SystemExit(status)


def make_healthy() -> int:
    """Make all files in the current folder; return 0."""
    use_toy_networks()
    make_audio(Path("audio"))
    make_sounds()
    make_databases()
    make_forecasters()
    make_plans()
    make_tables()
    make_synthesis()
    copy_published()
    make_records()
    write_requests(Path("page.requests"))
    return 0


def make_sounds() -> None:
    """Make the corpus, and a seed that is not in it."""
    Path("sounds/more").mkdir(parents=True)
    for name in SOUNDS:
        shutil.copyfile(CORPUS_DIR / f"{name}.ogg", f"sounds/{name}.ogg")
    samples = music()
    Path("sounds/more/stereo.wav").write_bytes(encode(samples, "WAV", "PCM_16", RATE, 2))
    Path("sounds/more/mono.flac").write_bytes(encode(samples[::-1], "FLAC", "PCM_16", RATE, 1))
    Path("seed.wav").write_bytes(encode(samples[:RATE], "WAV", "PCM_16", RATE, 1))


def make_databases() -> None:
    """Make one of frames, with an index beside it, and one of onset units, with tags."""
    build = ("db", "build", "sounds")
    command(*build, "frames.db", "--units", "frame", "--descriptors", "mfcc")
    command(*build, "onsets.db", "--units", "onset", "--executor", "serial")
    for name in ("frames.db", "onsets.db"):
        command("db", "tag", name, "more/*", "more", "loud")
        with sqlite3.connect(f"{name}/manifest.sqlite") as connection:
            connection.execute("UPDATE config SET value = ? WHERE key = 'id'", [ID])
        connection.close()
    command("query", "seed.wav", "frames.db", "--index", "ivf", "-k", 3)


def make_forecasters() -> None:
    for name, (architecture, head) in FORECASTERS.items():
        database = "onsets.db" if head == "contrast" else "frames.db"
        model = ("sequencer", "train", database, f"{name}.model", "--architecture", architecture)
        command(*model, "--head", head, "--epochs", 1, "--window", 16)
    forecast = ("sequencer", "forecast", "lstm.model", "seed.wav", "--steps", 12)
    command(*forecast, "-o", "next.json")


def make_plans() -> None:
    command("mosaic", "seed.wav", "onsets.db", "-o", "mosaic.wav")
    command("mosaic", "seed.wav", "frames.db", "-o", "frames.wav")
    command("mosaic", "seed.wav", "onsets.db", "-o", "voices.wav", "--voices", 2)
    render = ("render", "seed.wav", "onsets.db", "contrast.model", "-o", "render.wav")
    command(*render, "--seconds", 1, "--include-seed")


def make_tables() -> None:
    shutil.copyfile(FIXTURES / "tabla_44k_demiurge.json", "original.json")
    Path("tabla").mkdir()  # which the original Demiurge described
    shutil.copyfile(FIXTURES / "tabla_44k.wav", "tabla/tabla_44k.wav")
    for name, kind in TABLES.items():
        command("db", "export", "frames.db", name, "--format", kind)


def make_records() -> None:
    """Write a seed and a finished job as the page keeps them."""
    seed = Seed("0" * 32, "seed.wav", ".wav", 1.0, RATE, 1, created=1.0)
    Path("page/seeds").mkdir(parents=True)
    Path(f"page/seeds/{seed.id}.json").write_text(json.dumps(asdict(seed)))
    shutil.copyfile("seed.wav", f"page/seeds/{seed.id}.wav")
    shutil.copyfile("sounds/more/mono.flac", f"page/seeds/{seed.id}.preview.flac")
    chosen = {"id": seed.id, "name": seed.name}
    job = Job("1" * 16, chosen, None, asdict(DEFAULTS), created=1.0, state=DONE, made=1)
    folder = Path("page/jobs") / job.id
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(asdict(job)))
    shutil.copyfile("mosaic.plan.json", folder / "variation-1.plan.json")
    shutil.copyfile("mosaic.wav", folder / "variation-1.wav")


def make_synthesis() -> None:
    """Train a vocoder, generators and a codec for two steps, and fill a folder with one of them."""
    train = ("--steps", 2, "--batch-size", 1)
    command("synth", "train-vocoder", "sounds", "vocos.vocoder", *train)
    for name, architecture in (("flow.generator", "flow"), ("unagan.generator", "unagan")):
        size = ("--architecture", architecture, "--size", "small")
        command("synth", "train-generator", "sounds", name, *size, *train)
    size = ("--size", "small", "--vocoder", "vocos.vocoder")
    command("synth", "train-codec", "sounds", "my.codec", *size, *train)
    for name, origin in (("old.generator", "toy.unagan"), ("old.vocoder", "vocos.vocoder")):
        shutil.copytree(FIXTURES / "version_0_1_0" / origin, name)
    generate = ("synth", "generate", "old.generator", "old.vocoder", "generated")
    command(*generate, "--seconds", 1, "--minutes", 3 / 60, "--workers", 1)
    Path("sizes.json").write_text('{"width": 64, "layers": 1, "clip_frames": 256}')


def copy_published() -> None:
    """Copy published checkpoints of toy size, and write statistics that fit the UNAGAN."""
    layouts = {
        "hifigan_layout": "hifigan_v2_layout",
        "melgan_layout": "melgan_layout",
        "unagan_layout": "unagan_nonhierarchical_layout",
    }
    for name, origin in layouts.items():
        for suffix in (".pt", ".json"):
            shutil.copyfile(FIXTURES / f"{origin}{suffix}", f"{name}{suffix}")
    n_mels = json.loads(Path("unagan_layout.json").read_text())["feat_dim"]
    for name, value in (("mean", -4.0), ("std", 1.5)):
        np.save(f"{name}.npy", np.full(n_mels, value, np.float32))
