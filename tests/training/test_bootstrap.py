"""Intervals over groups."""

import numpy as np
import pytest

from training.bootstrap import (
    bootstrap_interval,
    centred_interval,
    draw_counts,
    interval_of_mean,
)


def test_interval_of_independent_items_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(5, 2, 400)
    lower, upper = interval_of_mean(values, [str(n) for n in range(400)])
    half = 1.96 * values.std() / np.sqrt(400)
    assert lower == pytest.approx(values.mean() - half, abs=0.04)
    assert upper == pytest.approx(values.mean() + half, abs=0.04)


def test_copies_within_a_group_do_not_narrow_the_interval():
    values = np.random.default_rng(0).normal(0, 1, 20)
    names = [str(n) for n in range(20)]
    once = interval_of_mean(values, names)
    assert interval_of_mean(np.repeat(values, 9), np.repeat(names, 9)) == pytest.approx(once)


def test_nan_is_left_out_and_one_group_has_no_interval():
    assert interval_of_mean(np.array([1.0, np.nan, 1.0]), ["a", "b", "c"]) == (1, 1)
    assert np.isnan(interval_of_mean(np.array([1.0, 2.0]), ["a", "a"])).all()
    assert np.isnan(interval_of_mean(np.array([np.nan, np.nan]), ["a", "b"])).all()


def test_draws_take_whole_groups_and_are_the_same_each_time():
    seen = []

    def statistic(counts):
        seen.append(tuple(counts))
        return float(counts[0])

    bootstrap_interval(["a", "b", "a"], statistic, resamples=50)
    first = list(seen)
    assert all(a == c and a + b == 2 for a, b, c in first)
    assert len(set(first)) == 3
    seen.clear()
    bootstrap_interval(["a", "b", "a"], statistic, resamples=50)
    assert seen == first


def test_sets_are_drawn_each_from_itself():
    counts = draw_counts(3, 5, resamples=40)
    assert counts.shape == (40, 8)
    assert set(counts[:, :3].sum(axis=1)) == {3}
    assert set(counts[:, 3:].sum(axis=1)) == {5}
    assert len(np.unique(counts, axis=0)) > 30


def test_centred_interval_is_as_wide_and_lies_around_the_value():
    values = np.random.default_rng(0).normal(7, 1, 4000)
    assert centred_interval(5.0, values) == pytest.approx((5 - 1.96, 5 + 1.96), abs=0.1)
    assert centred_interval(5.0, [*values, np.nan]) == pytest.approx(centred_interval(5.0, values))
