"""Train every architecture with every head on one database, side by side, to see which suits it."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from db.database import Database
from files.atomic import make_folder, write_text
from files.errors import ParameterError
from files.interrupts import ignore_interrupts
from sequencer.forecaster import Forecaster
from sequencer.models import BODIES, HEADS
from sequencer.train import TrainingOptions, train_forecaster

OPTIONS = "options.json"  # how the models beside it were trained


def train_all(
    database: Path,
    out: Path,
    *,
    minutes: float,
    seed: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Path]:
    """Train into folders of `out` named architecture-head, as many at once as there are processors;
    those there are kept.

    Returns
    -------
    list of Path
        The models, in the order of the registries.

    Raises
    ------
    ParameterError
        If `out` cannot be a folder, or has models that were made in another way.
    """
    folders = {out / f"{model}-{head}": (model, head) for model in BODIES for head in HEADS}
    opened = Database(database)
    _check_found(
        out,
        folders,
        {"database": opened.id, "sources": len(opened.sources), "minutes": minutes, "seed": seed},
    )
    missing = [folder for folder in folders if not folder.exists()]
    done = len(folders) - len(missing)
    with _pool() as pool:
        futures = {}
        for folder in missing:
            model, head = folders[folder]
            options = TrainingOptions(
                model=model, head=head, epochs=10_000, minutes=minutes, seed=seed
            )
            futures[pool.submit(_train, database, folder, options)] = folder
        for future in as_completed(futures):
            future.result()
            done += 1
            if progress:
                progress(done, len(folders), futures[future].name)
    return list(folders)


def _check_found(out: Path, folders: dict[Path, tuple[str, str]], options: dict[str, Any]) -> None:
    """Make the folder `out` and note the options in it; refuse models that are there and were made
    with others.
    """
    make_folder(out, "give another one")
    noted = out / OPTIONS
    try:
        before = json.loads(noted.read_text()) if noted.exists() else {}
    except ValueError as error:
        raise ParameterError(f"{noted}: damaged ({error}); give another folder") from error
    begun = [folder for folder in folders if folder.exists() or _part(folder).exists()]
    for name, value in options.items():
        if begun and before.get(name) != value:
            known = before.get(name, "unknown")
            raise ParameterError(
                f"{begun[0]}: was made with {name} {known}, not {value}; give the same, or another"
                " folder"
            )
    for folder in filter(Path.exists, begun):
        config = Forecaster.load(folder).config
        if (config.model, config.head) != folders[folder]:
            raise ParameterError(
                f"{folder} is {config.model} with {config.head} head; remove it, and it is trained"
                " anew"
            )
    write_text(noted, json.dumps(options))


@contextmanager
def _pool() -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), initializer=ignore_interrupts
    )
    try:
        yield pool
    except BaseException:
        for process in active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _part(folder: Path) -> Path:
    """Where a model is while it is trained."""
    return folder.with_name(f"{folder.name}.part")


def _train(database: Path, folder: Path, options: TrainingOptions) -> None:
    """Train one; an interrupted one goes on from its last save."""
    opened = Database(database)
    part = _part(folder)
    train_forecaster(
        list(opened.sequences()),
        part,
        settings=opened.settings,
        normaliser=opened.normaliser,
        options=options,
        resume=(part / "training.pt").exists(),
    )
    part.rename(folder)
