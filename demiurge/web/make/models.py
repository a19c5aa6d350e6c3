"""Forecasters that the page offers, found by their config.json without loading them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from db.database import Database
from db.settings import DescriptorSettings
from files.errors import CheckpointError, DemiurgeError
from sequencer.forecaster_document import read_forecaster_document
from training.checkpoint_config import CONFIG, REMEDY


@dataclass(frozen=True)
class Model:
    """A forecaster's checkpoint; `id` is a hash of its path."""

    id: str
    name: str
    architecture: str
    path: Path


def find_models(given: Iterable[Path], database: Database) -> list[Model]:
    """Return the given models, then those beside the database or in the current folder.

    Models that do not match the database are left out, unless they were given.

    Raises
    ------
    CheckpointError
        If a given folder holds no forecaster, or a damaged one.
    DatabaseError
        If a given forecaster has other descriptor settings than the database.
    """
    models = {model.id: model for model in (read_model(path, database) for path in given)}
    folders = (database.path.absolute().parent, Path.cwd())
    for config in sorted({path for folder in folders for path in folder.glob(f"*/{CONFIG}")}):
        try:
            model = read_model(config.parent, database)
        except DemiurgeError:
            continue
        models.setdefault(model.id, model)
    return list(models.values())


def read_model(folder: Path, database: Database) -> Model:
    """Read what a folder holds; raises as `find_models`."""
    document = read_forecaster_document(folder)
    try:
        settings = DescriptorSettings.from_dict(document.descriptors)
    except DemiurgeError as error:
        raise CheckpointError(f"{folder / CONFIG}: {error}; {REMEDY}") from error
    mine = f"the database {database.path}"
    database.settings.check_matches(settings, mine=mine, theirs=f"the model {folder}")
    path = folder.resolve()
    model_id = xxhash.xxh3_64_hexdigest(str(path).encode(errors="surrogateescape"))
    return Model(model_id, path.name, document.architecture, path)
