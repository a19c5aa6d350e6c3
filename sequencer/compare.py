"""Train every architecture with every head that forecasts on one database, for comparison."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from db.database import Database
from files.atomic import make_folder, write_text
from files.documents import read_document
from files.errors import ParameterError
from files.interrupts import ignore_interrupts
from files.progress import Progress, no_progress
from files.regular import is_missing
from sequencer.forecaster import Forecaster
from sequencer.registry import ARCHITECTURES, HEADS
from sequencer.train import ForecasterOptions, train_forecaster
from training.checkpoint import STATE

OPTIONS = "options.json"  # how the models beside it were trained
MAX_EPOCHS = 10_000  # minutes and patience end the trainings


def train_all(
    database: Path,
    out: Path,
    *,
    minutes: float,
    random_seed: int,
    progress: Progress = no_progress,
) -> list[Path]:
    """Train into folders `out/ARCHITECTURE-HEAD`, one model per processor at a time.

    Existing models are kept.

    Returns
    -------
    list of Path
        The models, in the order of the registries.

    Raises
    ------
    ParameterError
        If `out` cannot be a folder, or holds other files, or models trained with other options.
    """
    heads = [head for head in HEADS if HEADS[head].network.forecasts]
    pairs = [(architecture, head) for architecture in ARCHITECTURES for head in heads]
    folders = {out / f"{architecture}-{head}": (architecture, head) for architecture, head in pairs}
    _check_folders(out, folders, _describe(database, minutes, random_seed))
    missing = [folder for folder in folders if not folder.exists()]
    done = len(folders) - len(missing)
    with _process_pool() as pool:
        futures = {}
        for folder in missing:
            architecture, head = folders[folder]
            options = ForecasterOptions(
                architecture=architecture,
                head=head,
                epochs=MAX_EPOCHS,
                minutes=minutes,
                random_seed=random_seed,
            )
            futures[pool.submit(_train, database, folder, options)] = folder
        for future in as_completed(futures):
            future.result()
            done += 1
            progress(done, len(folders), futures[future].name)
    return list(folders)


def _describe(database: Path, minutes: float, random_seed: int) -> dict[str, Any]:
    """Return the options that all models of a comparison share."""
    opened = Database(database)
    return {
        "database": opened.id,
        "sources": len(opened.sources),
        "minutes": minutes,
        "random_seed": random_seed,
    }


def _check_folders(
    out: Path, folders: dict[Path, tuple[str, str]], options: dict[str, Any]
) -> None:
    """Make the folder `out` and record the options; refuse models trained with others."""
    make_folder(out, "give another one")
    noted = out / OPTIONS
    before = _read_options(noted)
    begun = [folder for folder in folders if folder.exists() or _unfinished(folder).exists()]
    if not begun and is_missing(noted) and any(out.iterdir()):
        raise ParameterError(
            f"{out}: the folder is not empty and holds no comparison; give a new or empty folder"
        )
    for name, value in options.items():
        if begun and before.get(name) != value:
            known = before.get(name, "unknown")
            raise ParameterError(
                f"{begun[0]}: was trained with {name} {known}, not {value}; give the same, or"
                " another folder"
            )
    for folder in filter(Path.exists, begun):
        config = Forecaster.load(folder).config
        if (config.architecture, config.head) != folders[folder]:
            raise ParameterError(
                f"{folder} is {config.architecture} with {config.head} head; remove it, and it is"
                " trained anew"
            )
    write_text(noted, json.dumps(options))


def _read_options(path: Path) -> dict[str, Any]:
    if is_missing(path):
        return {}
    options: dict[str, Any] = read_document(
        path, dict[str, Any], error=ParameterError, remedy="give another folder"
    )
    if "seed" in options:  # 0.1.0
        options["random_seed"] = options.pop("seed")
    return options


@contextmanager
def _process_pool() -> Iterator[ProcessPoolExecutor]:
    """Yield one worker per processor; on an error, end them all."""
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


def _unfinished(folder: Path) -> Path:
    """Return the folder of a model while it is being trained."""
    return folder.with_name(f"{folder.name}.part")


def _train(database: Path, folder: Path, options: ForecasterOptions) -> None:
    """Train one model; resume if it was interrupted."""
    opened = Database(database)
    unfinished = _unfinished(folder)
    train_forecaster(
        list(opened.sequences()),
        unfinished,
        settings=opened.settings,
        normaliser=opened.normaliser,
        options=options,
        resume=(unfinished / STATE).exists(),
    )
    unfinished.rename(folder)
