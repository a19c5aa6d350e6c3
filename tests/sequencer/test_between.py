"""Straight lines between known steps, and the Gaussians around them."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.between import Gaussians, Rest, between, distances
from sequencer.quantiser import Quantiser
from tests.sequencer.masked_toys import untrained


@settings(max_examples=50, deadline=None)
@given(known=st.lists(st.booleans(), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_between_is_linear_interpolation(known, seed):
    steps = torch.randn(1, len(known), 2, generator=torch.Generator().manual_seed(seed))
    found = between(steps, torch.tensor([known]))[0].numpy()
    where = np.flatnonzero(known)
    if not len(where):
        assert not found.any()
        return
    numbers = np.arange(len(known))
    for column in range(2):
        values = steps[0, where, column].numpy()
        np.testing.assert_allclose(found[:, column], np.interp(numbers, where, values), atol=1e-6)


def test_rows_of_a_batch_do_not_mix():
    steps = torch.randn(3, 9, 2, generator=torch.Generator().manual_seed(0))
    known = torch.rand(3, 9, generator=torch.Generator().manual_seed(1)) < 0.4
    together = between(steps, known)
    for row in range(3):
        torch.testing.assert_close(
            between(steps[row : row + 1], known[row : row + 1])[0], together[row]
        )


def quantiser():
    made = Quantiser(2, levels=2, n_codes=4)
    made.codebooks.copy_(torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0)))
    return made


def test_distances_are_in_classes_that_double():
    known = torch.zeros(1, 40, dtype=torch.bool)
    assert (distances(known) == 5).all()
    known[0, 0] = True
    found = distances(known)[0].tolist()
    assert found == [0] * 3 + [1] * 4 + [2] * 8 + [3] * 16 + [4] * 9
    known[0, 39] = True
    assert distances(known)[0].tolist() == found[:20] + found[:20][::-1]


def test_a_level_codes_what_is_left_of_the_levels_below_or_of_nothing_if_they_are_masked():
    made = quantiser()
    codes = torch.tensor([[[0, 1], [4, 4], [2, 4], [4, 3], [3, 0]]])
    first, second = Gaussians.rests(made, codes)
    shares = torch.tensor([0.25, 0.5, 0.75])[:, None]
    lines = torch.lerp(made.restore(codes[:, :1]), made.restore(codes[:, 4:]), shares)
    torch.testing.assert_close(first.mean[:, 1:4], lines)
    assert not second.mean[0, [1, 3]].any()
    torch.testing.assert_close(second.mean[0, 2], first.mean[0, 2] - made.codebooks[0, 2])
    assert (second.case - first.case)[0].tolist() == [0, 6, 0, 6, 0]


def test_the_densities_are_those_of_a_gaussian():
    made = quantiser()
    gaussians = Gaussians(3, 2, 2)
    gaussians.log_precision.copy_(torch.randn(gaussians.log_precision.shape))
    hidden = torch.randn(5, 3)
    rest = Rest(torch.randn(5, 2), torch.arange(5))
    said = gaussians(1, hidden, rest, made).log_softmax(-1)
    precision = (gaussians.deviation(hidden)[:, 2:] + gaussians.log_precision[:5, 1]).exp()
    density = torch.distributions.Normal(rest.mean[:, None], precision[:, None] ** -0.5)
    expected = density.log_prob(made.keys(1)).sum(-1).log_softmax(-1)
    torch.testing.assert_close(said, expected)


def test_of_noise_nothing_is_said_at_first_beyond_how_often_codes_are():
    """Though straight lines between two steps of it are sure to be somewhere."""
    noise = torch.randn(3000, 24, generator=torch.Generator().manual_seed(0))
    made = Quantiser(24, levels=1, n_codes=16)
    made.codebooks.copy_(0.5 * torch.randn(1, 16, 24, generator=torch.Generator().manual_seed(1)))
    codes = made.quantise(noise)
    gaussians = Gaussians(3, 1, 24)
    gaussians.fit(made, [codes])
    masked = codes[None].clone()
    masked[0, 1::2] = 16
    (rest,) = gaussians.rests(made, masked)
    said = gaussians(0, torch.zeros(1, 3), rest, made)[0, 1::2]
    assert torch.nn.functional.cross_entropy(said, codes[1::2, 0]) < np.log(16) + 0.02


def test_a_new_model_is_nearer_to_what_is_missing_than_one_without_lines():
    """A slow wave, of which every other step is missing."""
    wave = torch.sin(torch.arange(200)[:, None] * 0.1 + torch.arange(4))
    model = untrained(levels=2, bits=4)
    codes = model.fit([wave])[0][None]
    masked = codes.clone()
    masked[:, 1::2] = model.mask
    likelihood = model(masked).log_softmax(-1).gather(-1, codes[..., None])[0, 1::2, 0]
    assert likelihood.mean() > np.log(1 / 16) + 1
