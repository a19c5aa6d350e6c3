"""CLAP's vectors at the frames of a database: where they lie, however blocks come."""

import numpy as np
import pytest

from demiurge.clap_measure import ClapMeasure
from synth.clap import unit_length


class Levels:
    """A CLAP of 100 Hz and windows of 10 s, whose vector is the mean and the first sample."""

    sample_rate = 100
    window_samples = 1000

    def __init__(self):
        self.n_windows = 0

    def window(self, audio):
        assert 0 < len(audio) <= self.window_samples
        self.n_windows += 1
        return unit_length(np.array([audio.mean(), 100.0]))


def measured(signal, sizes=(10**6,), rate=100, hop=10):
    clap = Levels()
    measure = ClapMeasure(clap, rate, hop)
    at = 0
    while at < len(signal):
        size = sizes[at % len(sizes)]
        measure.add(signal[at : at + size])
        at += size
    return measure.finish(), clap.n_windows


@pytest.mark.parametrize(
    ("n_samples", "n_windows"), [(1, 1), (999, 1), (1000, 1), (1001, 2), (1250, 4), (2500, 16)]
)
def test_there_is_a_row_for_every_frame_begun(n_samples, n_windows):
    rows, counted = measured(np.ones(n_samples, np.float32))
    assert rows.shape == (-(-n_samples // 10), 2)
    assert counted == n_windows
    np.testing.assert_allclose(rows, rows[:1].repeat(len(rows), axis=0), atol=1e-6)


@pytest.mark.parametrize("sizes", [(1,), (7, 300), (999,), (1000,), (1001,)])
def test_rows_do_not_depend_on_how_blocks_come(sizes):
    signal = np.arange(2345, dtype=np.float32)
    np.testing.assert_array_equal(measured(signal, sizes)[0], measured(signal)[0])


def test_a_frame_has_the_vector_of_the_window_around_it():
    signal = np.arange(3000, dtype=np.float32) / 30
    rows, _ = measured(signal)
    levels = rows[:, 0] / rows[:, 1] * 100  # the mean of the window
    middles = np.clip(np.arange(5, 3000, 10), 500, 2500) / 30
    np.testing.assert_allclose(levels, middles, atol=0.35)
