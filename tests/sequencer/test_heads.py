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
    generator,
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
    head = toy("lstm", "tokens").head
    scores = torch.from_numpy(NORMALISER.apply(song(200, 3))[:, :4].copy())
    restored = head.restore(head.quantise(scores))
    assert float((restored - scores).square().mean()) < 0.05
    torch.testing.assert_close(head.restore(head.quantise(restored)), restored, atol=0.3, rtol=0)


@pytest.mark.parametrize("n_steps", [2, 8, 38, 39])
def test_fewer_steps_than_columns_can_be_quantised(n_steps):
    rows = torch.randn(n_steps, 39, generator=torch.manual_seed(0))
    head = TokensHead(8, 39, levels=4, **TokensHead.sizes_for(n_steps))
    head.fit([rows])
    error = (head.restore(head.quantise(rows)) - rows).square().mean()
    assert error < 0.9 * rows.var(unbiased=False)


def test_levels_enter_the_architecture_in_the_delayed_pattern():
    head = toy("lstm", "tokens").head
    codes = torch.arange(12).reshape(1, 4, 3)
    pad = head.n_codes
    assert head._delayed(codes)[0].tolist() == [[0, pad, pad], [3, 1, pad], [6, 4, 2], [9, 7, 5]]


def test_sampled_levels_enter_the_architecture_in_the_delayed_pattern(monkeypatch):
    """As codes, before they are embedded and restored: what a rollout feeds back is what training
    sees.
    """
    head = toy("lstm", "tokens").head
    seed = torch.randn(2, ORDER, 4, generator=generator(1))
    for name in ("embed", "restore"):
        monkeypatch.setattr(head, name, lambda codes: codes)
    stream = head.start(seed, sampler())
    fed, drawn = zip(
        *(stream.step(torch.randn(2, 16, generator=generator(i))) for i in range(9)), strict=True
    )
    assert [step is None for step in drawn] == [True] * head.delay + [False] * (9 - head.delay)
    whole = torch.cat([head.quantise(seed), torch.stack(drawn[head.delay :], dim=1)], dim=1)
    expected = head._delayed(whole)[:, ORDER:]
    assert torch.equal(torch.stack(fed, dim=1)[:, : expected.shape[1]], expected)
