"""Units placed on a grid: where they start, how long they last, by how much they are stretched."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.source import Source
from db.unit_table import Units, tile_sources
from demiurge.plans.placing import TOLERANCE_MS, Placement, place_on_grid, run_starts
from files.errors import ParameterError
from playback.runs import join_runs
from playback.steps import Step

RATE = 10_000
MS = RATE // 1000
TOLERANCE = round(TOLERANCE_MS * MS)


def make_units(*sources: list[int]) -> Units:
    """A table of sources, each given by the lengths of its units."""
    rows = []
    first = 0
    for number, lengths in enumerate(sources):
        rows.append(
            Source(
                id=number,
                path=f"{number}.wav",
                content_hash="",
                n_bytes=0,
                modified_ns=0,
                sample_rate=RATE,
                channels=1,
                n_samples=sum(lengths),
                first_unit=first,
                n_units=len(lengths),
                checksum=0,
            )
        )
        first += len(lengths)
    return tile_sources(rows, lengths=np.concatenate(sources).astype(np.int64), hop_length=0)


def place(units: Units, positions, step_samples, **options) -> Placement:
    steps = np.broadcast_to(np.asarray(step_samples, np.int64), (len(positions),))
    options = {"sample_rate": RATE, "stretch": False} | options
    return place_on_grid(np.array(positions), units, steps, **options)


def make_steps(placement: Placement, units: Units, positions) -> list[Step]:
    columns = (placement.start_sample, placement.n_samples, placement.at_sample)
    rows = zip(positions, *columns, placement.stretch, strict=True)
    return [
        Step(0, str(units.source[position]), int(start), int(n), int(at), stretch=float(stretch))
        for position, start, n, at, stretch in rows
    ]


def ends(placement: Placement) -> list[int]:
    return (placement.at_sample + placement.n_samples).tolist()


SLOW = make_units([1100] * 8, [500] * 8)


def test_units_as_long_as_their_steps_go_on_as_they_are():
    placement = place(make_units([1000] * 4), [0, 1, 2, 3], 1000)
    assert placement.at_sample.tolist() == [0, 1000, 2000, 3000]
    assert placement.start_sample.tolist() == [0, 1000, 2000, 3000]
    assert placement.n_samples.tolist() == [1000] * 4
    assert placement.stretch.tolist() == [1.0] * 4


def test_without_stretching_units_are_cut_at_the_end_of_their_steps():
    units = make_units([1150] * 8, [500] * 8)
    placement = place(units, [0, 1, 2, 9, 3], 1000)
    assert placement.at_sample.tolist() == [0, 1000, 2000, 3000, 4000]
    assert placement.n_samples.tolist() == [1000, 1000, 1000, 500, 1000]


def test_without_stretching_units_ring_to_their_end_and_no_further():
    placement = place(make_units([850] * 4, [500] * 4), [0, 1, 4], 1000)
    assert placement.at_sample.tolist() == [0, 1000, 2000]
    assert placement.n_samples.tolist() == [850, 850, 500]


def test_a_short_gap_is_closed_by_what_follows_the_unit_unless_the_source_ends():
    units = make_units([1000 - TOLERANCE] * 2, [999 - TOLERANCE] * 2)
    assert place(units, [0, 2, 1, 3], 1000).n_samples.tolist() == [
        1000,
        999 - TOLERANCE,
        1000 - TOLERANCE,
        999 - TOLERANCE,
    ]


def test_a_run_of_nearly_the_tempo_of_the_grid_has_no_joins():
    units = make_units([1009] * 10, [700] * 2)
    placement = place(units, [*range(10), 10], 1000)
    assert placement.n_samples[:9].tolist() == [1009] * 9
    assert placement.n_samples[9] == 10_000 - 9 * 1009
    assert placement.at_sample[10] == 10_000
    assert len(join_runs(make_steps(placement, units, [*range(10), 10]))) == 2


def test_a_run_that_would_leave_the_grid_is_parted_before_it_does():
    units = make_units([1030] * 10)
    placement = place(units, range(10), 1000)
    assert placement.at_sample.tolist() == [
        *(0, 1030, 2060),
        *(3000, 4030, 5060),
        *(6000, 7030, 8060),
        9090,
    ]
    assert placement.n_samples[[2, 5, 8, 9]].tolist() == [940, 940, 1030, 910]


def test_a_run_is_stretched_by_one_factor_to_the_length_of_its_steps():
    placement = place(SLOW, [0, 1, 2, 3, 8, 9], [1000, 1000, 1003, 997, 450, 450], stretch=True)
    np.testing.assert_allclose(placement.stretch, [4000 / 4400] * 4 + [0.9] * 2)
    assert placement.at_sample.tolist() == [0, 1000, 2000, 3000, 4000, 4450]
    assert ends(placement) == [1000, 2000, 3000, 4000, 4450, 4900]


@pytest.mark.parametrize(("length", "factor"), [(1020, 1), (1021, 1000 / 1021), (981, 1)])
def test_a_factor_within_two_percent_becomes_one(length, factor):
    placement = place(make_units([length]), [0], 1000, stretch=True)
    assert placement.stretch.tolist() == [factor]


@pytest.mark.parametrize(
    ("length", "factor", "n"), [(2000, 0.5, 1000), (2001, 1, 1000), (500, 2, 1000), (499, 1, 499)]
)
def test_a_factor_beyond_an_octave_becomes_one(length, factor, n):
    placement = place(make_units([length]), [0], 1000, stretch=True)
    assert (placement.stretch.tolist(), placement.n_samples.tolist()) == ([factor], [n])


def test_an_uneven_run_is_stretched_in_parts_that_keep_to_the_grid():
    units = make_units([1100, 1100, 1100, 1300, 1300, 1300])
    placement = place(units, range(6), 1000, stretch=True)
    assert placement.at_sample.tolist() == [0, 1000, 2000, 3000, 4000, 5000]
    np.testing.assert_allclose(placement.stretch, [1 / 1.1] * 3 + [1 / 1.3] * 3)
    assert len(join_runs(make_steps(placement, units, range(6)))) == 2


def test_a_pickup_plays_the_end_of_its_unit():
    placement = place(SLOW, [0, 1], [400, 1100], first_offset=700)
    assert placement.start_sample.tolist() == [700, 1100]
    assert placement.at_sample.tolist() == [0, 400]
    assert placement.n_samples.tolist() == [400, 1100]
    stretched = place(SLOW, [0, 9], [360, 500], first_offset=700, stretch=True)
    assert stretched.n_samples.tolist() == [360, 500]
    np.testing.assert_allclose(stretched.stretch, [0.9, 1])


@pytest.mark.parametrize(
    ("positions", "steps", "offset", "message"),
    [
        ([], [], 0, "0 positions and 0 steps must be as many"),
        ([0, 1], [5], 0, "2 positions and 1 steps must be as many"),
        ([0, 16], [5, 5], 0, "positions 0 to 16 must be within the 16 units"),
        ([-1, 3], [5, 5], 0, "positions -1 to 3 must be within the 16 units"),
        ([0, 1], [5, 0], 0, "step_samples=0 must be at least 1"),
        ([0], [5], 1100, "first_offset=1100 must be 0 to 1099"),
        ([0], [5], -1, "first_offset=-1 must be 0 to 1099"),
    ],
)
def test_what_cannot_be_placed_is_refused(positions, steps, offset, message):
    arrays = np.array(positions, np.int64), np.array(steps, np.int64)
    with pytest.raises(ParameterError, match=message):
        place_on_grid(
            arrays[0], SLOW, arrays[1], sample_rate=RATE, stretch=False, first_offset=offset
        )


@st.composite
def drawn_paths(draw):
    lengths = st.lists(st.integers(1, 3000) | st.integers(950, 1100), min_size=1, max_size=12)
    units = make_units(*draw(st.lists(lengths, min_size=1, max_size=4)))
    positions = []
    for _ in range(draw(st.integers(1, 5))):
        first = draw(st.integers(0, len(units) - 1))
        last = draw(st.integers(first, min(first + 11, len(units) - 1)))
        positions += range(first, last + 1)
    step = st.integers(1, 3000) | st.integers(990, 1010)
    steps = draw(st.lists(step, min_size=len(positions), max_size=len(positions)))
    offset = draw(st.integers(0, int(units.n_samples[positions[0]]) - 1))
    return units, positions, steps, offset


@settings(deadline=None, max_examples=300)
@given(drawn_paths(), st.booleans())
def test_steps_are_in_order_near_the_grid_and_within_their_sources(path, stretch):
    units, positions, step_samples, offset = path
    placement = place(units, positions, step_samples, stretch=stretch, first_offset=offset)
    grid = np.concatenate([[0], np.cumsum(step_samples)])
    steps = make_steps(placement, units, positions)
    assert all(step.n_samples >= 1 for step in steps)
    assert all(before.until_sample <= after.at_sample for before, after in pairwise(steps))
    assert steps[-1].until_sample <= grid[-1]
    assert np.abs(placement.at_sample - grid[:-1]).max() <= TOLERANCE
    starts = run_starts(np.array(positions), units)
    np.testing.assert_array_equal(placement.at_sample[starts], grid[starts])
    lengths = np.bincount(units.source, units.n_samples)
    assert all(step.fits_in(lengths[int(step.source)]) for step in steps)
    expected = units.start_sample[positions]
    expected[0] += offset
    np.testing.assert_array_equal(placement.start_sample, expected)


@settings(deadline=None, max_examples=300)
@given(drawn_paths(), st.booleans())
def test_silence_remains_only_where_a_unit_is_over(path, stretch):
    units, positions, step_samples, _ = path
    placement = place(units, positions, step_samples, stretch=stretch)
    steps = make_steps(placement, units, positions)
    until = [*placement.at_sample[1:].tolist(), sum(step_samples)]
    for step, position, following in zip(steps, positions, until, strict=True):
        gap = following - step.until_sample
        if gap > 0:
            assert step.stretch == 1
            assert step.n_samples >= units.n_samples[position]
            assert gap > TOLERANCE or step.n_samples == units.samples_left[position]
        else:
            most = units.n_samples[position] * step.stretch + TOLERANCE + 1
            assert step.n_samples <= most


@settings(deadline=None, max_examples=200)
@given(drawn_paths(), st.booleans())
def test_parts_that_go_on_in_their_source_are_played_as_one(path, stretch):
    """What is not parted has one factor, and goes on in the source as playback understands it."""
    units, positions, step_samples, _ = path
    placement = place(units, positions, step_samples, stretch=stretch)
    for run in join_runs(make_steps(placement, units, positions)):
        assert len(set(placement.stretch[run.first : run.last + 1])) == 1
        unit_samples = units.n_samples[positions[run.first : run.last]].sum()
        lasts = placement.at_sample[run.last] - placement.at_sample[run.first]
        assert lasts == pytest.approx(unit_samples * run.step.stretch, abs=1)
