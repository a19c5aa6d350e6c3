"""UNAGAN's discriminator and BEGAN's balance."""

import pytest
import torch
from torch.nn import functional as F

from files.errors import ParameterError
from synth.began import BeganBalance, MelAutoencoder


@pytest.mark.parametrize(("n_mels", "frames"), [(20, 1), (80, 40), (33, 7)])
def test_autoencoder_keeps_the_shape_and_passes_gradients(n_mels, frames):
    network = MelAutoencoder(n_mels, channels=16)
    mel = torch.randn(2, n_mels, frames, requires_grad=True)
    reconstruction = network(mel)
    assert reconstruction.shape == mel.shape
    F.l1_loss(reconstruction, mel).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert mel.grad.abs().sum() > 0


def test_autoencoder_learns_a_batch():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MelAutoencoder(20, channels=32)
        mel = torch.randn(2, 20, 1).expand(2, 20, 32)
        optimiser = torch.optim.Adam(network.parameters(), 3e-3)
        losses = []
        for _ in range(40):
            losses.append(F.l1_loss(network(mel), mel))
            optimiser.zero_grad()
            losses[-1].backward()
            optimiser.step()
    assert losses[-1] < 0.5 * losses[0]


def test_autoencoder_of_impossible_width_raises():
    with pytest.raises(ParameterError, match="channels=20 must be a positive multiple of 16"):
        MelAutoencoder(20, channels=20)


def test_balance_follows_the_losses():
    balance = BeganBalance()
    balance.update(1.0, 0.5)  # k = 0 + 0.01 * (1 * 1.0 - 0.5)
    assert (balance.k, balance.measure) == pytest.approx((0.005, 1.5))
    balance.update(0.8, 1.0)  # k = 0.005 + 0.01 * (0.8 - 1.0)
    assert (balance.k, balance.measure) == pytest.approx((0.003, 1.0))
    balance.update(0.5, 9.0)
    assert (balance.k, balance.measure) == pytest.approx((0.0, 9.0))
    balance.update(500.0, 0.0)
    assert balance.k == 1.0


def test_balance_holds_another_ratio():
    balance = BeganBalance(gamma=0.5, lambda_k=0.1)
    balance.update(1.0, 0.2)
    assert (balance.k, balance.measure) == pytest.approx((0.03, 1.3))


def test_balance_goes_on_from_its_state():
    balance = BeganBalance()
    resumed = BeganBalance()
    balance.update(1.0, 0.5)
    resumed.load_state_dict(balance.state_dict())
    assert resumed == balance


def test_balance_refuses_a_loss_that_is_not_finite():
    with pytest.raises(ParameterError, match="must be finite; lower the learning rate"):
        BeganBalance().update(1.0, float("nan"))
