"""A classifier on windows whose difference is known."""

import numpy as np
import pytest

from demiurge.evaluate.distinguish import (
    balanced_accuracy,
    distance_from_seed,
    distinguishability,
    told_apart,
)
from files.errors import ParameterError

TRACKS = np.repeat([f"track {n}" for n in range(12)], 20)


def windows(seed, shift=0.0, d=30):
    """Windows of 12 tracks, each track with a colour of its own."""
    of_track = np.random.default_rng(99).normal(0, 3, (12, d)).repeat(20, axis=0)
    rows = of_track + np.random.default_rng(seed).normal(0, 1, (240, d))
    rows[:, 0] += shift
    return rows


def test_windows_of_one_distribution_are_told_apart_by_chance_only():
    accuracies = [
        distinguishability(windows(2 * s), TRACKS, windows(2 * s + 1), TRACKS) for s in range(5)
    ]
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.04)


def test_windows_with_a_common_difference_are_told_apart():
    assert distinguishability(windows(0, shift=12), TRACKS, windows(1), TRACKS) > 0.9


def test_what_marks_one_track_only_does_not_help_with_the_others():
    # the continuations of each track differ from its true ones in a direction of its own
    own = np.random.default_rng(5).normal(0, 3, (12, 30)).repeat(20, axis=0)
    assert distinguishability(windows(0) + own, TRACKS, windows(1), TRACKS) < 0.65


def test_windows_of_other_tracks_are_told_apart_by_their_distance_from_the_seed():
    true = windows(1)
    other = np.roll(windows(0), 20, axis=0)  # those of the track before
    of_track = np.random.default_rng(99).normal(0, 3, (12, 30))
    distances = [
        np.concatenate(
            [distance_from_seed(rows[20 * n : 20 * n + 20], of_track[n : n + 1]) for n in range(12)]
        )
        for rows in (other, true)
    ]
    assert distinguishability(other, TRACKS, true, TRACKS) < 0.6
    assert distinguishability(distances[0], TRACKS, distances[1], TRACKS) > 0.9


def test_classes_of_different_size_are_equally_heavy():
    few = np.arange(0, 240, 10)
    rows = np.concatenate([windows(0)[few], windows(1)])
    labels = np.repeat([False, True], [len(few), 240])
    is_right = told_apart(rows, labels, [*TRACKS[few], *TRACKS])
    assert 0.3 < is_right[labels].mean() < 0.7
    assert balanced_accuracy(labels, labels) == 0.5  # who always says True is right half the time


def test_one_track_is_refused():
    with pytest.raises(ParameterError, match="windows of 1 track cannot be divided"):
        distinguishability(np.ones((3, 2)), ["a"] * 3, np.ones((3, 2)), ["a"] * 3)
