"""What a forecaster must beat. Each continues sequences as `Forecaster` rollouts do, on z-scored independent columns.

persistence   nothing changes
mean          always the average of the training data
ridge         vector autoregression: the next step is a linear function of the last ones (Lütkepohl 2005), ridge-regularised
analogue      finds the moment of the training data most like the last steps and plays on from there (Lorenz 1969)
"""

from collections.abc import Callable

import numpy as np

ORDER = 8  # steps that ridge and analogue look back
RIDGE = 10.0  # weight of the penalty, in training steps of unit variance

Continue = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""(seeds (batch, steps, n), steps to go, rng) -> (batch, steps to go, n)"""


def fit_baselines(train: list[np.ndarray]) -> dict[str, Continue]:
    """The baselines by name, fitted to z-scored sequences (steps, n)."""
    return {"persistence": _persistence, "mean": _mean, "ridge": _fit_ridge(train), "analogue": _fit_analogue(train)}


def _persistence(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(seeds[:, -1:], steps, axis=1)


def _mean(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((len(seeds), steps, seeds.shape[2]), np.float32)


def _fit_ridge(train: list[np.ndarray]) -> Continue:
    n = train[0].shape[1]
    gram, moment = np.zeros((n * ORDER + 1, n * ORDER + 1)), np.zeros((n * ORDER + 1, n))
    for sequence in train:
        past, following = _contexts(sequence)
        rows = np.concatenate([past, np.ones((len(past), 1))], axis=1, dtype=np.float64)
        gram += rows.T @ rows
        moment += rows.T @ following
    weights = np.linalg.solve(gram + RIDGE * np.eye(len(gram)), moment)

    def go_on(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        past, out = seeds[:, -ORDER:].astype(np.float64), []
        for _ in range(steps):
            rows = np.concatenate([past.reshape(len(past), -1), np.ones((len(past), 1))], axis=1)
            following = rows @ weights
            out.append(following)
            past = np.concatenate([past[:, 1:], following[:, None]], axis=1)
        return np.stack(out, axis=1).astype(np.float32)

    return go_on


def _fit_analogue(train: list[np.ndarray]) -> Continue:
    import faiss

    contexts = [_contexts(sequence)[0] for sequence in train]
    index = faiss.IndexFlatL2(contexts[0].shape[1])
    for past in contexts:
        index.add(np.ascontiguousarray(past, np.float32))
    source = np.concatenate([np.full(len(past), i) for i, past in enumerate(contexts)])
    following = np.concatenate([np.arange(ORDER, ORDER + len(past)) for past in contexts])

    def go_on(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        """Plays on to the end of what was found, then looks for the next moment like its own last steps."""
        made = [seed[-ORDER:] for seed in seeds]
        while unfinished := [i for i, m in enumerate(made) if len(m) < ORDER + steps]:
            latest = np.stack([made[i][-ORDER:].ravel() for i in unfinished]).astype(np.float32)
            for i, place in zip(unfinished, index.search(latest, 1)[1][:, 0], strict=True):
                rest = train[source[place]][following[place] :]
                made[i] = np.concatenate([made[i], rest])[: ORDER + steps]
        return np.stack([m[ORDER:] for m in made]).astype(np.float32)

    return go_on


def _contexts(sequence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(steps, n) -> the last `ORDER` steps before each step, (steps - ORDER, ORDER · n), and those steps."""
    if len(sequence) <= ORDER:
        return np.empty((0, ORDER * sequence.shape[1]), np.float32), np.empty((0, sequence.shape[1]), np.float32)
    past = np.lib.stride_tricks.sliding_window_view(sequence[:-1], ORDER, axis=0)  # (steps - ORDER, n, ORDER)
    return past.transpose(0, 2, 1).reshape(len(past), -1), sequence[ORDER:]
