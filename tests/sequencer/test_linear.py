"""Linear prediction, and its penalty."""

import numpy as np

from sequencer.linear import ORDER, RIDGES, contexts, fit_linear_prediction, with_constant


def weights_with(ridge, sequence):
    past, following = contexts(sequence)
    rows = with_constant(past)
    size = rows.shape[1]
    return np.linalg.solve(rows.T @ rows + ridge * np.eye(size), rows.T @ following)


def rotations(steps, noise, seed=0):
    """A turning vector of two, the next of which follows linearly, with some noise."""
    angles = 0.3 * np.arange(steps)
    turning = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return turning + noise * np.random.default_rng(seed).normal(size=turning.shape)


def test_what_follows_exactly_gets_the_least_penalty():
    sequence = rotations(2000, 0.01)
    np.testing.assert_array_equal(
        fit_linear_prediction([sequence]), weights_with(RIDGES[0], sequence)
    )


def test_noise_of_many_columns_gets_the_greatest_penalty():
    sequence = np.random.default_rng(0).normal(size=(300, 30))
    np.testing.assert_array_equal(
        fit_linear_prediction([sequence]), weights_with(RIDGES[-1], sequence)
    )


def test_the_penalty_is_nearly_the_best_for_what_comes_next():
    """Many columns, of which a few move, in few steps: in between."""
    rng = np.random.default_rng(0)
    moving = rotations(3400, 0.5)
    mixed = moving @ rng.normal(size=(2, 30)) / 2 + rng.normal(size=(3400, 30))
    train, unseen = mixed[:400], mixed[400:]
    past, following = contexts(unseen)

    def error(weights):
        return float(((with_constant(past) @ weights - following) ** 2).mean())

    errors = [error(weights_with(ridge, train)) for ridge in RIDGES]
    assert error(fit_linear_prediction([train])) < min(errors) + 0.1 * (max(errors) - min(errors))
    assert 0 < int(np.argmin(errors)) < len(RIDGES)


def test_sequences_without_a_context_predict_nothing():
    weights = fit_linear_prediction([np.ones((ORDER, 3))])
    assert weights.shape == (3 * ORDER + 1, 3)
    assert not weights.any()
