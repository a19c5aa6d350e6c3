"""The pictures in docs/browsing.md and the README: the map and the timeline of a real corpus, in Debian's Chromium.

python scripts/make_screenshots.py demo/corpus.db demo/continuation.plan.json docs
"""

import re
import subprocess
import sys
from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE = {"width": 1280, "height": 720}


def main(database: str, plan: str, folder: str) -> None:
    """Serve the corpus and take its pictures."""
    command = [sys.executable, "-m", "demiurge", "browse", database, "--plan", plan, "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+?(?=/?\s)", line)))
            take_pictures(address, Path(folder))
        finally:
            server.terminate()
