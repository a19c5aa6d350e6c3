"""Count the files and functions that one `mosaic` and one `render` pass through.

    python scripts/measure/way.py [--list]

Builds a small database of every tenth bundled sound, and trains a forecaster on it for one epoch.
Then makes a mosaic and a continuation of the bundled seed, about 100 steps each, and counts every
call of a function of this repository. Calls made while a module is imported do not count.

--list lists the files, each with the number of its functions that were entered.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

N_STEPS = 100
HOP_SAMPLES = 1024  # of a frame, the unit of the database
SECONDS = N_STEPS * HOP_SAMPLES / 44100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="name the files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, way in make_ways(Path(folder)).items():
            calls = record_calls(way)
            n_functions = sum(map(len, calls.entered.values()))
            n_files = len(calls.entered)
            print(f"{name}: {n_files} files, {n_functions} functions")
            if arguments.list:
                for file, functions in sorted(calls.entered.items()):
                    print(f"  {file}: {len(functions)}")


def make_ways(folder: Path) -> dict[str, Callable[[], None]]:
    """Return the commands to count, by name; their input files are made in `folder`."""
    import soundfile as sf

    from demiurge.bundled import CORPUS_DIR, SEED_FILE

    sounds = folder / "sounds"
    sounds.mkdir()
    for path in sorted(CORPUS_DIR.iterdir())[::10]:
        shutil.copyfile(path, sounds / path.name)
    samples, sample_rate = sf.read(SEED_FILE)
    target = folder / "target.wav"
    sf.write(target, samples[: N_STEPS * HOP_SAMPLES], sample_rate)
    database = folder / "corpus.db"
    model = folder / "forecaster"
    run_command("db", "build", sounds, database)
    run_command("sequencer", "train", database, model, "--epochs", 1)
    wav = folder / "out.wav"
    return {
        "mosaic": lambda: run_command("mosaic", target, database, "-o", wav, "--force"),
        "render": lambda: run_command(
            "render", target, database, model, "-o", wav, "--force", "--seconds", SECONDS
        ),
    }


def run_command(*arguments: object) -> None:
    """Run a demiurge command in this process, and discard its output."""
    from click.testing import CliRunner

    from demiurge.cli import main as demiurge

    result = CliRunner().invoke(demiurge, [str(argument) for argument in arguments])
    if result.exit_code:
        raise SystemExit(f"demiurge {arguments}: {result.output}") from result.exception


@dataclass
class Calls:
    """Functions of the repository that were called, by file."""

    entered: dict[str, set[str]] = field(default_factory=dict)
    imports_going_on: int = 0

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        """Record one event of `sys.setprofile`."""
        code = frame.f_code
        if code.co_name == "<module>":
            self.imports_going_on += {"call": 1, "return": -1}.get(event, 0)
            return
        file = Path(code.co_filename)
        is_ours = file.is_relative_to(ROOT) and file != Path(__file__)
        if event == "call" and is_ours and not self.imports_going_on:
            function = f"{code.co_qualname}:{code.co_firstlineno}"
            self.entered.setdefault(str(file.relative_to(ROOT)), set()).add(function)


def record_calls(way: Callable[[], None]) -> Calls:
    """Run `way` and return the functions that it calls."""
    calls = Calls()
    sys.setprofile(calls.note)
    try:
        way()
    finally:
        sys.setprofile(None)
    return calls


if __name__ == "__main__":
    main()
