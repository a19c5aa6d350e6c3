"""Measures of long clips whose joins and minutes are known."""

import numpy as np
import pytest

from scripts.measure.long_generation import join_frames, measure_joins, minute_table
from synth.flow import FlowConfig
from synth.flow_generator import FlowGenerator
from tests.synth.toys import MEL


def test_joins_are_where_windows_begin_to_make_their_own_frames():
    flow = FlowGenerator(FlowConfig(width=64, layers=1), MEL, window_frames=64)
    np.testing.assert_array_equal(join_frames(flow, 64 + 3 * 43), [64, 107, 150])


def test_a_step_at_a_join_is_found():
    rng = np.random.default_rng(0)
    steps = rng.uniform(0.1, 0.3, 199)
    joins = np.array([50, 100, 150])
    steps[joins - 1] = [0.15, 0.2, 5]
    mel = np.cumsum([0, *steps]) + np.zeros((20, 1))
    found = measure_joins(mel, joins)
    assert found.n_joins == 3
    assert found.median == pytest.approx(np.median(steps))
    assert found.median_at_joins == pytest.approx(0.2)
    assert found.largest_at_joins == pytest.approx(5)
    assert found.rank == pytest.approx(198 / 199)
    assert measure_joins(mel, joins[:1]).share_above == 0


class Sign:
    """The mean and 1."""

    def embed(self, audio, sample_rate):
        return np.array([[audio.mean(), 1]])


def test_level_and_style_of_each_minute():
    audio = np.repeat([1.0, 1.0, 0.1], 60 * 100)
    audio = np.append(audio, np.ones(7))  # no whole minute
    rows = minute_table(audio, 100, Sign()).splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["0.0", "0.0", "-20.0"]
    assert [row.split(" | ")[2] for row in rows[:2]] == ["0.000", "0.000"]
    assert float(rows[2].split(" | ")[2]) == pytest.approx(1 - 1.1 / np.sqrt(2 * 1.01), abs=1e-3)
