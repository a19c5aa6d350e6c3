"""Databases of real sounds that are searched in shards."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from db.build import build_database
from db.database import Database
from db.settings import DescriptorSettings
from demiurge.bundled import CORPUS_DIR
from demiurge.sequences import DescriptorSequence, describe

TARGET = "loop_compus.ogg"  # of another fifth of the bundled sounds
UNITS = ("frame", "onset")


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A fifth of the bundled sounds, and a database of their frames and one of their onsets."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "c").mkdir()
    for path in sorted(CORPUS_DIR.glob("*.ogg"))[::5]:
        shutil.copy(path, folder / "c")
    for units in UNITS:
        build_database(folder / "c", folder / units, settings=DescriptorSettings(units=units))
    return folder


@pytest.fixture(params=UNITS)
def database(request, folder) -> Database:
    return Database(folder / request.param)


@pytest.fixture
def frames(folder) -> Database:
    return Database(folder / "frame")


@pytest.fixture(scope="session")
def described(folder) -> Callable[[Database], DescriptorSequence]:
    """The target, described as a database is."""
    known: dict[str, DescriptorSequence] = {}

    def describe_once(database: Database) -> DescriptorSequence:
        if database.settings.units not in known:
            known[database.settings.units] = describe(CORPUS_DIR / TARGET, database.settings)
        return known[database.settings.units]

    return describe_once
