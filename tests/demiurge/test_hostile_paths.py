"""Every command with paths that cannot be used: a status of 1 or 2 and one clear line, at once."""

import itertools
import os
import re
import resource
import shlex
import signal
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import psutil
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner

from demiurge.cli import main
from synth.musicnn import Musicnn
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.demiurge.test_commands import leaves
from tests.synth.rave_toys import save_prior, save_rave
from tests.synth.toy_codecs import save_toy as save_toy_codec
from tests.synth.toy_flows import MEL, toy_flow

MOST_SECONDS = 10
MOST_BYTES = 2**31
# Words in capitals are paths; each in turn is replaced by hostile ones. NEW_… are written.
LINES = {
    "demo": "--out NEW_FOLDER",
    "db build": "SOUNDS NEW_DB --executor serial",
    "db info": "DB --root SOUNDS",
    "db tag": "DB x loud",
    "db remove": "DB x.wav",
    "db compact": "DB",
    "db verify": "DB --root SOUNDS",
    "db export": "DB NEW_FILE --format csv",
    "db import": "TABLE NEW_DB --root SOUNDS",
    "sequencer train": "DB NEW_MODEL --epochs 1",
    "sequencer forecast": "MODEL SEED -o NEW_FILE --steps 2",
    "sequencer forecast, track": "PAIRED SEED --with TRACK -o NEW_FILE --steps 2",
    "sequencer evaluate": "MODEL DB --picture NEW_FILE.png",
    "sequencer compare": "DB NEW_FOLDER --minutes 0.001",
    "sequencer models": "",
    "query": "SEED DB --db more=OTHER -k 1 --steps 1",
    "query serve": "DB --cluster 127.0.0.1:1",
    "query status": "--cluster 127.0.0.1:1",
    "query stop": "DB --cluster 127.0.0.1:1",
    "render": "SEED DB MODEL --db more=OTHER -o NEW_FILE.wav --seconds 1 --root more=SOUNDS",
    "render, track": "SEED DB PAIRED --with TRACK -o NEW_FILE.wav --seconds 1 --root SOUNDS",
    "mosaic": "SEED DB -o NEW_FILE.wav --root SOUNDS",
    "mosaic, several": "SEED DB --db more=OTHER -o NEW_FILE.wav --root more=SOUNDS",
    "infill": "PLAN DB MASKED --db more=OTHER -o NEW_FILE.wav --keep periodic:2 --root more=SOUNDS",
    "infill, audio": "SEED MASKED -o NEW_FILE.wav --keep periodic:2",
    "live": "DB MODEL --db more=OTHER --mode continue --in SEED --out NEW_FILE.wav --seconds 1"
    " --plan NEW_FILE --scenes NEW_FILE.json --root more=SOUNDS",
    "playback": "PLAN -o NEW_FILE.wav --picture NEW_FILE.png --stems NEW_FOLDER --root SOUNDS",
    "browse": "DB --db more=OTHER --plan PLAN --model MODEL --folder NEW_FOLDER --port 1"
    " --root more=SOUNDS",
    "evaluate": "DB MODEL --seeds PIECES -o NEW_FOLDER --root SOUNDS --musicnn PACKAGE",
    "synth generate": "FLOW VOCODER NEW_FOLDER --continue SEED --seconds 1",
    "synth generate, fill": "FLOW VOCODER NEW_FOLDER --fill SEED --from 0.1 --to 0.2",
    "synth generate, follow": "FLOW VOCODER NEW_FOLDER --follow SEED",
    "synth generate, prior": "--with rave:EXPORT NEW_FOLDER --prior PRIOR --seconds 1",
    "synth resynth": "SEED VOCODER -o NEW_FILE.wav",
    "synth train-vocoder": "SOUNDS NEW_MODEL --from VOCODER --minutes 0.001",
    "synth codec": "CODEC",
    "synth resynth, codec": "SEED codec:CODEC -o NEW_FILE.wav --codebooks 1",
    "synth train-generator": "SOUNDS NEW_MODEL --from FLOW --minutes 0.001",
    "synth train-codec": "SOUNDS NEW_MODEL --from CODEC --vocoder VOCODER --size SIZES --steps 1",
    "synth evaluate vocoder": "VOCODER SOUNDS --picture NEW_FILE.png --musicnn PACKAGE",
    "synth evaluate generator": "UNAGAN VOCODER SOUNDS --musicnn PACKAGE",
    "synth evaluate folders": "SOUNDS SOUNDS --musicnn PACKAGE",
    "synth evaluate infilling": "FLOW VOCODER SOUNDS --copy-from SOUNDS --musicnn PACKAGE",
    "synth import": "CHECKPOINT NEW_MODEL --config CONFIG --statistics MEAN MEAN",
    "synth models": "",
    "bench": "db --audio SOUNDS --repeats 1",
}
NAMES = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)?(?:\.\w+)?\b")


def run(*words: str):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def good(tmp_path_factory, tabla) -> SimpleNamespace:
    """What every path of `LINES` is, if it is not hostile."""
    folder = tmp_path_factory.mktemp("good")
    sounds = folder / "sounds"
    sounds.mkdir()
    (folder / "new").mkdir()
    for name in ("x", "y"):
        sf.write(sounds / f"{name}.wav", tabla, 44100)
    given = {"SOUNDS": sounds, "PIECES": sounds, "SEED": sounds / "x.wav", "PACKAGE": folder}
    paths = {
        "DB": "my.db",
        "OTHER": "other.db",
        "MODEL": "my.model",
        "MASKED": "my.masked",
        "PAIRED": "my.paired",
        "PLAN": "out.plan.json",
        "TABLE": "table.csv",
        "TRACK": "track.wav",
        "EXPORT": "rave.ts",
        "PRIOR": "prior.ts",
        "FLOW": "my.flow",
        "UNAGAN": "my.unagan",
        "VOCODER": "my.vocoder",
        "CODEC": "my.codec",
        "SIZES": "sizes.json",
    }
    given |= {name: folder / path for name, path in paths.items()}
    sf.write(given["TRACK"], np.tile(tabla, 2), 44100)
    fixtures = Path(__file__).parents[1] / "fixtures"
    given["CHECKPOINT"] = fixtures / "hifigan_v2_layout.pt"
    given["CONFIG"] = fixtures / "hifigan_v2_layout.json"
    given["MEAN"] = folder / "mean.npy"
    np.save(given["MEAN"], np.zeros(80, np.float32))
    frames = ("--units", "frame", "--descriptors", "mfcc")
    masked = ("--architecture", "masked")
    paired = ("--head", "mixture", "--with", "y.wav")
    for words in (
        ("db", "build", sounds, given["DB"], *frames),
        ("db", "build", sounds, given["OTHER"], *frames),
        ("sequencer", "train", given["DB"], given["MODEL"], "--epochs", 1),
        ("sequencer", "train", given["DB"], given["MASKED"], "--epochs", 1, *masked),
        ("sequencer", "train", given["DB"], given["PAIRED"], "--epochs", 1, *paired),
        ("mosaic", given["SEED"], given["DB"], "-o", folder / "out.wav"),
        ("db", "export", given["DB"], given["TABLE"], "--format", "csv"),
    ):
        done = run(*words)
        assert done.exit_code == 0, done.output
    toy_flow().save(given["FLOW"])
    save_toy_codec(given["CODEC"], MEL)
    save_rave(given["EXPORT"], "v2")
    save_prior(given["PRIOR"])
    given["SIZES"].write_text('{"segment_frames": 32, "batch_size": 1}')
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"dim": 16, "intermediate_dim": 16}
        Vocoder("vocos-small", MEL, config=sizes).save(given["VOCODER"])
        UnaganGenerator(UnaganConfig(z_channels=6, width=16), MEL).save(given["UNAGAN"])
    return SimpleNamespace(folder=folder, paths=given)


def hostile_inputs(folder: Path, suffix: str) -> dict[str, str]:
    """Paths that no command can read."""
    (folder / f"empty{suffix}").touch()
    (folder / f"folder{suffix}").mkdir()
    (folder / f"text{suffix}").write_text("no audio, no JSON")
    os.mkfifo(folder / f"pipe{suffix}")
    (folder / f"loop{suffix}").symlink_to(folder / f"loop{suffix}")
    (folder / "shut").mkdir()
    (folder / "shut" / f"x{suffix}").write_text("x")
    (folder / "shut").chmod(0)
    (folder / f"denied{suffix}").write_text("x")
    (folder / f"denied{suffix}").chmod(0)
    names = ("empty", "folder", "text", "pipe", "loop", "denied", "missing", "new\nline", "b\udce9")
    paths = {name: str(folder / f"{name}{suffix}") for name in names}
    return paths | {
        "nothing": "",
        "device": "/dev/full",
        "in a file": str(folder / f"text{suffix}" / "x"),
        "shut": str(folder / "shut" / f"x{suffix}"),
        "long name": str(folder / ("x" * 300 + suffix)),
        "long path": "/".join([str(folder), *["x" * 99] * 50]) + suffix,
        "NUL": str(folder / f"a\0b{suffix}"),
        "key": f"s3://KEY:geheim@bucket/x{suffix}",  # without one, a corpus folder may be a URL
    }


def hostile_outputs(folder: Path, suffix: str, *, is_file: bool) -> dict[str, str]:
    """Paths that no command can write; only a file cannot have the name of a folder."""
    inputs = hostile_inputs(folder, suffix)
    names = ("loop", "nothing", "device", "in a file", "shut", "long name", "long path", "NUL")
    paths = {name: inputs[name] for name in (*names, "text", "pipe")}
    paths["URL"] = f"s3://bucket/x{suffix}"
    paths["in /proc"] = "/proc/x"
    if not is_file:
        return paths
    return paths | {
        "here": ".",
        "root": "/",
        "folder": inputs["folder"],
        "slash": str(folder / f"new{suffix}") + "/",
        "no folder": str(folder / "missing" / f"x{suffix}"),
    }


# what a command may well do: a folder without the sources is the corpus, or nothing is written yet
FINE = {
    ("db verify", "SOUNDS", "folder"),
    ("db info", "SOUNDS", "folder"),
    ("db import", "SOUNDS", "folder"),
    ("browse", "SOUNDS", "folder"),
    ("browse", "NEW_FOLDER", "in /proc"),
}


def words_of(line: str, values: dict[str, str]) -> list[str]:
    words = shlex.split(LINES[line])
    name = line.partition(",")[0]
    return [*name.split(), *(NAMES.sub(lambda name: values[name[0]], word) for word in words)]


def is_listed(line: str) -> bool:
    """Whether a line is of the list of files that an error is about."""
    return line.startswith("  ")


def problem(result: click.testing.Result) -> str | None:
    """What is wrong with how a command has refused something; None if it is right."""
    if not isinstance(result.exception, SystemExit):
        return f"{result.exception!r} {result.output}"
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    others = result.stderr.split("Error: ")[-1].splitlines()[1:]
    if result.exit_code not in (1, 2) or len(errors) != 1 or not all(map(is_listed, others)):
        return f"status {result.exit_code}: {result.output}"
    return None


@pytest.fixture
def bounded():
    """Raise an error in a command that does not end, or takes gigabytes."""

    def late(*_):
        raise AssertionError(f"not ended after {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    most = psutil.Process().memory_info().vms + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def cases():
    for line, words in LINES.items():
        for name in dict.fromkeys(NAMES.findall(words)):
            yield line, name


@pytest.mark.accounts
@pytest.mark.parametrize(("line", "hostile"), list(cases()))
def test_command_with_a_hostile_path(good, tmp_path, monkeypatch, bounded, line, hostile):
    suffix = Path(hostile).suffix
    if hostile.startswith("NEW_"):
        is_file = hostile.startswith("NEW_FILE")
        paths = hostile_outputs(tmp_path, suffix, is_file=is_file)
    else:
        paths = hostile_inputs(tmp_path, suffix)
    if hostile != "PACKAGE":
        monkeypatch.setattr(Musicnn, "find", lambda folder: None)
    monkeypatch.chdir(tmp_path)
    values = {name: str(path) for name, path in good.paths.items()}
    problems = {}
    for kind, path in paths.items():
        if (line, hostile, kind) in FINE:
            continue
        new = good.folder / "new" / f"{len(list((good.folder / 'new').iterdir()))}"
        new.mkdir()
        names = NAMES.findall(LINES[line])
        made = {name: str(new / name) for name in names if name.startswith("NEW_")}
        signal.alarm(MOST_SECONDS)
        result = run(*words_of(line, values | made | {hostile: path}))
        signal.alarm(0)
        if found := problem(result):
            problems[kind] = found
    assert problems == {}


def test_every_path_of_every_command_is_tried():
    for name, command in leaves():
        lines = [words for line, words in LINES.items() if line.partition(",")[0] == name]
        words = {word for line in lines for word in shlex.split(line)}
        positional = list(itertools.takewhile(lambda word: word[0] != "-", shlex.split(lines[0])))
        paths = [p for p in command.params if isinstance(p.type, click.Path)]
        arguments = [p for p in paths if isinstance(p, click.Argument)]
        assert len(list(filter(NAMES.fullmatch, positional))) >= len(arguments), name
        for option in paths:
            assert option in arguments or set(option.opts) & words, (name, option.opts)
