"""Models that the page offers, found by their config.json without loading them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from db.database import Database
from db.settings import DescriptorSettings
from demiurge.reopen import DatabaseFiles
from files.errors import CheckpointError, DemiurgeError
from sequencer.forecaster_document import read_forecaster_document
from sequencer.masked_document import read_masked_document
from sequencer.names import MASKED
from training.checkpoint_config import CONFIG, REMEDY


@dataclass(frozen=True)
class Model:
    """A checkpoint of a forecaster or a masked model; `id` is a hash of its path."""

    id: str
    name: str
    architecture: str
    path: Path


def find_models(given: Iterable[Path], database: Database) -> list[Model]:
    """Return the given forecasters, then those beside the database or in the current folder.

    Models that do not match the database are left out, unless they were given. Masked models are
    no forecasters: `find_masked` finds them.

    Raises
    ------
    CheckpointError
        If a given folder holds neither, or something damaged.
    DatabaseError
        If a given forecaster has other descriptor settings than the database.
    """
    forecasters = [path for path in given if not _holds_masked(path)]
    return _find(forecasters, database, read_model)


def find_masked(given: Iterable[Path], database: Database) -> list[Model]:
    """Return the given masked models, then others, as `find_models`; raises as it does."""
    return _find([path for path in given if _holds_masked(path)], database, read_masked)


def _find(
    given: Iterable[Path], database: Database, read: Callable[[Path, Database], Model]
) -> list[Model]:
    models = {model.id: model for model in (read(path, database) for path in given)}
    databases = [folder for folder, _ in DatabaseFiles.of(database).folders.values()]
    folders = dict.fromkeys([*(folder.parent for folder in databases), Path.cwd()])
    for config in sorted({path for folder in folders for path in folder.glob(f"*/{CONFIG}")}):
        try:
            model = read(config.parent, database)
        except DemiurgeError:
            continue
        models.setdefault(model.id, model)
    return list(models.values())


def _holds_masked(folder: Path) -> bool:
    try:
        read_masked_document(folder)
    except DemiurgeError:
        return False
    return True


def read_model(folder: Path, database: Database) -> Model:
    """Read the forecaster of a folder; raises as `find_models`."""
    document = read_forecaster_document(folder)
    return _describe(folder, database, document.descriptors, document.architecture)


def read_masked(folder: Path, database: Database) -> Model:
    """Read the masked model of a folder; raises as `find_models`."""
    return _describe(folder, database, read_masked_document(folder).descriptors, MASKED)


def _describe(
    folder: Path, database: Database, descriptors: dict[str, Any], architecture: str
) -> Model:
    try:
        settings = DescriptorSettings.from_dict(descriptors)
    except DemiurgeError as error:
        raise CheckpointError(f"{folder / CONFIG}: {error}; {REMEDY}") from error
    mine = f"the database {database.path}"
    database.settings.check_matches(settings, mine=mine, theirs=f"the model {folder}")
    path = folder.resolve()
    model_id = xxhash.xxh3_64_hexdigest(str(path).encode(errors="surrogateescape"))
    return Model(model_id, path.name, architecture, path)
