"""Curves, styles and masks."""

import math

import numpy as np
import pytest
import torch

from synth.flow import N_CURVES
from synth.flow_conditions import (
    KEPT_CURVE,
    KEPT_STYLE,
    MASKS,
    STYLE_SIZE,
    Conditions,
    curves_of,
    drawn_masks,
    drop_conditions,
    mark,
    style_of,
)
from synth.mel import PRESETS


def test_loudness_is_the_logarithm_of_the_sum_of_all_bands() -> None:
    mel = torch.zeros(80, 5)
    loudness, onsets = curves_of(mel, PRESETS["22k"])
    assert loudness.tolist() == pytest.approx([math.log(80)] * 5)
    assert onsets.tolist() == [0] * 5


def test_onsets_are_the_mean_rise_and_ignore_falls() -> None:
    mel = torch.zeros(80, 5)
    mel[:40, 2] = 3
    _, onsets = curves_of(mel, PRESETS["22k"])
    assert onsets.tolist() == [0, 0, 1.5, 0, 0]


def test_curves_are_in_nepers_for_any_logarithm() -> None:
    mel = torch.randn(2, 80, 6, generator=torch.Generator().manual_seed(0))
    in_tens = curves_of(mel / math.log(10), PRESETS["melgan"])
    torch.testing.assert_close(in_tens, curves_of(mel, PRESETS["22k"]))


def test_style_of_two_halves_is_their_mean() -> None:
    mel = torch.randn(80, 512, generator=torch.Generator().manual_seed(0))
    halves = [style_of(mel[:, :256]), style_of(mel[:, 256:])]
    assert halves[0].shape == (STYLE_SIZE,)
    torch.testing.assert_close(style_of(mel), torch.stack(halves).mean(0))


def test_style_of_a_short_sound_repeats_it() -> None:
    mel = torch.randn(80, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(style_of(mel), style_of(mel.repeat(1, 2)))


def test_masks_of_every_kind_are_drawn_as_often_as_they_should() -> None:
    n = 2000
    given = drawn_masks(np.random.default_rng(0), n, 100)
    first = given[:, 0] == 1
    last = given[:, -1] == 1
    shares = {
        "nothing": (given.sum(1) == 0).float().mean(),
        "beginning": (first & ~last).float().mean(),
        "end": (last & ~first).float().mean(),
    }
    for kind, share in shares.items():
        assert share == pytest.approx(MASKS[kind], abs=0.04), kind
    assert set(given.unique().tolist()) == {0, 1}
    assert (given.mean(dim=1) < 1).all()  # something is always to be made


def test_conditions_are_dropped_and_marked() -> None:
    n = 2000
    curves = torch.full((n, N_CURVES, 3), 5.0)
    style = torch.full((n, STYLE_SIZE), 5.0)
    curves, style = drop_conditions(np.random.default_rng(0), curves, style)
    assert curves.shape == (n, 2 * N_CURVES, 3)
    assert style.shape == (n, STYLE_SIZE + 1)
    assert torch.equal(curves[:, :N_CURVES], 5 * curves[:, N_CURVES:])
    assert torch.equal(style[:, :-1], 5 * style[:, -1:].expand(-1, STYLE_SIZE))
    assert curves[:, N_CURVES:].mean() == pytest.approx(KEPT_CURVE, abs=0.03)
    assert style[:, -1].mean() == pytest.approx(KEPT_STYLE, abs=0.03)


def test_curves_are_zero_where_they_are_not_there() -> None:
    there = torch.tensor([[[1.0, 0.0]] * N_CURVES])
    marked = mark(torch.full((1, N_CURVES, 2), 3.0), there)
    assert marked[0, 0].tolist() == [3, 0]
    assert marked[0, N_CURVES].tolist() == [1, 0]


def test_any_style_is_zeros() -> None:
    conditions = Conditions(torch.ones(1, 4), torch.ones(1, 4, 4), torch.ones(1, 3))
    both = conditions.with_and_without_style()
    assert both.style.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert torch.equal(both.curves, torch.ones(2, 4, 4))
    assert torch.equal(both.given, torch.ones(2, 4))
