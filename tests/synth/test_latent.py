import numpy as np
import pytest
import torch

from synth.latent import LARGEST_MEMORY, LatentNoise, settled


def noise(order=2, channels=3):
    """A noise whose clips differ and whose steps remember."""
    model = LatentNoise(channels, order)
    model.mean.copy_(torch.arange(float(channels)))
    model.between.copy_(2 * torch.eye(channels))
    if order:
        model.transitions[0].copy_(0.6 * torch.eye(channels))
    return model


def test_white_noise_has_no_memory_and_no_mean():
    z = LatentNoise(4).draw(np.random.default_rng(0), 20_000).numpy()
    np.testing.assert_allclose(z.mean(1), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(z), np.eye(4), atol=0.04)
    assert abs(np.mean(z[:, 1:] * z[:, :-1])) < 0.02


def test_a_step_does_not_depend_on_how_many_follow():
    for order in (0, 2):
        long, short = (noise(order).draw(np.random.default_rng(1), steps) for steps in (50, 20))
        torch.testing.assert_close(long[:, :20], short, rtol=0, atol=0)


def test_fit_finds_what_sequences_were_drawn_with():
    model = noise()
    fitted = LatentNoise(3, 2)
    rng = np.random.default_rng(2)
    fitted.fit([model.draw(rng, 400).numpy() for _ in range(200)])
    torch.testing.assert_close(fitted.transitions, model.transitions, rtol=0, atol=0.04)
    torch.testing.assert_close(fitted.factor, model.factor, rtol=0, atol=0.04)
    torch.testing.assert_close(fitted.mean, model.mean, rtol=0, atol=0.5)
    torch.testing.assert_close(
        fitted.between.diagonal(), model.between.diagonal(), rtol=0.15, atol=0
    )


def test_a_channel_that_never_moves_can_be_fitted():
    z = np.random.default_rng(3).normal(size=(2, 100))
    z[1] = 7.0
    model = LatentNoise(2, 3)
    model.fit([z, z + 1])
    drawn = model.draw(np.random.default_rng(0), 50)
    assert drawn.isfinite().all()
    assert drawn[1].std() < 0.1


def test_memories_that_would_not_fade_are_shortened():
    endless = np.stack([1.2 * np.eye(2), np.zeros((2, 2))])
    assert np.abs(np.linalg.eigvals(settled(endless)[0])).max() == pytest.approx(LARGEST_MEMORY)
    fading = np.stack([0.5 * np.eye(2)])
    np.testing.assert_array_equal(settled(fading), fading)
