"""Make the pictures of the rooms' pages from bundled sounds, with the program itself.

    make demo
    python scripts/make/doc_pictures.py demo docs/pictures

overview.png (the demo's own), db.png, query.png, playback.png, synth.png and training.png. map.png
and timeline.png are screenshots (scripts/make/screenshots.py); forecasts.png is that of the
comparison in docs/rooms/sequencer.md.
"""

import shutil
import sys
from pathlib import Path

from db.database import Database
from scripts.make.pictures.analysis import draw_analysis
from scripts.make.pictures.join import draw_join
from scripts.make.pictures.losses import draw_losses
from scripts.make.pictures.path import draw_path
from scripts.make.pictures.style import save
from scripts.make.pictures.synthesis import draw_synthesis


def main(demo: Path, out: Path) -> None:
    shutil.copyfile(demo / "overview.png", out / "overview.png")
    save(draw_analysis(), out / "db.png")
    save(draw_path(Database(demo / "frames.db")), out / "query.png")
    save(draw_join(), out / "playback.png")
    save(draw_synthesis(), out / "synth.png")
    save(draw_losses(demo / "forecaster" / "log.jsonl"), out / "training.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
