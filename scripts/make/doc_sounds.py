"""Encode the sounds that the README links to, from the demo's results.

    make demo
    python scripts/make/doc_sounds.py demo docs/sounds

libsndfile gives each OGG file a new serial number, so that the files differ, but not their audio.
"""

import sys
from pathlib import Path

from scripts.make.corpus import encode

SOUNDS = ("seed_and_continuation", "seed_and_texture", "target_and_mosaic")


def main(demo: Path, out: Path) -> None:
    for name in SOUNDS:
        encode(demo / f"{name}.wav", out / f"{name}.ogg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
