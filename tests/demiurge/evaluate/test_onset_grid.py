"""Onsets and grids whose times are known."""

import numpy as np
import pytest

from demiurge.evaluate.onset_grid import (
    TatumGrid,
    fit_grid,
    onsets_on_grid,
    share_by_chance,
    share_on_grid,
)
from tests.sounds import RATE, clicks, noise


def test_grid_is_exact_where_the_tracker_is_not():
    # half of the quarter beats of 20 s at 120 bpm, 5 ms uneven, and five onsets elsewhere
    random = np.random.default_rng(0)
    onsets = 0.03 + 0.125 * random.choice(160, 80, replace=False) + random.normal(0, 0.005, 80)
    grid = fit_grid(np.concatenate([onsets, random.uniform(0, 20, 5)]), 0.49)
    assert grid.period == pytest.approx(0.125, rel=0.0003)
    phase = (grid.first - 0.03) / 0.125
    assert phase - round(phase) == pytest.approx(0, abs=0.06)


def test_few_or_random_onsets_give_no_grid():
    assert fit_grid(np.arange(7) / 8, 0.5) is None
    assert fit_grid(np.random.default_rng(0).uniform(0, 20, 80), 0.5) is None


def test_share_of_onsets_within_30_ms_of_a_tatum():
    grid = TatumGrid(first=0.1, period=0.2)
    on = np.array([0.1, 0.3, 0.52, 1.28])
    off = np.array([0.2, 0.44])
    assert share_on_grid(on, grid) == 1
    assert share_on_grid(off, grid) == 0
    assert share_on_grid(np.concatenate([on, off]), grid) == pytest.approx(4 / 6)
    assert np.isnan(share_on_grid(np.empty(0), grid))
    # one second later the grid lies at -0.9, -0.7, ...
    assert share_on_grid(on - 1, grid.later(1)) == 1


def test_share_by_chance_is_that_of_random_times():
    grid = TatumGrid(0.0, 0.125)
    times = np.random.default_rng(0).uniform(0, 100, 20000)
    assert share_on_grid(times, grid) == pytest.approx(share_by_chance(grid), abs=0.02)
    assert share_by_chance(TatumGrid(0.0, 0.025)) == 1


def test_continued_clicks_are_on_the_grid_and_shifted_ones_are_not():
    seed = clicks(100, 20)  # a beat of 0.6 s, a tatum of 0.15 s; it ends 0.2 s after a beat
    assert onsets_on_grid(clicks(100, 30, first=0.4), seed, RATE) > 0.95
    assert onsets_on_grid(clicks(100, 30, first=0.4 + 0.075), seed, RATE) < 0.1
    assert np.isnan(onsets_on_grid(clicks(100, 30), np.zeros(20 * RATE, np.float32), RATE))


def test_onsets_of_noise_are_on_the_grid_by_chance():
    seed = clicks(60, 20)  # 0.24 by chance
    assert onsets_on_grid(noise(30), seed, RATE) < 0.5
