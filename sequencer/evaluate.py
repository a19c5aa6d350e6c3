"""Evaluate forecasters on sources they were not trained on.

Two questions: how accurate are the next steps, and do free rollouts move like the data? All figures
are of independent columns, z-scored with the models' means and standard deviations. Errors are of
the mean forecast: one step ahead the head's own mean, if it has one, else an unbiased estimate from
a few samples. Rollouts begin after the first steps of each validation source and are as long as the
rest of it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from files.errors import ParameterError
from files.progress import Progress, no_progress
from sequencer.averages import slow_averages
from sequencer.baselines import Continue, fit_baselines
from sequencer.coarse_likelihood import loss_with_coarse
from sequencer.condition import CoarseCondition
from sequencer.evaluation_data import (
    DEFAULTS,
    EvaluationData,
    EvaluationSettings,
    collect_data,
)
from sequencer.forecaster import Forecaster
from sequencer.loss import validation_loss
from sequencer.registry import HEADS
from sequencer.rollout import check_forecasts, sample_forecast
from sequencer.split import NamedSequences
from sequencer.statistics import (
    autocorrelation,
    distinct_share,
    error_of_mean,
    mean_change,
    window_distances,
)
from sequencer.windows import windows_for

LOSS_WINDOW = 256  # steps
LOSS_BATCH_SIZE = 16
COARSE_SAMPLES = 8  # of each group, for the loss of a model with a coarse level


@dataclass
class Evaluation:
    """The figures of one forecaster or baseline.

    Ratios compare all its rollouts with the validation data; 1 is ideal.
    """

    name: str
    errors: dict[int, float]  # by horizon
    loss: float | None  # nats per step, or squared error with the point head
    std_ratio: float
    std_ratios: list[float] = field(repr=False)  # by column
    step_ratio: float  # of the mean change from step to step; 0: collapsed to the mean
    frechet: dict[int, float]  # by window
    autocorrelation_error: float
    distinct: float  # share of distinct training steps among those nearest to its first steps


def evaluate(
    models: dict[str, Forecaster],
    sequences: NamedSequences,
    *,
    settings: EvaluationSettings = DEFAULTS,
    random_seed: int = 0,
    progress: Progress = no_progress,
) -> tuple[list[Evaluation], dict[str, dict[int, float]]]:
    """Evaluate models and all baselines on the sources that the models were not trained on.

    Returns
    -------
    evaluations : list of Evaluation
        Models first, then baselines.
    floors : dict
        Fréchet distances from the validation data, by window. "real against real": between its
        two halves (alternate blocks), the best possible. "training data": of the training sources,
        the best without knowledge of the source that is continued.

    Raises
    ------
    ParameterError
        If the models were trained on different sources, a source is missing or has changed, no
        validation source is long enough, a model has the name of a baseline, or its head only
        chooses among units.
    """
    for model in models.values():
        check_forecasts(model)
    data = collect_data(models, sequences, settings)
    evaluator = _Evaluator(data, random_seed)
    baselines = fit_baselines(data.train)
    taken = models.keys() & baselines
    if taken:
        raise ParameterError(
            f"a model is called {min(taken)}, like a baseline; give it another name"
        )
    total = len(models) + len(baselines)
    evaluations: list[Evaluation] = []
    for name, model in models.items():
        progress(len(evaluations), total, name)
        evaluations.append(evaluator.evaluate_model(name, model))
    for name, baseline in baselines.items():
        progress(len(evaluations), total, name)
        evaluations.append(evaluator.evaluate_baseline(name, baseline))
    return evaluations, evaluator.floors()


class _Evaluator:
    """Evaluates all models on the same data, at the same moments."""

    def __init__(self, data: EvaluationData, random_seed: int) -> None:
        self.data = data
        self.settings = data.settings
        self.random_seed = random_seed
        rng = np.random.default_rng(random_seed)
        self.contexts, self.futures = data.choose_moments(rng)

    def evaluate_model(self, name: str, model: Forecaster) -> Evaluation:
        settings = self.settings
        evaluation = self._evaluate(
            name,
            _continue_with(model),
            n_samples=settings.n_samples,
            n_rollouts=settings.n_rollouts,
        )
        evaluation.loss = _loss(model, self.data.validation)
        one_step = _error_of_expectation(model, self.contexts, self.futures[:, 0])
        if one_step is not None:
            evaluation.errors[1] = one_step
        return evaluation

    def evaluate_baseline(self, name: str, baseline: Continue) -> Evaluation:
        return self._evaluate(name, baseline, n_samples=1, n_rollouts=1)

    def floors(self) -> dict[str, dict[int, float]]:
        """Return the Fréchet distances of real data."""
        windows = self.settings.windows
        truths = self.data.truths
        size = min(self.settings.block, max(map(len, truths)) // 2)
        blocks = []
        for truth in truths:
            starts = range(0, len(truth) - max(windows) + 1, size)
            blocks += [truth[start : start + size] for start in starts]
        return {
            "real against real": window_distances(blocks[::2], blocks[1::2], windows),
            "training data": window_distances(self.data.train, truths, windows),
        }

    def _evaluate(
        self, name: str, go_on: Continue, *, n_samples: int, n_rollouts: int
    ) -> Evaluation:
        settings = self.settings
        rng = np.random.default_rng(self.random_seed)
        errors = self._errors(go_on, n_samples, rng)
        truths = self.data.truths
        rollouts = self._rollouts(go_on, n_rollouts, rng)
        made = np.concatenate(rollouts)
        real = np.concatenate(truths)
        correlations = [autocorrelation(part, settings.n_lags) for part in (rollouts, truths)]
        matched = [rollout[: settings.n_matched] for rollout in rollouts[: len(truths)]]
        return Evaluation(
            name,
            errors,
            loss=None,
            std_ratio=float(made.std() / real.std()),
            std_ratios=(made.std(axis=0) / real.std(axis=0)).tolist(),
            step_ratio=float(mean_change(rollouts) / mean_change(truths)),
            frechet=window_distances(rollouts, truths, settings.windows),
            autocorrelation_error=float(np.abs(correlations[0] - correlations[1]).mean()),
            distinct=distinct_share(np.concatenate(matched), self.data.train),
        )

    def _errors(
        self, go_on: Continue, n_samples: int, rng: np.random.Generator
    ) -> dict[int, float]:
        """Return the mean squared error of the mean forecast, by horizon."""
        n_steps = self.settings.longest_horizon
        samples = np.stack([go_on(self.contexts, n_steps, rng) for _ in range(n_samples)])
        return {
            horizon: error_of_mean(samples[:, :, horizon - 1], self.futures[:, horizon - 1])
            for horizon in self.settings.horizons
        }

    def _rollouts(
        self, go_on: Continue, n_rollouts: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Return rollouts of all seeds, as often as asked; each as long as its truth."""
        truths = self.data.truths
        seeds = np.tile(np.stack(self.data.seeds), (n_rollouts, 1, 1))
        whole = go_on(seeds, max(map(len, truths)), rng)
        return [made[: len(truth)] for made, truth in zip(whole, n_rollouts * truths, strict=True)]


def _continue_with(model: Forecaster) -> Continue:
    def go_on(seeds: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        scores = torch.from_numpy(np.ascontiguousarray(seeds))
        return sample_forecast(model, scores, n_steps, generator=generator).cpu().numpy()

    return go_on


def _loss(model: Forecaster, validation: list[np.ndarray]) -> float:
    """Return the mean loss per step; a condition is not known, and a coarse level is sampled."""
    sequences = [torch.from_numpy(rows) for rows in validation]
    condition = model.config.condition
    if isinstance(condition, CoarseCondition) and HEADS[model.config.head].is_likelihood:
        return loss_with_coarse(model, sequences, steps=condition.steps, n_samples=COARSE_SAMPLES)
    windows = windows_for(model, sequences, window=LOSS_WINDOW, batch_size=LOSS_BATCH_SIZE)
    return validation_loss(model, windows)


@torch.no_grad()
def _error_of_expectation(
    model: Forecaster, contexts: np.ndarray, following: np.ndarray
) -> float | None:
    """Return the one-step mean squared error of the head's own mean; None if it has none."""
    seen = torch.from_numpy(np.ascontiguousarray(contexts)).to(model.mean.device)
    known = slow_averages(contexts, model.config.spans, delay=model.head.delay)
    averages = torch.from_numpy(known).to(seen.device)
    hidden = model(seen, averages, seen.shape[1] - 1)  # as a rollout begins
    expected = model.head.expectation(hidden, seen)
    if expected is None:
        return None
    return float(((expected[:, -1].cpu().numpy() - following) ** 2).mean())


def to_document(
    evaluations: list[Evaluation], floors: dict[str, dict[int, float]]
) -> dict[str, Any]:
    """Return the evaluations as a JSON document."""
    return {"frechet_of_real_data": floors, "evaluations": [vars(e) for e in evaluations]}
