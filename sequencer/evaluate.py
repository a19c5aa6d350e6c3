"""Judge forecasters on material they have not heard: how near the next steps are, and whether free rollouts live like the data.

All figures are of z-scored independent columns. Errors are of the mean forecast, estimated without bias from `DRAWS` of them. A
rollout begins after a held-out seed and is as long as what remains of its piece, at most `LONGEST` steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from db.descriptors.derived import static_columns
from db.errors import ParameterError
from db.normaliser import Normaliser
from sequencer.baselines import Continue, fit_baselines
from sequencer.forecaster import Forecaster
from sequencer.rollout import draw_steps
from sequencer.split import Named, split_sequences
from sequencer.train import held_out_loss, windows_for

HORIZONS = (1, 4, 16, 64)  # steps ahead
CONTEXTS = 256  # moments of the held-out pieces from which the errors are taken
DRAWS = 8
SEED_STEPS = 128
LONGEST = 2048  # steps of a rollout, 48 s of frames
WINDOWS = (1, 8, 32)  # steps whose joint statistics are compared
BLOCK = 128  # steps
LAGS = 64  # of the autocorrelation


@dataclass
class Evaluation:
    """What was found of one forecaster or baseline. Ratios are of the rollout to the held-out data: 1 is right, 0 is asleep."""

    name: str
    errors: dict[int, float]  # by horizon
    loss: float | None  # held out, nats per step, or squared error with the point head
    std_ratio: float
    std_ratios: list[float] = field(repr=False)  # by column
    step_ratio: float  # of the mean change from step to step
    frechet: dict[int, float]  # by window
    autocorrelation_error: float
    distinct: float  # share of the rollout's nearest training steps that are different ones


def evaluate(
    models: dict[str, Forecaster],
    sequences: Named,
    normaliser: Normaliser,
    *,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[list[Evaluation], dict[int, float]]:
    """Evaluate models and all baselines on the sources that the models were not trained on.

    Returns
    -------
    evaluations : list of Evaluation
        Models first, then baselines.
    floor : dict
        Fréchet distance between two halves of the held-out data, blocks of `BLOCK` steps dealt in turn, by window: what
        perfection would read.

    Raises
    ------
    ParameterError
        If the models were trained on different sources, or none of these is held out and long enough.
    """
    train, held_out = _material(models, sequences, normaliser)
    seeds = [piece[:SEED_STEPS] for piece in held_out]
    truths = [piece[SEED_STEPS : SEED_STEPS + LONGEST] for piece in held_out]
    contexts, futures = _moments(held_out, np.random.default_rng(seed))
    blocks = [t[i : i + BLOCK] for t in truths for i in range(0, len(t) - max(WINDOWS), BLOCK)]
    floor = {w: frechet_distance(_windows(blocks[::2], w), _windows(blocks[1::2], w)) for w in WINDOWS}
    contestants = {name: _model(model) for name, model in models.items()} | fit_baselines(train)
    evaluations = []
    for done, (name, go_on) in enumerate(contestants.items()):
        if progress:
            progress(done, len(contestants), name)
        loss = _loss(models[name], held_out) if name in models else None
        evaluations.append(_judge(name, go_on, contexts, futures, seeds, truths, train, loss, seed))
    return evaluations, floor


def _material(
    models: dict[str, Forecaster], sequences: Named, normaliser: Normaliser
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """z-scored independent columns of the sources the models were trained on, and of the held-out ones."""
    if not models:
        raise ParameterError("no model is given; give at least one")
    first, model = next(iter(models.items()))
    split = model.config.training["sources"]
    for name, other in models.items():
        if other.config.training["sources"] != split:
            raise ParameterError(f"{name} was trained on other sources than {first}; evaluate them one by one")
    columns, held = static_columns(model.config.settings), set(split["held_out"])
    scores = {name: normaliser.apply(rows)[:, columns] for name, rows in sequences}
    if missing := held - set(scores):
        raise ParameterError(f"{sorted(missing)[0]} was held out and is not in the database; evaluate on the one trained with")
    if held & set(split["train"]):  # one source, its last part held out
        parts = split_sequences(sequences, seed=0)
        train, held_out = ([normaliser.apply(rows)[:, columns] for _, rows in part] for part in (parts.train, parts.held_out))
    else:
        train = [rows for name, rows in scores.items() if name not in held]
        held_out = [scores[name] for name in sorted(held)]
    held_out = [rows for rows in held_out if len(rows) >= SEED_STEPS + 2 * max(WINDOWS)]
    if len(held_out) < 2:
        half = len(held_out[0]) // 2 if held_out else 0
        if half < SEED_STEPS + 2 * max(WINDOWS):
            raise ParameterError(
                f"the held-out sources last less than {2 * (SEED_STEPS + 2 * max(WINDOWS))} steps; add longer audio"
            )
        held_out = [held_out[0][:half], held_out[0][half:]]
    return train, held_out


def _moments(held_out: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random contexts (CONTEXTS, SEED_STEPS, n) and what followed them, (CONTEXTS, longest horizon, n)."""
    needed = SEED_STEPS + max(HORIZONS)
    pieces = [piece for piece in held_out if len(piece) >= needed]
    room = np.array([len(piece) - needed + 1 for piece in pieces])
    which = rng.choice(len(pieces), CONTEXTS, p=room / room.sum())
    cuts = np.stack([pieces[i][(first := rng.integers(room[i])) : first + needed] for i in which])
    return cuts[:, :SEED_STEPS], cuts[:, SEED_STEPS:]


def _model(model: Forecaster) -> Continue:
    def go_on(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        with torch.no_grad():
            return draw_steps(model, torch.from_numpy(np.ascontiguousarray(seeds)), steps, generator=generator).cpu().numpy()

    return go_on


def _loss(model: Forecaster, held_out: list[np.ndarray]) -> float:
    windows = windows_for(model, [torch.from_numpy(rows) for rows in held_out], window=256, batch_size=16)
    return held_out_loss(model, windows)


def _judge(
    name: str, go_on: Continue, contexts: np.ndarray, futures: np.ndarray, seeds: list[np.ndarray], truths: list[np.ndarray],
    train: list[np.ndarray], loss: float | None, seed: int,
) -> Evaluation:  # fmt: skip
    rng = np.random.default_rng(seed)
    draws = np.stack([go_on(contexts, futures.shape[1], rng) for _ in range(DRAWS if loss is not None else 1)])
    errors = {h: _error_of_mean(draws[:, :, h - 1], futures[:, h - 1]) for h in HORIZONS}
    longest = go_on(np.stack(seeds), max(map(len, truths)), rng)
    rollouts = [made[: len(t)] for made, t in zip(longest, truths, strict=True)]
    made, real = np.concatenate(rollouts), np.concatenate(truths)
    stds = made.std(axis=0) / real.std(axis=0)
    changes = [np.concatenate([np.abs(np.diff(x, axis=0)) for x in part]).mean() for part in (rollouts, truths)]
    return Evaluation(
        name, errors, loss, float(made.std() / real.std()), stds.tolist(), float(changes[0] / changes[1]),
        {w: frechet_distance(_windows(rollouts, w), _windows(truths, w)) for w in WINDOWS},
        float(np.abs(_autocorrelation(rollouts) - _autocorrelation(truths)).mean()), _distinct(made, train),
    )  # fmt: skip


def _error_of_mean(draws: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared error of the mean forecast: the mean of few draws errs by its own variance besides, which is taken off."""
    error = ((draws.mean(axis=0) - truth) ** 2).mean()
    return float(error - (draws.var(axis=0, ddof=1).mean() / len(draws) if len(draws) > 1 else 0.0))


def _windows(sequences: list[np.ndarray], steps: int) -> np.ndarray:
    """Every `steps` successive steps as one row, (n_windows, steps · n)."""
    views = [np.lib.stride_tricks.sliding_window_view(s, steps, axis=0).reshape(len(s) - steps + 1, -1) for s in sequences]
    return np.concatenate(views)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of two Gaussians with the samples' means and covariances (Dowson & Landau 1982).

    |mean a - mean b|² + trace(A + B - 2 (A B)^½), with the trace of the root from eigenvalues of A^½ B A^½, which are real.
    """
    mean = a.mean(axis=0) - b.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a.astype(np.float64), b.astype(np.float64)))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float((mean.astype(np.float64) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * cross)


def _autocorrelation(sequences: list[np.ndarray]) -> np.ndarray:
    """Mean over columns of the autocorrelation at lags 1 to LAGS, (LAGS,); of what does not move, 1."""
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


def to_document(evaluations: list[Evaluation], floor: dict[int, float]) -> dict[str, Any]:
    """For JSON."""
    return {"floor": {"frechet": floor}, "evaluations": [vars(e) for e in evaluations]}
