"""The distributions that heads learn, and slow averages."""

import numpy as np
import pytest
import torch

from sequencer.averages import SlowAverages, slow_averages
from sequencer.linear import ORDER
from sequencer.mixture import MixtureHead
from sequencer.tokens import TokensHead
from tests.sequencer.toys import (
    NORMALISER,
    sampler,
    song,
    toy,
)


def test_mixture_likelihood_of_one_component_is_the_gaussian_density():
    head = MixtureHead(3, 2, n_components=1)
    hidden = torch.randn(7, 3)
    ground = torch.randn(7, 2)
    following = torch.randn(7, 2)
    _, mean, std = head(hidden, ground)
    expected = torch.distributions.Normal(mean[:, 0], std[:, 0]).log_prob(following).sum(-1)
    torch.testing.assert_close(head.log_likelihood(hidden, ground, following), expected)


def test_mixture_density_integrates_to_one():
    torch.manual_seed(0)
    head = MixtureHead(3, 1, n_components=4)
    grid = torch.linspace(-12, 12, 4001)[:, None]
    density = (
        head.log_likelihood(torch.randn(1, 3).expand(4001, 3), torch.zeros(4001, 1), grid)
        .exp()
        .detach()
    )
    assert float(torch.trapezoid(density, grid[:, 0])) == pytest.approx(1, abs=1e-3)


def test_mixture_samples_follow_its_mean():
    torch.manual_seed(0)
    head = MixtureHead(3, 2, n_components=4)
    hidden = torch.randn(1, 3).expand(20000, 3)
    recent = torch.zeros(20000, ORDER, 2)
    drawn = head.sample(hidden, recent, sampler())
    expected = head.expectation(hidden[:1].expand(1, ORDER, 3), torch.zeros(1, ORDER, 2))[
        0, -1
    ].detach()
    torch.testing.assert_close(drawn.mean(0), expected, atol=0.03, rtol=0)


def test_the_mixture_predicts_linearly_from_the_last_steps():
    head = toy().head
    x = torch.from_numpy(NORMALISER.apply(song(50, 3))[:, :4].copy())
    ground = head.predict(x[None])[0]
    row = torch.cat([x[20 - ORDER + 1 : 21].flatten(), torch.ones(1)])
    torch.testing.assert_close(ground[20], row @ head.prediction)
    assert (ground[ORDER:-1] - x[ORDER + 1 :]).square().mean() < 0.3 * (
        x[ORDER:-1] - x[ORDER + 1 :]
    ).square().mean()
    torch.testing.assert_close(head.predict(x[None, 21 - ORDER : 21])[0, -1], ground[20])


@pytest.mark.parametrize("delay", [0, 3])
def test_slow_averages_are_means_at_first_and_the_same_step_by_step(delay):
    x = np.random.default_rng(0).normal(1, 1, (2, 900, 3)).astype(np.float32)
    averages = slow_averages(x, (64, 512, "all"), delay=delay)
    assert averages.shape == (2, 900, 9)
    assert not averages[:, :delay].any()
    np.testing.assert_allclose(averages[:, delay, 3:6], x[:, 0], rtol=1e-6)
    np.testing.assert_allclose(averages[:, delay + 19, 3:6], x[:, :20].mean(1), atol=0.05)
    np.testing.assert_allclose(averages[:, -1, 6:], x[:, : 900 - delay].mean(1), atol=1e-5)
    stream = SlowAverages(torch.from_numpy(x[:, :50]), (64, 512, "all"))
    for t in range(50, 900 - delay):
        value = stream.add(torch.from_numpy(x[:, t]))
        np.testing.assert_allclose(value, averages[:, t + delay], atol=1e-5)


def test_quantised_steps_come_back_nearly_and_exactly_when_quantised_again():
    quantiser = toy("lstm", "tokens").head.quantiser
    scores = torch.from_numpy(NORMALISER.apply(song(200, 3))[:, :4].copy())
    restored = quantiser.restore(quantiser.quantise(scores))
    assert float((restored - scores).square().mean()) < 0.05
    again = quantiser.restore(quantiser.quantise(restored))
    torch.testing.assert_close(again, restored, atol=0.3, rtol=0)


@pytest.mark.parametrize("n_steps", [2, 8, 38, 39])
def test_fewer_steps_than_columns_can_be_quantised(n_steps):
    rows = torch.randn(n_steps, 39, generator=torch.manual_seed(0))
    head = TokensHead(8, 39, **TokensHead.sizes_for(n_steps))
    head.fit([rows])
    error = (head.quantiser.restore(head.quantiser.quantise(rows)) - rows).square().mean()
    assert error < 0.9 * rows.var(unbiased=False)
