"""Data for evaluating forecasters: their validation and training sources, unchanged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from db.descriptors.derived import static_columns
from files.errors import ParameterError
from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER
from sequencer.split import NamedSequences, split_sequences

MAX_NAMES = 2  # of missing sources that a message lists


@dataclass(frozen=True)
class EvaluationSettings:
    """Options for evaluating forecasters; lengths are in steps."""

    horizons: tuple[int, ...] = (1, 4, 16, 64)  # steps ahead at which errors are measured
    n_contexts: int = 256  # moments of the validation sources that are forecast from
    n_samples: int = 8  # forecasts of each, to be averaged
    seed_steps: int = 128  # before a forecast, if the validation sources are long enough
    n_rollouts: int = 4  # of each validation source
    max_rollout_steps: int = 16384  # 6 min of frames
    windows: tuple[int, ...] = (1, 8, 32)  # whose joint statistics are compared
    block: int = 128  # length of the blocks that "real against real" alternates
    n_lags: int = 64  # of the autocorrelation
    n_matched: int = 1024  # steps of a rollout that are matched to the nearest training steps

    @property
    def longest_horizon(self) -> int:
        return max(self.horizons)


DEFAULTS = EvaluationSettings()


@dataclass(frozen=True)
class EvaluationData:
    """z-scored independent columns of the sources, each (steps, n)."""

    settings: EvaluationSettings
    train: list[np.ndarray]
    validation: list[np.ndarray]
    n_seed: int  # steps before a forecast

    @property
    def seeds(self) -> list[np.ndarray]:
        return [rows[: self.n_seed] for rows in self.validation]

    @property
    def truths(self) -> list[np.ndarray]:
        """The continuations of the seeds."""
        end = self.n_seed + self.settings.max_rollout_steps
        return [rows[self.n_seed : end] for rows in self.validation]

    def choose_moments(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Choose random moments of the validation sources.

        Returns
        -------
        contexts : ndarray, shape (n_contexts, n_seed, n)
        futures : ndarray, shape (n_contexts, longest horizon, n)
        """
        needed = self.n_seed + self.settings.longest_horizon
        n_starts = np.array([len(rows) - needed + 1 for rows in self.validation])
        n_contexts = self.settings.n_contexts
        chosen = rng.choice(len(self.validation), n_contexts, p=n_starts / n_starts.sum())
        cuts = []
        for i in chosen:
            start = rng.integers(n_starts[i])
            cuts.append(self.validation[i][start : start + needed])
        whole = np.stack(cuts)
        return whole[:, : self.n_seed], whole[:, self.n_seed :]


def collect_data(
    models: dict[str, Forecaster],
    sequences: NamedSequences,
    settings: EvaluationSettings = DEFAULTS,
) -> EvaluationData:
    """Collect the sources that the models were trained on and validated with, and no others.

    Raises
    ------
    ParameterError
        If the models were trained on different sources, a source is missing or has changed, or no
        validation source is long enough.
    """
    model = _check_same_training(models)
    raw = _find_sources(model.config.training, dict(sequences))
    train, validation = ([_scores(model, rows) for rows in part] for part in raw)
    longest = max(map(len, validation))
    least = ORDER + settings.longest_horizon
    if longest < least:
        raise ParameterError(
            f"the longest validation source lasts {longest} steps, at least {least} are needed; add"
            " longer audio, or train with another --random-seed"
        )
    n_seed = _seed_steps(longest, settings)
    needed = n_seed + settings.longest_horizon
    long_enough = [rows for rows in validation if len(rows) >= needed]
    return EvaluationData(settings, train, long_enough, n_seed)


def added_sources(model: Forecaster, sequences: NamedSequences) -> list[str]:
    """Return the names of sources that were added after a model was trained.

    It is neither trained nor evaluated on them. Sources of a single step are not counted.
    """
    known = _known_sources(model.config.training)
    return [name for name, rows in sequences if name not in known and len(rows) > 1]


def _seed_steps(longest: int, settings: EvaluationSettings) -> int:
    """Return how many steps precede a forecast.

    Few enough that the longest source has as many again after the longest horizon.
    """
    return min(settings.seed_steps, max((longest - settings.longest_horizon) // 2, ORDER))


def _known_sources(training: dict[str, Any]) -> set[str]:
    sources = training.get("sources")
    if sources is None:
        raise ParameterError(
            "the model does not say which sources it was trained on; train it again"
        )
    return {*sources["train"], *sources["validation"]}


def _find_sources(
    training: dict[str, Any], rows_of: dict[str, np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the raw rows of training and validation; raise ParameterError if they changed."""
    known = _known_sources(training)
    missing = sorted(known - rows_of.keys())
    if missing:
        listed = missing[:MAX_NAMES] + ["…"] * (len(missing) > MAX_NAMES)
        raise ParameterError(
            f"{len(missing)} of the {len(known)} sources that the model was trained with are not in"
            f" the database ({', '.join(listed)}); evaluate on the database it was trained on, or"
            " train anew"
        )
    sources = training["sources"]
    if sources["train"] == sources["validation"]:  # one source, its last part for validation
        split = split_sequences([(name, rows_of[name]) for name in known], random_seed=0)
        train = [rows for _, rows in split.train]
        validation = [rows for _, rows in split.validation]
    else:
        train = [rows_of[name] for name in sources["train"]]
        validation = [rows_of[name] for name in sorted(sources["validation"])]
    _check_steps(training, {"train": train, "validation": validation})
    return train, validation


def _check_steps(training: dict[str, Any], parts: dict[str, list[np.ndarray]]) -> None:
    steps = {name: sum(map(len, part)) for name, part in parts.items()}
    before = training.get("steps") or steps  # older checkpoints do not say
    if steps != before:
        raise ParameterError(
            f"the sources that the model was trained with have {sum(steps.values())} steps in the"
            f" database and had {sum(before.values())}: they were changed since; train anew"
        )


def _check_same_training(models: dict[str, Forecaster]) -> Forecaster:
    """Return the first model, after checking that all were trained on the same data."""
    if not models:
        raise ParameterError("no model is given; give at least one")
    first, model = next(iter(models.items()))
    for name, other in models.items():
        if other.config.training.get("sources") != model.config.training.get("sources"):
            raise ParameterError(
                f"{name} was trained on other sources than {first}; evaluate them one by one"
            )
        if not (torch.equal(other.mean, model.mean) and torch.equal(other.std, model.std)):
            raise ParameterError(
                f"{name} was trained on another state of the database than {first}; evaluate them"
                " one by one"
            )
    return model


def _scores(model: Forecaster, rows: np.ndarray) -> np.ndarray:
    static = torch.from_numpy(rows[:, static_columns(model.config.settings)])
    return model.normalise(static.to(model.mean.device)).cpu().numpy()
