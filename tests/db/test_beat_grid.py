import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.beat_grid import BeatGrid, no_grid

RATE = 1000


def grid_of(beats, pulse, n_samples=10_000):
    return BeatGrid(np.array(beats, float), np.array(pulse, float), n_samples, RATE)


def test_tatums_divide_the_beats_where_there_is_a_pulse():
    grid = grid_of([-100, 400, 900, 3000, 3400, 3800], [0.8, 0.8, 0, 0.6, 0.6, 0])
    np.testing.assert_allclose(
        grid.tatums(2), [-100, 150, 400, 650, 900, 3000, 3200, 3400, 3600, 3800]
    )
    np.testing.assert_array_equal(grid.ranked_tatums(2)[1], [1, 0.5, 1, 0.5, 1] * 2)
    np.testing.assert_allclose(grid.tatums(1), grid.beats)


def test_a_part_of_a_beat_ranks_by_what_it_divides():
    _, ranks = grid_of([0, 600], [1, 0]).ranked_tatums(6)
    np.testing.assert_allclose(ranks, [1, 1 / 6, 1 / 3, 1 / 2, 1 / 3, 1 / 6, 1])


def test_tempo_is_the_median_where_there_is_a_pulse():
    assert grid_of([0, 500, 1000, 9000, 9600], [1, 1, 0, 1, 0]).tempo == 120
    assert no_grid(100, RATE).tempo == 0


def test_confidence_is_the_mean_pulse_over_the_signal():
    assert grid_of([-500, 500, 1500], [0.5, 0.5, 0], 1000).confidence == 0.5
    assert grid_of([0, 500, 1000], [0.8, 0.8, 0], 2000).confidence == pytest.approx(0.4)
    assert no_grid(100, RATE).confidence == 0


@given(
    interval=st.floats(50, 2000),
    origin=st.floats(-50, 50),
    end=st.integers(1, 30_000),
    n=st.integers(1, 8),
)
def test_tatums_after_the_end_go_on_in_phase(interval, origin, end, n):
    beats = origin + interval * np.arange(int(end / interval) + 3)
    grid = grid_of(beats, [*[0.9] * (len(beats) - 1), 0], end)
    after = grid.after(end, n, count=5)
    place = (after - origin) / interval * n
    np.testing.assert_allclose(place, np.rint(place), atol=1e-3)
    np.testing.assert_allclose(np.diff(after), interval / n)
    assert end - 1e-3 <= after[0] <= end + interval / n + 1e-3


def test_tatums_after_the_end_have_the_last_tempo():
    beats = np.concatenate([500 * np.arange(20), 9500 + 400 * np.arange(1, 20)])
    grid = grid_of(beats, [*[0.9] * (len(beats) - 1), 0], 17_000)
    np.testing.assert_allclose(grid.after(17_150, 1, count=3), [17_500, 17_900, 18_300])


def test_tatums_after_a_changing_tempo_are_in_phase_with_its_end():
    intervals = 600 * 0.99 ** np.arange(40)
    beats = np.concatenate([[0], np.cumsum(intervals)])
    grid = grid_of(beats, [*[0.9] * 40, 0], int(beats[-1]) - 10)
    after = grid.after(beats[-1] - 100, 1, count=2)
    np.testing.assert_allclose(after[0], beats[-1], atol=12)
    np.testing.assert_allclose(np.diff(after), intervals[-1], rtol=0.05)


def test_nothing_comes_after_a_signal_without_a_pulse():
    assert len(no_grid(100, RATE).after(100, 4, count=3)) == 0


def test_columns_are_the_place_in_the_beat_the_tempo_and_the_pulse():
    grid = grid_of([0, 500, 1000, 3000, 3250], [0.8, 0.7, 0, 0.5, 0])
    columns = grid.columns(np.array([0, 625, 1500, 3125, 3250, 9000]))
    np.testing.assert_allclose(
        columns,
        [[1, 0, 0, 0.8], [0, 1, 0, 0.7], [0] * 4, [-1, 0, 1, 0.5], [0] * 4, [0] * 4],
        atol=1e-12,
    )
    assert not no_grid(100, RATE).columns(np.arange(3)).any()


def test_has_pulse_at():
    grid = grid_of([0, 500, 1000, 3000, 3250], [0.8, 0.7, 0, 0.5, 0])
    places = (-1, 0, 999, 1000, 2999, 3000, 3250)
    assert [grid.has_pulse_at(at) for at in places] == [0, 1, 1, 0, 0, 1, 0]


def test_beats_that_no_pulse_needs_are_trimmed():
    grid = grid_of([0, 1, 2, 3, 4, 5], [0, 0.5, 0, 0, 0, 0]).trimmed()
    assert grid.beats.tolist() == [1, 2]
    assert grid.pulse.tolist() == [0.5, 0]


def test_within_a_signal_the_next_beats_are_its_own():
    """Until its pulse ends, and from there on as the tempo goes on."""
    beats = np.array([0.0, 100, 210, 300, 400, 2000, 2050, 2100])
    pulse = np.array([1.0, 1, 1, 1, 0, 1, 1, 0])
    grid = BeatGrid(beats, pulse, 3000, 1000)
    np.testing.assert_allclose(grid.after(90, 1, count=3), [100, 210, 300])
    np.testing.assert_allclose(grid.after(100, 2, count=4), [100, 155, 210, 255])
    np.testing.assert_allclose(grid.after(310, 1, count=3), [400, 500, 600], atol=12)
    np.testing.assert_allclose(grid.after(2010, 1, count=3), [2050, 2100, 2150])
    np.testing.assert_allclose(grid.after(3000, 1, count=2), [3000, 3050])
