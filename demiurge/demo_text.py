"""The closing text of the demo."""

import shutil
import sys
from pathlib import Path

from files.names import printable, quoted


def farewell(out: Path, seconds: float) -> str:
    """Return the closing text: what was made, and what to do next."""
    demiurge = program()
    database = quoted(out / "corpus.db")
    plan = quoted(out / "continuation.plan.json")
    return f"""
Done in {seconds:.0f} s. Listen to these, in {printable(str(out))}/:
  seed_and_continuation.wav  a drum loop, then how it goes on, in its tempo
  seed_and_texture.wav       piano that nobody played, then how it goes on, without a beat
  target_and_mosaic.wav      the drum loop, then the loop again, rebuilt out of others

Beside them:
  continuation.wav, texture.wav, mosaic.wav
                             each by itself, and its plan (.plan.json): where every sample of it
                             came from; edit it, and render it again with {demiurge} playback
  overview.png               a picture of the loop's continuation
  sounds                     what they are made of: the bundled sounds, and what the shipped models
                             made from noise
  corpus.db, frames.db       databases of parts of beats, and of frames for the mosaic
  forecaster                 the trained model

See and hear all of it, and change it, in your browser:
  {demiurge} browse {database} --plan {plan}

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
        return quoted(sys.argv[0])
    return f"{quoted(sys.executable)} -m demiurge"
