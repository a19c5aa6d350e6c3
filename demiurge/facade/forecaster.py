"""A forecaster: what has learned how the sounds of a database follow each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from demiurge.facade.sound import Sound, as_file
from demiurge.sequences import forecast
from demiurge.train import train_on
from files.errors import ParameterError
from sequencer.forecaster import Forecaster as TrainedForecaster
from sequencer.names import DEFAULT_HEAD
from sequencer.sampling import SamplingOptions
from sequencer.sequence_training import ForecasterSummary
from sequencer.train import ForecasterOptions
from training.checkpoint import holds_model

if TYPE_CHECKING:
    from demiurge.facade.database import Database


class Forecaster:
    """A forecaster in a folder.

    Attributes
    ----------
    path : Path
    trained : sequencer.forecaster.Forecaster
    summary : ForecasterSummary, optional
        Of the training, if it was trained just now: `validation_losses`, `best_epoch`, …
    """

    def __init__(self, path: str | Path) -> None:
        """Open a model that was trained; raises `Error` if it cannot be read."""
        self.path = Path(path)
        self.trained = TrainedForecaster.load(path)
        self.summary: ForecasterSummary | None = None

    @classmethod
    def train(
        cls,
        database: "Database",
        path: str | Path,
        *,
        minutes: float | None = None,
        architecture: str = "lstm",
        head: str = DEFAULT_HEAD,
        random_seed: int = 0,
    ) -> Self:
        """Train a forecaster on a database into the folder `path`.

        The weights with the lowest validation loss are kept.

        Parameters
        ----------
        minutes : float, optional
            At most; by default until it gets no better.
        architecture, head : str
            As `demiurge sequencer train`; `demiurge sequencer models` lists them.

        Raises
        ------
        Error
            If there is too little to learn from, or there is a model in the folder already.
        """
        if holds_model(Path(path)):
            raise ParameterError(f"{path} holds a model; choose another folder, or delete it")
        options = ForecasterOptions(
            architecture=architecture, head=head, minutes=minutes, random_seed=random_seed
        )
        summary = train_on(database.stored, path, options)
        forecaster = cls(path)
        forecaster.summary = summary
        return forecaster

    def forecast(
        self,
        seed: str | Path | Sound,
        *,
        seconds: float = 10.0,
        temperature: float = 1.0,
        random_seed: int = 0,
    ) -> np.ndarray:
        """Forecast the descriptors after a sound, without hearing what is played.

        Not of the head "contrast", the default, which only chooses among units.

        Returns
        -------
        ndarray, float32, shape (steps, n_columns), raw
        """
        sampling = SamplingOptions(temperature, 1.0, random_seed)
        with as_file(seed) as file:
            forecasts, _ = forecast([file], self.path, seconds=seconds, sampling=sampling)
        return forecasts[0][0]
