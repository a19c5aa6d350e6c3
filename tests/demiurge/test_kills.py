"""Whatever writes, killed at any moment: nothing is lost, no part of an output is there, and the
next run gives what an undisturbed one does.
"""

import functools
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
import torch

from db.database import Database
from db.keep_bands import open_store
from db.migrations import MIGRATIONS
from db.verify import verify
from demiurge.web.plans import Plans
from playback.exports import EXPORTS
from playback.plan import Plan
from scripts.train.models import Model, Place
from scripts.train.ship import ship
from sequencer.forecaster import Forecaster
from synth.generator import load_generator
from synth.open_codec import open_codec
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.kills import KILLS, Case, Killing, demiurge, files_in, fork_server, old_or_new
from tests.synth.toy_codecs import SIZES as TOY_CODEC
from tests.synth.toy_flows import MEL

RATE = 44100
CHECKPOINT = Path(__file__).parents[1] / "fixtures" / "hifigan_v2_layout"
FRAMES = ("--units", "frame", "--descriptors", "mfcc")


@pytest.fixture(scope="module")
def made(tmp_path_factory, tabla) -> SimpleNamespace:
    """A corpus, a database, models and a plan that the commands start from."""
    folder = tmp_path_factory.mktemp("made")
    sounds = folder / "sounds"
    sounds.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        first = int(rng.integers(20000))
        sf.write(sounds / f"{i:02d}.wav", tabla[first : first + 22050], RATE)
    run = functools.partial(run_here, cwd=folder)
    run("db", "build", sounds, "db/my.db", *FRAMES)
    shutil.copytree(folder / "db", folder / "removed")
    run("db", "remove", "removed/my.db", "0*")
    run("sequencer", "train", "db/my.db", "my.model", "--epochs", 1)
    run("sequencer", "train", "db/my.db", "mixture", "--epochs", 1, "--head", "mixture")
    run("sequencer", "train", "db/my.db", "masked", "--epochs", 1, "--architecture", "masked")
    (folder / "long").mkdir()
    for i in range(3):
        sf.write(folder / "long" / f"{i}.wav", np.tile(np.roll(tabla, 9999 * i), 8), RATE)
    (folder / "audio").mkdir()
    run("mosaic", sounds / "00.wav", "db/my.db", "-o", "audio/out.wav")
    shutil.copytree(folder / "audio", folder / "exported")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"dim": 16, "intermediate_dim": 16}
        vocoder = Vocoder("vocos-small", MEL, config=sizes, training={"steps": 1})
        vocoder.save(folder / "my.vocoder")
        UnaganGenerator(UnaganConfig(z_channels=6, width=16), MEL).save(folder / "my.unagan")
    (folder / "toy.json").write_text(json.dumps({"width": 64, "layers": 1, "clip_frames": 256}))
    (folder / "codec.json").write_text(json.dumps({**TOY_CODEC, "segment_frames": 64}))
    run("db", "export", "db/my.db", "table.csv", "--format", "csv")
    place = folder / "train" / "models" / "vocoder"
    shutil.copytree(folder / "my.vocoder", place)
    return SimpleNamespace(folder=folder, sounds=sounds)


def run_here(*words, cwd):
    process = fork_server().Process(target=run_in, args=(cwd, words))
    process.start()
    process.join()
    assert process.exitcode == 0, words


def run_in(folder, words):
    import os

    os.chdir(folder)
    demiurge(*words)


def command(line: str, made, folder: Path) -> None:
    """Run a command; MADE in it are the things made before, OUT is the folder to write into."""
    words = [word.replace("MADE", str(made)).replace("OUT", str(folder)) for word in line.split()]
    demiurge(*words)


def has_begun(manifest: Path) -> bool:
    """Whether a build has written its settings, without which there is no database yet."""
    if not manifest.exists():
        return False
    with closing(sqlite3.connect(manifest)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        newest = version == len(MIGRATIONS)
        return newest and connection.execute("SELECT 1 FROM config").fetchone() is not None


def rows_of(folder: Path) -> dict[str, bytes]:
    """What the database of a folder says of its sources and tags."""
    path = folder / "my.db"
    if not has_begun(path / "manifest.sqlite"):
        return {}
    database = Database(path)
    rows = {
        source.path: database.source_descriptors(i).tobytes()
        for i, source in enumerate(database.sources)
    }
    tags = {path: sorted(tags) for path, tags in database.tags.items()}
    return rows | {"tags": json.dumps(tags, sort_keys=True).encode()}


def nothing_is_lost(folder: Path, before, after) -> None:
    """The database is as before or as after, whole, and every row is right."""
    assert rows_of(folder) in (before, after)
    assert verify(folder / "my.db", check_files=False).damaged == []


def some_is_built(folder: Path, before, after) -> None:
    """A database that is being built holds some of the sources, each of them whole."""
    found = rows_of(folder)
    found.pop("tags", None)
    assert found.items() <= after.items()


def bands_of(folder: Path) -> dict[str, bytes]:
    """The spectra that the database of a folder keeps, by their source's content."""
    store = open_store(Database(folder / "my.db"))
    return {
        content: store.rows[span.first : span.first + span.n_rows].tobytes()
        for content, span in store.spans.items()
    }


def some_are_measured(folder: Path, before, after) -> None:
    assert bands_of(folder).items() <= after.items()


def weights_of(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.rglob("model.safetensors")}


def a_model_is_whole(load, folder: Path, before, after) -> None:
    """If a model is there, it can be used."""
    if (folder / "m" / "config.json").exists():
        load(folder / "m")


def save_plans(made: Path, folder: Path) -> None:
    """Save plans as the page does, in a process of its own."""
    plan = Plan.load(made / "audio" / "out.plan.json")
    plans = Plans(folder)
    while (number := len(list(folder.glob("take*.json")))) < 20:
        plans.save(plan, f"take {number}")


def cases(made: Path) -> dict[str, Case]:
    """The commands; those that write over something start from a folder that has it."""
    run = functools.partial(functools.partial, command)
    build = f"db build {made}/sounds OUT/my.db --executor threads {' '.join(FRAMES)}"
    files = functools.partial(Case, content=files_in, check=old_or_new)
    rows = functools.partial(Case, content=rows_of, check=nothing_is_lost)
    trained = functools.partial(Case, content=weights_of)
    over = f"{made}/sounds/03.wav MADE/db/my.db"
    playback = "playback MADE/audio/out.plan.json --root MADE/sounds"
    seed = f"{made}/sounds/00.wav"
    everything = " ".join(f"--export {name}" for name in EXPORTS)
    train = "--steps 8 --batch-size 1 --force"
    return {
        "db build": Case(run(build, made), rows_of, some_is_built),
        "db build bands": Case(
            run("db build MADE/sounds OUT/my.db --descriptors bands", made),
            bands_of,
            some_are_measured,
            start=made / "db",
        ),
        "db tag": rows(run("db tag OUT/my.db 1* loud", made), start=made / "db"),
        "db remove": rows(run("db remove OUT/my.db 03.wav", made), start=made / "db"),
        "db compact": rows(run("db compact OUT/my.db", made), start=made / "removed"),
        "query": rows(
            run(f"query {made}/sounds/00.wav OUT/my.db --index ivf -k 1", made), start=made / "db"
        ),
        "db export csv": files(run("db export MADE/db/my.db OUT/t.csv --format csv --force", made)),
        "db export npz": files(run("db export MADE/db/my.db OUT/t.npz --format npz --force", made)),
        "db import": Case(
            run("db import MADE/table.csv OUT/my.db --root MADE/sounds", made),
            rows_of,
            some_is_built,
        ),
        "sequencer train": trained(
            run("sequencer train MADE/db/my.db OUT/m --epochs 3 --force", made),
            check=functools.partial(a_model_is_whole, Forecaster.load),
        ),
        "sequencer forecast": files(
            run(f"sequencer forecast MADE/mixture {seed} -o OUT/f.json --steps 2 --force", made)
        ),
        "train-vocoder": trained(
            run(f"synth train-vocoder MADE/sounds OUT/m --from MADE/my.vocoder {train}", made),
            check=functools.partial(a_model_is_whole, Vocoder.load),
        ),
        "train-generator": trained(
            run(f"synth train-generator MADE/long OUT/m --size MADE/toy.json {train}", made),
            check=functools.partial(a_model_is_whole, load_generator),
        ),
        "train-codec": trained(
            run(
                "synth train-codec MADE/long OUT/m --vocoder MADE/my.vocoder --size MADE/codec.json"
                f" {train}",
                made,
            ),
            check=functools.partial(a_model_is_whole, open_codec),
        ),
        "synth generate": files(
            run(
                "synth generate MADE/my.unagan MADE/my.vocoder OUT/made --minutes 0.1 --seconds 1"
                " --workers 1",
                made,
            ),
            check=functools.partial(old_or_new_but, "manifest.jsonl"),
        ),
        "synth resynth": files(
            run("synth resynth MADE/sounds/00.wav MADE/my.vocoder -o OUT/r.wav --force", made)
        ),
        "synth import": trained(
            run(f"synth import {CHECKPOINT}.pt OUT/m --config {CHECKPOINT}.json --force", made),
            check=functools.partial(a_model_is_whole, Vocoder.load),
        ),
        "render": files(
            run(f"render {over} MADE/my.model -o OUT/out.wav --seconds 1 --force", made),
            start=made / "audio",
        ),
        "infill": files(
            run(
                "infill MADE/audio/out.plan.json MADE/db/my.db MADE/masked -o OUT/filled.wav"
                " --keep periodic:2 --force",
                made,
            )
        ),
        "mosaic": files(run(f"mosaic {over} -o OUT/out.wav --force", made), start=made / "audio"),
        "playback": files(
            run(
                f"{playback} -o OUT/out.wav --picture OUT/p.png --stems OUT/stems {everything}"
                " --force",
                made,
            ),
            start=made / "exported",
        ),
        "plans of the page": files(functools.partial(save_plans, made)),
        "ship": files(functools.partial(ship_vocoder, made)),
    }


def old_or_new_but(name: str, folder: Path, before, after) -> None:
    """As `old_or_new`, but for a file that grows: it holds whole lines of the last one."""
    path = folder / "made" / name
    if path.exists():
        lines = path.read_bytes().splitlines(keepends=True)
        assert set(lines) <= set(after[f"made/{name}"].splitlines(keepends=True))
        path.unlink()
        whole = path
        old_or_new(folder, before, after)
        whole.write_bytes(b"".join(lines))
        return
    old_or_new(folder, before, after)


def ship_vocoder(made: Path, folder: Path) -> None:
    """Copy a trained vocoder into a folder of shipped weights, as scripts/train/all.py does."""
    model = Model("vocoder", "train-vocoder", ("sounds",), 1.0)
    ship(Place(made / "train"), model, weights=folder)


CASES = list(cases(Path("/")))
SIZES = (2**12, 2**15)  # of the largest file on a full disk
FULL = [
    (name, most_bytes)
    for number, name in enumerate(CASES)
    for most_bytes in (SIZES if KILLS > 1 else [SIZES[number % 2]])
]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_moment(made, tmp_path, name):
    case = cases(made.folder)[name]
    killing = Killing(case, tmp_path, random_seed=CASES.index(name))
    done = killing.kill(KILLS)
    assert done.kills == KILLS
    print(
        f"\n{name}: {done.kills} kills within {done.seconds:.2f} s,"
        f" {done.left_temporary} left a temporary file, {done.ended} came too late"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most_bytes"), FULL)
def test_a_full_disk_ends_it_in_one_line_and_nothing_is_lost(made, tmp_path, name, most_bytes):
    killing = Killing(cases(made.folder)[name], tmp_path, random_seed=0)
    (tmp_path / "limited").mkdir()
    assert killing.fill(tmp_path / "limited", most_bytes=most_bytes) in (0, 1, 2)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of a size at a folder, or make it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(n_bytes: int, *more: str) -> Path:
        options = ",".join([*more, f"size={n_bytes}"])
        words = ["mount", "-t", "tmpfs", "-o", options, "demiurge", folder]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("no disk may be mounted here")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["db build", "render", "playback", "synth generate"])
def test_space_on_a_full_disk_is_all_that_is_needed(made, tmp_path, small_disk, name):
    case = cases(made.folder)[name]
    start = files_in(case.start).values() if case.start else []
    disk = small_disk(sum(len(content) + 8192 for content in start) + 65536)
    space = functools.partial(small_disk, 2**26, "remount")
    killing = Killing(case, tmp_path, random_seed=0)
    assert killing.fill(disk, make_space=space) in (1, 2)
