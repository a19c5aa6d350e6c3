"""Baselines that a forecaster must beat: simple ways to continue z-scored sequences.

persistence   nothing changes
mean          always the average of the training data
ridge         vector autoregression: the next step is a linear function of the last ones; see
              `sequencer.linear`
analogue      finds the moment of the training data most like the last steps and copies what
              follows it (Lorenz 1969)
"""

from collections.abc import Callable

import numpy as np

from sequencer.linear import ORDER, contexts, fit_linear_prediction, with_constant

Continue = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""(seeds (batch, steps, n), n_steps, rng) -> (batch, n_steps, n)"""


def fit_baselines(train: list[np.ndarray]) -> dict[str, Continue]:
    """Fit the baselines to z-scored sequences (steps, n); return them by name."""
    return {
        "persistence": _continue_with_last,
        "mean": _continue_with_mean,
        "ridge": _fit_ridge(train),
        "analogue": _fit_analogue(train),
    }


def _continue_with_last(seeds: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(seeds[:, -1:], n_steps, axis=1)


def _continue_with_mean(seeds: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((len(seeds), n_steps, seeds.shape[2]), np.float32)


def _fit_ridge(train: list[np.ndarray]) -> Continue:
    weights = fit_linear_prediction(train)

    def predict(seeds: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        past = seeds[:, -ORDER:].astype(np.float64)
        out = []
        for _ in range(n_steps):
            rows = past.reshape(len(past), -1)
            following = with_constant(rows) @ weights
            out.append(following)
            past = np.concatenate([past[:, 1:], following[:, None]], axis=1)
        return np.stack(out, axis=1).astype(np.float32)

    return predict


def _fit_analogue(train: list[np.ndarray]) -> Continue:
    import faiss

    pasts = [contexts(sequence)[0] for sequence in train]
    index = faiss.IndexFlatL2(pasts[0].shape[1])
    for past in pasts:
        index.add(np.ascontiguousarray(past, np.float32))
    sources = np.concatenate([np.full(len(past), i) for i, past in enumerate(pasts)])
    following = np.concatenate([np.arange(ORDER, ORDER + len(past)) for past in pasts])

    def find_rests(latest: list[np.ndarray]) -> list[np.ndarray]:
        """Return the training data after the moments most like these, each (ORDER, n)."""
        rows = np.stack([steps.ravel() for steps in latest]).astype(np.float32)
        places = index.search(rows, 1)[1][:, 0]
        return [train[sources[place]][following[place] :] for place in places]

    def go_on(seeds: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Copy the training data to the end of its source, then look again."""
        made = [seed[-ORDER:] for seed in seeds]
        unfinished = list(range(len(made)))
        while unfinished:
            rests = find_rests([made[i][-ORDER:] for i in unfinished])
            for i, rest in zip(unfinished, rests, strict=True):
                made[i] = np.concatenate([made[i], rest])[: ORDER + n_steps]
            unfinished = [i for i in unfinished if len(made[i]) < ORDER + n_steps]
        return np.stack([steps[ORDER:] for steps in made]).astype(np.float32)

    return go_on
