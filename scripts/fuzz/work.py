"""What the process of a case does, and what is loaded before."""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path

import torch._dynamo  # noqa: F401  optimisers load it, which takes seconds

from demiurge.cli import main
from scripts.fuzz.page import visit


def run_command(arguments: list[str]) -> int:
    """Run a command as the program does; return its exit status."""
    if arguments[0] == "page":
        return visit(*arguments[1:])
    try:
        main(arguments, prog_name="demiurge")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def warm_up(healthy: Path) -> None:
    """Run one command of each room, so that libraries are loaded and compiled before a fork."""
    commands = (
        f"db build {healthy}/sounds w.db --executor serial",
        f"mosaic {healthy}/seed.wav {healthy}/onsets.db -o w.wav",
        f"query {healthy}/seed.wav {healthy}/frames.db -k 2 --index ivf",
        f"render {healthy}/seed.wav {healthy}/onsets.db {healthy}/contrast.model -o r.wav"
        " --seconds 1",
        f"playback {healthy}/mosaic.plan.json -o p.wav --picture p.png",
        f"sequencer evaluate {healthy}/lstm.model {healthy}/frames.db",
        f"synth resynth {healthy}/seed.wav {healthy}/vocos.vocoder -o s.wav",
    )
    here = Path.cwd()
    folder = tempfile.mkdtemp(dir=healthy.parent)
    os.chdir(folder)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            for command in commands:
                if status := run_command(command.split()):
                    raise RuntimeError(f"{command} ends with {status}: {printed.getvalue()}")
    finally:
        os.chdir(here)
        shutil.rmtree(folder)
