"""Databases of some bundled sounds by the kind of their units, each built when it is asked for."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import soundfile as sf

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR


def databases_of(folder: Path, *, every: int, seconds: int) -> Callable[[str], Database]:
    """Return databases of the first seconds of every so many bundled sounds."""
    (folder / "sounds").mkdir()
    for path in sorted(CORPUS_DIR.glob("*.ogg"))[::every]:
        samples, rate = sf.read(path)
        sf.write(folder / "sounds" / f"{path.stem}.wav", samples[: seconds * rate], rate)

    @cache
    def build(units: str) -> Database:
        build_database(folder / "sounds", folder / units, settings=DescriptorSettings(units=units))
        return Database(folder / units)

    return build
