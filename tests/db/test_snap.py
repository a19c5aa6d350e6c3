import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from db.envelope import ENVELOPE_SAMPLES, Envelope
from db.snap import QUIET_BLOCKS, starts_at_tatums


def envelope_of(samples: np.ndarray) -> Envelope:
    envelope = Envelope()
    envelope.add(samples.astype(np.float32))
    envelope.finish()
    return envelope


def test_a_unit_begins_with_the_nearest_onset_within_reach():
    envelope = envelope_of(np.ones(10_000))
    tatums = np.array([1000.0, 2000.0, 3000.0, 4000.0])
    onsets = np.array([1100, 1900, 2010, 3500, 3950])
    starts = starts_at_tatums(tatums, onsets, envelope, 200)
    np.testing.assert_array_equal(starts[[0, 1, 3]], [1100, 2010, 3950])
    assert 3000 - (QUIET_BLOCKS + 1) * ENVELOPE_SAMPLES <= starts[2] <= 3000 + ENVELOPE_SAMPLES


def test_an_onset_belongs_to_one_tatum():
    envelope = envelope_of(np.ones(10_000))
    starts = starts_at_tatums(np.array([1000.0, 1100.0]), np.array([1040]), envelope, 200)
    assert starts[0] == 1040
    assert starts[1] != 1040


def test_without_an_onset_a_unit_begins_where_it_is_quiet():
    samples = np.ones(10_000)
    samples[2760:2800] = 0
    samples[2816:2880] = 0.1
    (start,) = starts_at_tatums(np.array([3000.0]), np.empty(0, np.int64), envelope_of(samples), 99)
    assert 2816 <= start < 2880


@given(
    tatum_steps=st.lists(st.floats(600, 3000), min_size=1, max_size=20),
    onset_steps=st.lists(st.integers(1, 3000), max_size=20),
)
def test_snapped_starts_keep_their_order(tatum_steps, onset_steps):
    tatums = np.cumsum(tatum_steps)
    onsets = np.cumsum(np.array(onset_steps, np.int64))
    starts = starts_at_tatums(tatums, onsets, envelope_of(np.ones(64_000)), 1500)
    snapped = starts[np.isin(starts, onsets)]
    assert (np.diff(snapped) > 0).all()
    assert (np.abs(starts - tatums) <= 1500 + ENVELOPE_SAMPLES).all()
