"""Train every architecture with every head on one database, side by side, to see which suits it."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path

from db.database import Database
from sequencer.models import BODIES, HEADS
from sequencer.train import TrainingOptions, train_forecaster

PART = ".part"  # added to the name of a model in training


def train_all(
    database: Path, out: Path, *, minutes: float, seed: int, progress: Callable[[int, int, str], None] | None = None
) -> list[Path]:
    """Train into folders of `out` named architecture-head, as many at once as there are processors; those there are kept.

    Returns
    -------
    list of Path
        The models, in the order of the registries.
    """
    out.mkdir(parents=True, exist_ok=True)
    folders = {out / f"{model}-{head}": (model, head) for model in BODIES for head in HEADS}
    missing = [folder for folder in folders if not folder.exists()]
    done = len(folders) - len(missing)
    with _pool() as pool:
        futures = {}
        for folder in missing:
            model, head = folders[folder]
            options = TrainingOptions(model=model, head=head, epochs=10_000, minutes=minutes, seed=seed)
            futures[pool.submit(_train, database, folder, options)] = folder
        for future in as_completed(futures):
            future.result()
            done += 1
            if progress:
                progress(done, len(folders), futures[future].name)
    return list(folders)


@contextmanager
def _pool() -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=_leave_interrupts_to_the_parent)
    try:
        yield pool
    except BaseException:
        for process in active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _train(database: Path, folder: Path, options: TrainingOptions) -> None:
    """Train one; an interrupted one goes on from its last save."""
    opened = Database(database)
    part = folder.with_name(folder.name + PART)
    train_forecaster(
        list(opened.sequences()), part, settings=opened.settings, normaliser=opened.normaliser, options=options,
        resume=(part / "training.pt").exists(),
    )  # fmt: skip
    part.rename(folder)
