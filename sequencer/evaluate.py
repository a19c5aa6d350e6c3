"""Judge forecasters on material they have not heard: how near the next steps are, and whether free
rollouts live like the data.

All figures are of independent columns, z-scored with the models' means and standard deviations.
Errors are of the mean forecast: one step ahead the head's own, where it has one, else estimated
without bias from `DRAWS` of them. Rollouts, `ROLLOUTS` of each held-out piece, begin after its
first steps and are as long as what remains of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from db.descriptors.derived import static_columns
from files.errors import ParameterError
from sequencer.averages import slow_averages
from sequencer.baselines import Continue, fit_baselines
from sequencer.forecaster import Forecaster
from sequencer.linear import ORDER
from sequencer.loss import validation_loss, windows_for
from sequencer.rollout import draw_steps
from sequencer.split import Named, split_sequences

HORIZONS = (1, 4, 16, 64)  # steps ahead
CONTEXTS = 256  # moments of the held-out pieces from which the errors are taken
DRAWS = 8
SEED_STEPS = 128  # before a forecast, where the held-out pieces are long enough
ROLLOUTS = 4  # of each piece
LONGEST = 16384  # steps of a rollout, 6 min of frames
WINDOWS = (1, 8, 32)  # steps whose joint statistics are compared
BLOCK = 128  # steps
LAGS = 64  # of the autocorrelation
MATCHED = 1024  # steps of each piece's rollout of which the nearest training steps are looked up


Gaussian = tuple[np.ndarray, np.ndarray]


@dataclass
class Evaluation:
    """What was found of one forecaster or baseline.

    Ratios are of all its rollouts to the held-out data: 1 is right.
    """

    name: str
    errors: dict[int, float]  # by horizon
    loss: float | None  # held out, nats per step, or squared error with the point head
    std_ratio: float
    std_ratios: list[float] = field(repr=False)  # by column
    step_ratio: float  # of the mean change from step to step: 0 is asleep
    frechet: dict[int, float]  # by window
    autocorrelation_error: float
    distinct: (
        float  # share of different ones among the training steps nearest to its first `MATCHED`
    )


def evaluate(
    models: dict[str, Forecaster],
    sequences: Named,
    *,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[list[Evaluation], dict[str, dict[int, float]]]:
    """Evaluate models and all baselines on the sources that the models were not trained on.

    Returns
    -------
    evaluations : list of Evaluation
        Models first, then baselines.
    floors : dict
        Fréchet distances of real data from the held-out, by window: "real against real", of its two
        halves, blocks of `BLOCK` steps dealt in turn, is what perfection would read; "training
        data" is what it would read that knows nothing of the piece it is to continue.

    Raises
    ------
    ParameterError
        If the models were trained on different sources, these are not all there as they were, or
        none of them is held out and long enough.
    """
    train, validation = validation_material(models, sequences)
    n_seed = seed_steps(validation)
    seeds = [piece[:n_seed] for piece in validation]
    truths = [piece[n_seed : n_seed + LONGEST] for piece in validation]
    contexts, futures = _moments(validation, n_seed, np.random.default_rng(seed))
    block = min(BLOCK, max(map(len, truths)) // 2)
    blocks = [t[i : i + block] for t in truths for i in range(0, len(t) - max(WINDOWS) + 1, block)]
    floors = {
        "real against real": _frechet(_gaussians(blocks[::2]), _gaussians(blocks[1::2])),
        "training data": _frechet(_gaussians(train), _gaussians(truths)),
    }
    baselines = fit_baselines(train)
    if taken := models.keys() & baselines:
        raise ParameterError(
            f"a model is called {min(taken)}, as a baseline is; give it another name"
        )
    contestants = {name: _model(model) for name, model in models.items()} | baselines
    evaluations = []
    for done, (name, go_on) in enumerate(contestants.items()):
        if progress:
            progress(done, len(contestants), name)
        loss = None
        one_step = None
        if name in models:
            loss = _loss(models[name], validation)
            one_step = _error_of_expectation(models[name], contexts, futures[:, 0])
        evaluations.append(
            _validate(name, go_on, contexts, futures, seeds, truths, train, loss, one_step, seed)
        )
    return evaluations, floors


def validation_material(
    models: dict[str, Forecaster], sequences: Named
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """z-scored independent columns of the sources the models were trained on, and of the held-out
    ones; no others are used.
    """
    model = _check_training(models)
    material = _material(model.config.training, dict(sequences))
    train, validation = ([_scores(model, rows) for rows in part] for part in material)
    longest = max(map(len, validation))
    if longest < ORDER + max(HORIZONS):
        raise ParameterError(
            f"the longest held-out source lasts {longest} steps, forecasts are judged on at least"
            f" {ORDER + max(HORIZONS)}; add longer audio, or train with another --random-seed"
        )
    return train, [
        rows for rows in validation if len(rows) >= seed_steps(validation) + max(HORIZONS)
    ]


def _material(training: dict[str, Any], rows_of: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    """Raw rows of the sources trained on, and of those held out, which must all be there with as
    many steps as then.
    """
    split = training["sources"]
    known = {*split["train"], *split["validation"]}
    if missing := sorted(known - rows_of.keys()):
        raise ParameterError(
            f"{len(missing)} of the {len(known)} sources that the model was trained with are not in"
            f" the database ({', '.join(missing[:2])}{', …' * (len(missing) > 2)}); evaluate on the"
            " database it was trained on, or train anew"
        )
    if split["train"] == split["validation"]:  # one source, its last part held out
        parts = split_sequences([(name, rows_of[name]) for name in known], seed=0)
        material = [[rows for _, rows in part] for part in (parts.train, parts.validation)]
    else:
        material = [
            [rows_of[name] for name in names]
            for names in (split["train"], sorted(split["validation"]))
        ]
    steps = dict(
        zip(("train", "validation"), (sum(map(len, part)) for part in material), strict=True)
    )
    if steps != training.get("steps", steps):  # older checkpoints do not say
        raise ParameterError(
            f"the sources that the model was trained with have {sum(steps.values())} steps in the"
            f" database and had {sum(training['steps'].values())}: they were changed since; train"
            " anew"
        )
    return material


def added_sources(model: Forecaster, sequences: Named) -> list[str]:
    """Sources that have come since the model was trained: it has not learned from them, and is not
    judged on them.
    """
    split = model.config.training["sources"]
    known = {*split["train"], *split["validation"]}
    return [
        name for name, rows in sequences if name not in known and len(rows) > 1
    ]  # one step teaches nothing


def _check_training(models: dict[str, Forecaster]) -> Forecaster:
    """The first of the models, which must all be trained on the same sources in the same state."""
    if not models:
        raise ParameterError("no model is given; give at least one")
    first, model = next(iter(models.items()))
    for name, other in models.items():
        if other.config.training["sources"] != model.config.training["sources"]:
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


def seed_steps(validation: list[np.ndarray]) -> int:
    """Steps before a forecast: `SEED_STEPS`, or so few that the longest piece goes on for as long
    and the longest horizon.
    """
    return min(SEED_STEPS, max((max(map(len, validation)) - max(HORIZONS)) // 2, ORDER))


def _moments(
    validation: list[np.ndarray], n_seed: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random contexts (CONTEXTS, n_seed, n) and what followed them, (CONTEXTS, longest horizon, n)."""
    needed = n_seed + max(HORIZONS)
    room = np.array([len(piece) - needed + 1 for piece in validation])
    which = rng.choice(len(validation), CONTEXTS, p=room / room.sum())
    cuts = np.stack(
        [validation[i][(first := rng.integers(room[i])) : first + needed] for i in which]
    )
    return cuts[:, :n_seed], cuts[:, n_seed:]


def _model(model: Forecaster) -> Continue:
    def go_on(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        with torch.no_grad():
            return (
                draw_steps(
                    model, torch.from_numpy(np.ascontiguousarray(seeds)), steps, generator=generator
                )
                .cpu()
                .numpy()
            )

    return go_on


def _loss(model: Forecaster, validation: list[np.ndarray]) -> float:
    windows = windows_for(
        model, [torch.from_numpy(rows) for rows in validation], window=256, batch_size=16
    )
    return validation_loss(model, windows)


def _validate(
    name: str,
    go_on: Continue,
    contexts: np.ndarray,
    futures: np.ndarray,
    seeds: list[np.ndarray],
    truths: list[np.ndarray],
    train: list[np.ndarray],
    loss: float | None,
    one_step: float | None,
    seed: int,
) -> Evaluation:
    rng = np.random.default_rng(seed)
    learned = loss is not None
    draws = np.stack(
        [go_on(contexts, futures.shape[1], rng) for _ in range(DRAWS if learned else 1)]
    )
    errors = {h: _error_of_mean(draws[:, :, h - 1], futures[:, h - 1]) for h in HORIZONS}
    if one_step is not None:
        errors[1] = one_step
    each = ROLLOUTS if learned else 1
    longest = go_on(np.tile(np.stack(seeds), (each, 1, 1)), max(map(len, truths)), rng)
    rollouts = [made[: len(t)] for made, t in zip(longest, each * truths, strict=True)]
    made = np.concatenate(rollouts)
    real = np.concatenate(truths)
    matched = np.concatenate([rollout[:MATCHED] for rollout in rollouts[: len(truths)]])
    stds = made.std(axis=0) / real.std(axis=0)
    changes = [
        np.concatenate([np.abs(np.diff(x, axis=0)) for x in part]).mean()
        for part in (rollouts, truths)
    ]
    return Evaluation(
        name,
        errors,
        loss,
        float(made.std() / real.std()),
        stds.tolist(),
        float(changes[0] / changes[1]),
        _frechet(_gaussians(rollouts), _gaussians(truths)),
        float(np.abs(_autocorrelation(rollouts) - _autocorrelation(truths)).mean()),
        _distinct(matched, train),
    )


@torch.no_grad()
def _error_of_expectation(
    model: Forecaster, contexts: np.ndarray, following: np.ndarray
) -> float | None:
    """Mean squared error, one step ahead, of what the head says is the mean; None if it does not
    say.
    """
    seen = torch.from_numpy(np.ascontiguousarray(contexts)).to(model.mean.device)
    averages = torch.from_numpy(slow_averages(contexts, delay=model.head.delay)).to(seen.device)
    expected = model.head.expectation(
        model(seen, averages, seen.shape[1] - 1), seen
    )  # as a rollout begins
    return (
        None
        if expected is None
        else float(((expected[:, -1].cpu().numpy() - following) ** 2).mean())
    )


def _error_of_mean(draws: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared error of the mean forecast: the mean of few draws errs by its own variance
    besides, which is taken off.
    """
    error = ((draws.mean(axis=0) - truth) ** 2).mean()
    return float(error - (draws.var(axis=0, ddof=1).mean() / len(draws) if len(draws) > 1 else 0.0))


def _frechet(first: dict[int, Gaussian], second: dict[int, Gaussian]) -> dict[int, float]:
    return {window: frechet_distance(first[window], second[window]) for window in WINDOWS}


def _gaussians(sequences: list[np.ndarray]) -> dict[int, Gaussian]:
    return {window: window_statistics(sequences, window) for window in WINDOWS}


def window_statistics(sequences: list[np.ndarray], steps: int) -> Gaussian:
    """Mean (steps · n,) and covariance of every `steps` successive steps as one row."""
    count = 0
    size = steps * sequences[0].shape[1]
    total = np.zeros(size)
    gram = np.zeros((size, size))
    for sequence in sequences:
        if len(sequence) >= steps:
            rows = (
                np.lib.stride_tricks.sliding_window_view(sequence, steps, axis=0)
                .reshape(-1, size)
                .astype(np.float64)
            )
            count += len(rows)
            total += rows.sum(axis=0)
            gram += rows.T @ rows
    mean = total / count
    return mean, gram / count - np.outer(mean, mean)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Fréchet distance of two Gaussians, each mean (d,) and covariance (d, d) (Dowson & Landau
    1982).

    |mean a - mean b|² + trace(A + B - 2 (A B)^½), with the trace of the root from eigenvalues of
    A^½ B A^½, which are real.
    """
    mean_a, a = first
    mean_b, b = second
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * cross)


def _autocorrelation(sequences: list[np.ndarray]) -> np.ndarray:
    """Mean over columns of the autocorrelation at lags 1 to LAGS, (LAGS,); of what does not move,
    1.
    """
    curves = []
    for s in sequences:
        centred = s - s.mean(axis=0)
        power = (centred**2).sum(axis=0)
        for column in np.flatnonzero(power > 1e-9 * len(s)):
            x = centred[:, column]
            curves.append([float(x[:-lag] @ x[lag:]) / power[column] for lag in range(1, LAGS + 1)])
    return np.mean(curves, axis=0) if curves else np.ones(LAGS)


def _distinct(made: np.ndarray, train: list[np.ndarray]) -> float:
    """Share of different ones among the training steps nearest to each step made."""
    import faiss

    index = faiss.IndexFlatL2(made.shape[1])
    index.add(np.concatenate(train).astype(np.float32))
    _, found = index.search(np.ascontiguousarray(made, np.float32), 1)
    return len(np.unique(found)) / len(made)


def to_document(
    evaluations: list[Evaluation], floors: dict[str, dict[int, float]]
) -> dict[str, Any]:
    """For JSON."""
    return {"frechet_of_real_data": floors, "evaluations": [vars(e) for e in evaluations]}
