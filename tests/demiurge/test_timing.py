"""When the steps of a continuation begin."""

from types import SimpleNamespace

import numpy as np
import pytest

from db.beat_grid import BeatGrid, no_grid
from db.settings import DescriptorSettings
from demiurge.sequences import DescriptorSequence
from demiurge.timing import PULSE, time_steps

RATE = 44100
BEAT = 22050  # samples: 120 beats per minute
PARTS = 4
PART = BEAT / PARTS
SETTINGS = DescriptorSettings(units=f"beat/{PARTS}")


def database_of(settings=SETTINGS, lengths=(5000, 6000, 7000), bpm=None):
    """Units of these lengths; all at one tempo, or without a pulse."""
    columns = {"tempo": np.log2((bpm or 120) / 120), "pulse": float(bpm is not None)}
    return SimpleNamespace(
        settings=settings,
        units=SimpleNamespace(
            n_samples=np.array(lengths),
            mean_length=float(np.mean(lengths)),
            longest_unit=max(lengths),
        ),
        sample_rate=RATE,
        column=lambda name: np.full(len(lengths), columns[name]),
    )


def seed_of(end, *, first_beat=0.0, beat=BEAT, pulse=0.8, settings=SETTINGS):
    """A seed of `end` samples, with a steady beat from `first_beat` on."""
    beats = np.arange(first_beat, end + beat, beat)
    grid = BeatGrid(beats, np.append(np.full(len(beats) - 1, pulse), 0.0), end, RATE)
    return DescriptorSequence(
        np.zeros((2, settings.n_descriptors), np.float32),
        np.array([end // 2, end - end // 2]),
        grid,
    )


def starts(timing):
    return np.cumsum(timing.step_samples) - timing.step_samples


def test_after_a_whole_number_of_beats_the_first_step_is_a_beat():
    timing = time_steps(seed_of(8 * BEAT), database_of(), 4.0)
    assert timing.has_pulse
    assert timing.first_part == 0
    assert timing.tempo == pytest.approx(120)
    assert timing.whole_first == pytest.approx(PART, abs=1)
    np.testing.assert_allclose(starts(timing), np.arange(len(timing.step_samples)) * PART, atol=1)
    assert timing.step_samples.sum() == 4 * RATE


@pytest.mark.parametrize("part", [1, 2, 3])
def test_the_first_step_is_the_part_of_the_beat_that_comes_next(part):
    timing = time_steps(seed_of(round(8 * BEAT + part * PART)), database_of(), 4.0)
    assert timing.first_part == part
    assert timing.step_samples[0] == pytest.approx(PART, abs=1)


@pytest.mark.parametrize("played", [0.1, 0.5, 0.8])
def test_a_seed_that_ends_within_a_part_is_followed_by_the_rest_of_it(played):
    """A pickup: the rest of that part of the beat, then the grid."""
    end = round(8 * BEAT + (2 + played) * PART)
    timing = time_steps(seed_of(end), database_of(), 4.0)
    assert timing.first_part == 2
    assert timing.whole_first == pytest.approx(PART, abs=1)
    assert timing.step_samples[0] == pytest.approx((1 - played) * PART, abs=2)
    # the steps are on the seed's own grid
    on_grid = (end + starts(timing)[1:]) / PART
    np.testing.assert_allclose(on_grid, np.round(on_grid), atol=1e-3)
    assert timing.step_samples.sum() == 4 * RATE


def test_a_rest_too_short_to_be_played_is_a_part_of_the_first_step():
    end = 8 * BEAT - 400  # 9 ms before a beat
    timing = time_steps(seed_of(end), database_of(), 4.0)
    assert timing.first_part == 0
    assert timing.step_samples[0] == pytest.approx(PART + 400, abs=2)
    assert starts(timing)[1] + end == pytest.approx(8 * BEAT + PART, abs=2)


def test_a_beat_that_does_not_begin_with_the_seed_keeps_its_phase():
    timing = time_steps(seed_of(6 * BEAT, first_beat=-0.25 * BEAT), database_of(), 2.0)
    assert timing.first_part == 1
    timing = time_steps(seed_of(6 * BEAT, first_beat=0.5 * BEAT), database_of(), 2.0)
    assert timing.first_part == 2


def test_a_changing_tempo_goes_on_as_it_was_at_last():
    slow = np.arange(12) * 1.5 * BEAT
    beats = np.concatenate([slow, slow[-1] + 1.5 * BEAT + np.arange(20) * BEAT])
    pulse = np.append(np.full(len(beats) - 1, 0.8), 0.0)
    end = int(beats[-1])
    seed = DescriptorSequence(
        np.zeros((1, SETTINGS.n_descriptors), np.float32),
        np.array([end]),
        BeatGrid(beats, pulse, end, RATE),
    )
    timing = time_steps(seed, database_of(), 4.0)
    assert timing.tempo == pytest.approx(120, rel=0.01)
    assert timing.first_part == 0


def test_seven_eighths_are_as_even_as_any_other_metre():
    """Bars do not matter to the steps; in 7/8 with a beat of an eighth they are even sixteenths."""
    eighth = 0.25 * RATE
    end = round(7 * 3 * eighth)
    timing = time_steps(seed_of(end, beat=eighth), database_of(), 7 * 0.25 * 2)
    assert len(timing.step_samples) == 2 * 7 * PARTS
    np.testing.assert_allclose(timing.step_samples, eighth / PARTS, atol=1)


@pytest.mark.parametrize(
    "seed",
    [
        seed_of(8 * BEAT, pulse=PULSE / 2),
        DescriptorSequence(
            np.zeros((1, SETTINGS.n_descriptors), np.float32),
            np.array([9000]),
            no_grid(9000, RATE),
        ),
        DescriptorSequence(np.zeros((1, SETTINGS.n_descriptors), np.float32), np.array([9000])),
    ],
    ids=["unsure", "no beats", "no grid"],
)
def test_without_a_pulse_steps_are_as_long_as_units_on_average(seed):
    timing = time_steps(seed, database_of(), 6.0)
    assert not timing.has_pulse
    assert len(timing.step_samples) == round(6 * RATE / 6000)
    assert np.ptp(timing.step_samples) <= 1
    assert timing.step_samples.sum() == 6 * RATE


@pytest.mark.parametrize(("units", "size"), [("frame", 1024), ("fixed:100", 4410)])
def test_units_of_one_length_are_played_whole_and_the_last_is_cut(units, size):
    settings = DescriptorSettings(units=units)
    database = database_of(settings, lengths=(size, size, size // 3))
    timing = time_steps(seed_of(8 * BEAT, settings=settings), database, 2.0)
    assert set(timing.step_samples[:-1].tolist()) == {size}
    assert 1 <= timing.step_samples[-1] <= size
    assert timing.step_samples.sum() == 2 * RATE


def test_a_loop_lasts_for_whole_bars():
    timing = time_steps(seed_of(8 * BEAT), database_of(), 9.2, whole_bars=True)
    assert timing.step_samples.sum() == 20 * BEAT  # 9.2 s are 4.6 bars
    timing = time_steps(seed_of(8 * BEAT), database_of(), 0.1, whole_bars=True)
    assert timing.step_samples.sum() == 4 * BEAT


def test_the_tempo_of_a_loop_that_goes_on_as_a_loop_is_that_of_its_length():
    """Of 16 beats that the tracker takes for 15.99: 64 of them drift by no sample."""
    seed = seed_of(16 * BEAT, beat=BEAT * 1.0008)
    timing = time_steps(seed, database_of(), 32, whole_bars=True)
    assert timing.tempo == pytest.approx(120)
    assert timing.first_part == 0
    assert timing.step_samples.sum() == 64 * BEAT
    np.testing.assert_allclose(starts(timing) / PART, np.arange(256), atol=0.06)


def test_a_seed_of_another_length_is_no_loop():
    seed = seed_of(16 * BEAT, beat=BEAT * 1.01)
    timing = time_steps(seed, database_of(), 32, whole_bars=True)
    assert timing.tempo == pytest.approx(120 / 1.01)
    assert timing.step_samples.sum() == pytest.approx(64 * BEAT * 1.01, abs=1)
