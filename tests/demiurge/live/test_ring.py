import numpy as np
import pytest

from demiurge.live.ring import FADE_SAMPLES, InputRing, OutputRing


def column(*values) -> np.ndarray:
    return np.array(values, np.float32)[:, np.newaxis]


def filled(ring: OutputRing, n_samples: int) -> list[float]:
    out = np.full((n_samples, ring.channels), np.nan, np.float32)
    ring.fill(out)
    return out[:, 0].tolist()


def a_tail(first: float = -1.0) -> np.ndarray:
    return column(*(first - np.arange(4 * FADE_SAMPLES)))


def test_blocks_are_taken_once_in_order_however_they_are_cut():
    ring = OutputRing(1)
    assert ring.write(column(1, 2, 3), a_tail())
    assert ring.write(column(4, 5), a_tail())
    assert ring.ahead == 5
    assert filled(ring, 2) == [1, 2]
    assert filled(ring, 2) == [3, 4]
    assert (ring.position, ring.ahead, ring.late) == (4, 1, 0)


def test_tail_follows_where_no_block_comes_in_time():
    ring = OutputRing(1)
    ring.write(column(1), a_tail())
    assert filled(ring, 3) == [1, -1, -2]
    assert filled(ring, 2) == [-3, -4]
    assert (ring.position, ring.late, ring.underruns) == (5, 1, 0)


def test_block_that_comes_after_the_tail_was_taken_is_refused():
    ring = OutputRing(1)
    ring.write(column(1), a_tail())
    filled(ring, 3)
    assert not ring.write(column(7), a_tail(-100))
    assert ring.run_on() == 2
    assert ring.write(column(7), a_tail(-100))
    assert filled(ring, 2) == [7, -100]


def test_more_of_the_tail_is_made_certain():
    ring = OutputRing(1)
    ring.write(column(1), a_tail())
    filled(ring, 3)
    assert ring.run_on(3) == 5
    assert ring.ahead == 3
    assert filled(ring, 3) == [-3, -4, -5]
    assert ring.write(column(7), a_tail(-100))
    assert filled(ring, 1) == [7]


def test_nothing_runs_on_where_enough_is_ahead():
    ring = OutputRing(1)
    ring.write(column(1, 2, 3), a_tail())
    assert ring.run_on(3) == 0
    assert ring.run_on(4) == 1
    assert filled(ring, 4) == [1, 2, 3, -1]


def test_gap_is_faded_at_both_ends_and_counted_once():
    ring = OutputRing(1)
    ring.write(column(1), np.ones((2 * FADE_SAMPLES, 1), np.float32))
    before = np.array([value for _ in range(30) for value in filled(ring, 100)])
    ring.run_on()
    ring.write(np.ones((1000, 1), np.float32), np.ones((2 * FADE_SAMPLES, 1), np.float32))
    sound = np.concatenate([before, filled(ring, 1000)])
    assert np.abs(np.diff(sound)).max() == pytest.approx(1 / FADE_SAMPLES)
    assert (sound == 0).sum() > 2000
    assert sound[-1] == 1
    assert (ring.late, ring.underruns) == (1, 1)


def test_end_is_faded_and_no_underrun():
    ring = OutputRing(1)
    ring.write(np.ones((10, 1), np.float32), np.ones((1000, 1), np.float32))
    assert ring.finish() == 0
    assert ring.finish() == 0
    sound = np.array(filled(ring, 2000))
    assert ring.ahead == 0
    assert (sound[:10] == 1).all()
    assert np.abs(np.diff(sound)).max() <= 1 / FADE_SAMPLES
    assert (sound[10 + FADE_SAMPLES :] == 0).all()
    assert (ring.late, ring.underruns) == (0, 0)


def test_end_behind_a_tail_says_how_much_of_it_was_taken():
    ring = OutputRing(1)
    ring.write(column(1), a_tail())
    assert filled(ring, 3) == [1, -1, -2]
    assert ring.finish() == 2
    assert filled(ring, 1) == [-3]
    assert filled(ring, FADE_SAMPLES)[-1] == 0


def test_ring_without_anything_is_silent():
    ring = OutputRing(2)
    assert filled(ring, 3) == [0, 0, 0]
    assert ring.position == 0


def test_input_is_read_once_in_order():
    ring = InputRing(100, 1)
    block = column(1, 2)
    ring.write(block)
    block[:] = 0
    ring.write(column(3))
    assert ring.read()[:, 0].tolist() == [1, 2, 3]
    assert ring.read().shape == (0, 1)


def test_oldest_input_is_dropped_when_nobody_reads():
    ring = InputRing(5, 1)
    for first in (0, 2, 4, 6):
        ring.write(column(first, first + 1))
    assert ring.read()[:, 0].tolist() == [4, 5, 6, 7]
    assert ring.overruns == 2
