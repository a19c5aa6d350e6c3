"""From noise to mel along a flow, where the exact path is known."""

import pytest
import torch
from torch import Tensor

from synth.flow_sampling import follow_flow

SPREAD = 0.5


def of_gaussian(z: Tensor, time: Tensor) -> Tensor:
    """The mean of x given z = t x + (1 - t) e, for x normal with mean 0 and spread SPREAD."""
    return time * SPREAD**2 * z / (time**2 * SPREAD**2 + (1 - time) ** 2)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_constant_mel_is_reached_exactly(steps: int) -> None:
    mel = torch.tensor([1.0, -2.0])
    found = follow_flow(lambda z, time: mel.clone(), torch.randn(2), steps)
    torch.testing.assert_close(found, mel)


def test_noise_becomes_mel_of_the_right_spread() -> None:
    """The path of a Gaussian keeps the order of its points: e becomes SPREAD * e."""
    noise = torch.linspace(-2, 2, 9)
    found = follow_flow(of_gaussian, noise, 64)
    torch.testing.assert_close(found, SPREAD * noise, atol=1e-3, rtol=0)


def test_error_falls_with_the_square_of_the_steps() -> None:
    noise = torch.ones(1)
    errors = [abs(follow_flow(of_gaussian, noise, n).item() - SPREAD) for n in (16, 32, 64)]
    assert errors[0] / errors[1] > 3
    assert errors[1] / errors[2] > 3


def test_the_network_is_asked_once_a_step_at_evenly_spaced_times() -> None:
    times = []

    def predict(z: Tensor, time: Tensor) -> Tensor:
        times.append(time.item())
        return z

    follow_flow(predict, torch.zeros(1), 4)
    assert times == [0, 0.25, 0.5, 0.75]
