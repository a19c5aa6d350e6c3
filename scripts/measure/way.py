"""Count the files and functions that one `mosaic` and one `render` pass through.

    python scripts/measure/way.py [--list]

Builds a small database of every tenth bundled sound, trains a forecaster on it for one epoch, then
makes a mosaic and a continuation of the bundled seed, about 100 steps each, with every call of a
function of this repository counted. Calls made while a module is imported do not count.

--list names the files, each with how many of its functions were entered.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

N_STEPS = 100
HOP_SAMPLES = 1024  # of a frame, the unit of the database


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="name the files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, way in make_ways(Path(folder)).items():
            entered = count_functions(way)
            n_functions = sum(map(len, entered.values()))
            print(f"{name}: {len(entered)} files, {n_functions} functions")
            if arguments.list:
                for file in sorted(entered):
                    print(f"  {file}: {len(entered[file])}")


def make_ways(folder: Path) -> dict[str, Callable[[], None]]:
    """Return the commands to count, by name; what they read is made in `folder`."""
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
            "render", target, database, model, "-o", wav, "--force", "--steps", N_STEPS
        ),
    }


def run_command(*arguments: object) -> None:
    """Run a demiurge command in this process, without what it prints."""
    from click.testing import CliRunner

    from demiurge.cli import main as demiurge

    result = CliRunner().invoke(demiurge, [str(argument) for argument in arguments])
    if result.exit_code:
        raise SystemExit(f"demiurge {arguments}: {result.output}") from result.exception


def count_functions(way: Callable[[], None]) -> dict[str, set[str]]:
    """Run `way` once to import all it needs, then again; return the functions entered, by file."""
    way()
    entered: dict[str, set[str]] = {}

    def note_call(frame: FrameType, event: str, argument: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        file = Path(code.co_filename)
        if code.co_name != "<module>" and file.is_relative_to(ROOT) and file != Path(__file__):
            name = f"{code.co_qualname}:{code.co_firstlineno}"
            entered.setdefault(str(file.relative_to(ROOT)), set()).add(name)

    sys.setprofile(note_call)
    try:
        way()
    finally:
        sys.setprofile(None)
    return entered


if __name__ == "__main__":
    main()
