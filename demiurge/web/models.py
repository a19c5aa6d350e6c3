"""Forecasters that the page offers: found by their config.json, without loading them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from db.database import Database
from db.settings import DescriptorSettings
from files.errors import CheckpointError, DemiurgeError

CONFIG = "config.json"
KIND = "forecaster"


@dataclass(frozen=True)
class Model:
    """A forecaster's checkpoint.

    `id` stands for its path, `architecture` is one of `sequencer.models`.
    """

    id: str
    name: str
    architecture: str
    path: Path


def find_models(given: Iterable[Path], places: Iterable[Path], database: Database) -> list[Model]:
    """The given models, then others in these folders that go with the database, each once.

    Raises
    ------
    CheckpointError
        If a given one is none, or damaged.
    DatabaseError
        If a given one has other descriptor settings than the database.
    """
    found = {model.id: model for model in (read_model(path, database) for path in given)}
    for config in sorted({config for place in places for config in place.glob(f"*/{CONFIG}")}):
        try:
            model = read_model(config.parent, database)
        except DemiurgeError:
            continue  # nobody asked for this one
        found.setdefault(model.id, model)
    return list(found.values())


def read_model(folder: Path, database: Database) -> Model:
    """What the checkpoint in a folder says it is; raises as `find_models`."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        kind = config["kind"]
        architecture = config["model"]
        settings = config["descriptors"]
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder}: no model here (no {CONFIG}); train one, or check the name"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{folder / CONFIG}: no forecaster, or damaged ({error!r}); give another model"
        ) from error
    if kind != KIND:
        raise CheckpointError(f"{folder} holds a {kind}, not a {KIND}; give another model")
    theirs = DescriptorSettings.from_dict(settings)
    database.settings.check_matches(
        theirs, mine=f"the database {database.path}", theirs=f"the model {folder}"
    )
    path = folder.resolve()
    return Model(
        xxhash.xxh3_64_hexdigest(str(path).encode(errors="surrogateescape")),
        path.name,
        architecture,
        path,
    )
