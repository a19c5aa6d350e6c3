"""What a forecaster must beat.

Each continues sequences as `Forecaster` rollouts do, on z-scored independent columns.

persistence   nothing changes
mean          always the average of the training data
ridge         vector autoregression: the next step is a linear function of the last ones; see `sequencer.linear`
analogue      finds the moment of the training data most like the last steps and plays on from there (Lorenz 1969)
"""

from collections.abc import Callable

import numpy as np

from sequencer.linear import ORDER, contexts, fit_linear_prediction

Continue = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""(seeds (batch, steps, n), steps to go, rng) -> (batch, steps to go, n)"""


def fit_baselines(train: list[np.ndarray]) -> dict[str, Continue]:
    """The baselines by name, fitted to z-scored sequences (steps, n)."""
    return {
        "persistence": _persistence,
        "mean": _mean,
        "ridge": _fit_ridge(train),
        "analogue": _fit_analogue(train),
    }


def _persistence(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(seeds[:, -1:], steps, axis=1)


def _mean(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((len(seeds), steps, seeds.shape[2]), np.float32)


def _fit_ridge(train: list[np.ndarray]) -> Continue:
    weights = fit_linear_prediction(train)

    def go_on(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        past = seeds[:, -ORDER:].astype(np.float64)
        out = []
        for _ in range(steps):
            rows = np.concatenate([past.reshape(len(past), -1), np.ones((len(past), 1))], axis=1)
            following = rows @ weights
            out.append(following)
            past = np.concatenate([past[:, 1:], following[:, None]], axis=1)
        return np.stack(out, axis=1).astype(np.float32)

    return go_on


def _fit_analogue(train: list[np.ndarray]) -> Continue:
    import faiss

    pasts = [contexts(sequence)[0] for sequence in train]
    index = faiss.IndexFlatL2(pasts[0].shape[1])
    for past in pasts:
        index.add(np.ascontiguousarray(past, np.float32))
    source = np.concatenate([np.full(len(past), i) for i, past in enumerate(pasts)])
    following = np.concatenate([np.arange(ORDER, ORDER + len(past)) for past in pasts])

    def go_on(seeds: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        """Plays on to the end of what was found, then looks for the next moment like its own last
        steps.
        """
        made = [seed[-ORDER:] for seed in seeds]
        while unfinished := [i for i, m in enumerate(made) if len(m) < ORDER + steps]:
            latest = np.stack([made[i][-ORDER:].ravel() for i in unfinished]).astype(np.float32)
            for i, place in zip(unfinished, index.search(latest, 1)[1][:, 0], strict=True):
                rest = train[source[place]][following[place] :]
                made[i] = np.concatenate([made[i], rest])[: ORDER + steps]
        return np.stack([m[ORDER:] for m in made]).astype(np.float32)

    return go_on
