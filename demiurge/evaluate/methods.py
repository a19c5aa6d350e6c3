"""The methods that are compared: a piece itself, baselines on a corpus, and models."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.database import Database
from db.settings import DescriptorSettings
from demiurge.evaluate.baselines import RandomPassage, TrackItself
from demiurge.evaluate.contexts import DESCRIPTORS
from demiurge.evaluate.continuation import Method
from demiurge.evaluate.corpus import analyse_corpus
from demiurge.evaluate.open_loop import FRAMES, train_open_loop
from demiurge.evaluate.oracle import Oracle
from demiurge.evaluate.rendered import Rendered
from demiurge.evaluate.seeds import Seed
from files.errors import ParameterError
from files.progress import Progress
from training.checkpoint_config import read_config

ORACLE_UNITS = ("beat", "frame")


def make_rendered(database: Database, models: Sequence[Path]) -> list[Method]:
    """Return a method for each model, named by its folder, or by its path if two are named alike.

    Raises
    ------
    ParameterError
        If a model is given twice.
    CheckpointError
        If one is missing, damaged or not a forecaster.
    """
    if len(set(models)) < len(models):
        raise ParameterError(f"{', '.join(map(str, models))}: give each model once")
    for model in models:
        read_config(model, kind="forecaster")
    names = [model.name for model in models]
    return [
        Rendered(database, model, model.name if names.count(model.name) == 1 else str(model))
        for model in models
    ]


@dataclass(frozen=True)
class Baselines:
    """Makes the baselines on the corpus of a database; their own databases are kept in a folder."""

    database: Database
    folder: Path
    progress: Progress

    def make(self, seeds: Sequence[Seed], joins_per_second: float) -> list[Method]:
        """Return the piece itself, a random passage and oracles with a rate of joins."""
        following = {seed.path: seed.following for seed in seeds}
        oracles = [Oracle(self._analyse(units), joins_per_second) for units in ORACLE_UNITS]
        return [TrackItself(following), RandomPassage(self.database), *oracles]

    def make_open_loop(self) -> Method:
        """Return the default of version 0.1.0; raises as `train_open_loop`."""
        database = analyse_corpus(self.database, self.folder, FRAMES, progress=self.progress)
        return train_open_loop(database, self.folder, progress=self.progress)

    def _analyse(self, units: str) -> Database:
        settings = DescriptorSettings(descriptors=DESCRIPTORS, units=units)
        return analyse_corpus(self.database, self.folder, settings, progress=self.progress)
