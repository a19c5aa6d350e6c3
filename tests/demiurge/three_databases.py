"""Three small databases of real sounds, which are used as one."""

import shutil
from pathlib import Path

import numpy as np
import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from demiurge.databases import open_databases

NAMES = ("drums", "low", "strings")
RATE = 44100
SOUNDS = {
    "drums": ("drum_snare_hard", "bd_808"),
    "bass": ("bass_hard_c",),
    "strings": ("guit_em9", "ambi_choir"),
}
SETTINGS = DescriptorSettings(units="fixed:100", descriptors=("mfcc", "loudness"))


def build_three(folder: Path) -> None:
    """Build drums.db, bass.db and strings.db, and a target.wav that needs all of them."""
    parts = []
    for name, sounds in SOUNDS.items():
        (folder / name / "in").mkdir(parents=True)
        for sound in sounds:
            shutil.copy(CORPUS_DIR / f"{sound}.ogg", folder / name / "in")
            parts.append(sf.read(CORPUS_DIR / f"{sound}.ogg", always_2d=True)[0][: RATE // 2, 0])
        build_database(folder / name, folder / f"{name}.db", settings=SETTINGS)
    target = np.concatenate(parts)
    target += np.random.default_rng(0).normal(0, 0.01, len(target))
    sf.write(folder / "target.wav", target, RATE)


def specs_of(folder: Path) -> list[str]:
    """The three as a command takes them; the second has another name than its folder."""
    return [f"{folder}/drums.db", f"low={folder}/bass.db", f"{folder}/strings.db"]


def open_three(folder: Path, normaliser: str | None = None) -> Database:
    return open_databases(specs_of(folder), normaliser=normaliser)
