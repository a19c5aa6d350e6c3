"""Diversity of clips."""

import numpy as np
import pytest

from files.errors import ParameterError
from synth.diversity import Diversity, cosine_distances, diversity


def test_cosine_distances_of_right_angles_and_opposites():
    rows = np.array([[1, 0], [0, 2], [-3, 0]], np.float32)
    np.testing.assert_allclose(cosine_distances(rows, rows[:2]), [[0, 1], [1, 0], [2, 1]])


def test_diversity_of_literal_clips():
    recorded = np.eye(4)[:3]
    generated = np.array([[0.0, 0, 0, 1], [1, 0, 0, 0]])
    assert diversity(generated, recorded) == Diversity(
        spread=1,
        recorded_spread=1,
        nearest=0.5,
        recorded_nearest=1,
        closest=0,
        recorded_closest=1,
        near=pytest.approx(0.05),
        recorded_near=1,
    )


def test_collapsed_generator_has_no_spread():
    rng = np.random.default_rng(0)
    recorded = rng.standard_normal((20, 8))
    mode = rng.standard_normal(8)
    assert diversity(mode + 0.01 * rng.standard_normal((20, 8)), recorded).spread_ratio < 0.01
    assert diversity(rng.standard_normal((20, 8)), recorded).spread_ratio == pytest.approx(
        1, abs=0.2
    )


def test_memorised_clip_is_nearest_0_of_recorded_ones_that_are_not():
    rng = np.random.default_rng(0)
    recorded, generated = rng.standard_normal((2, 20, 8))
    new = diversity(generated, recorded)
    assert new.nearest == pytest.approx(new.recorded_nearest, rel=0.3)
    generated[4] = 2 * recorded[11]
    one = diversity(generated, recorded)
    assert one.closest == pytest.approx(0, abs=1e-12)
    assert one.recorded_closest > 0.05
    assert diversity(recorded[::-1], recorded).nearest == pytest.approx(0, abs=1e-12)


def test_recordings_that_are_all_alike_raise():
    with pytest.raises(ParameterError, match="clips are all alike"):
        diversity(np.eye(3), np.ones((4, 3)))
