"""The rows of a condition: means over groups of steps, and over spans of a track."""

import numpy as np
import pytest
import torch

from db.beat_grid import BeatGrid
from db.settings import DescriptorSettings
from sequencer.coarse import coarse_rows, coarse_sequence, group_starts
from sequencer.conditions import conditions_for
from sequencer.sampling import SamplingOptions
from sequencer.track import Track
from tests.sequencer.condition_toys import GROUP, conditioned
from tests.sequencer.toys import SETTINGS, song

METRE = DescriptorSettings(n_mfcc=2, units="beat/4")


def bars_of(starts, beats):
    """Raw steps of METRE that begin at these places, in beats; NaN is without a pulse."""
    rows = np.zeros((len(starts), METRE.n_descriptors), np.float32)
    n = len(beats)
    grid = BeatGrid(100.0 * np.arange(n), np.append(beats[:-1], 0.0), 100 * n, 44100)
    rows[:, -4:] = grid.columns(100 * np.array(starts))
    return rows


def test_beats_begin_where_the_metre_does():
    """After a pickup, with a part that is missing, and one that comes a little early."""
    starts = [0.5, 0.75, 0.99, 1.25, 1.5, 1.75, 2.25, 2.5, 2.75, 3.0, 3.25]
    rows = bars_of(starts, [1.0] * 12)
    assert group_starts(rows, "beats", METRE).tolist() == [0, 2, 6, 9]
    assert group_starts(rows, "bars", METRE).tolist() == [0]
    assert group_starts(rows, 4, METRE).tolist() == [0, 4, 8]


def test_without_a_pulse_a_beat_has_its_usual_number_of_steps():
    rows = bars_of(np.arange(0, 6, 0.25), [1.0, 1, 0, 0, 0, 0, 0, 0])
    assert group_starts(rows, "beats", METRE).tolist() == [0, 4, 8, 12, 16, 20]
    assert group_starts(rows, "bars", METRE).tolist() == [0, 16]


def test_a_group_that_is_not_over_is_left_out():
    rows = np.arange(11, dtype=np.float32)[:, None].repeat(12, axis=1)
    means = coarse_sequence(rows, GROUP, SETTINGS)
    np.testing.assert_array_equal(means[:, 0], [1.5, 5.5])
    assert coarse_sequence(rows[:3], GROUP, SETTINGS).shape == (0, 12)


def test_a_step_comes_with_the_mean_of_the_group_of_the_next_and_its_place():
    model = conditioned("coarse")
    scores = model.normalise(torch.from_numpy(song(10, 3)[:, :4].copy()))
    rows = coarse_rows(model, scores)
    means = [scores[:4].mean(0), scores[4:8].mean(0)]
    torch.testing.assert_close(rows[:3, :4], means[0].expand(3, -1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rows[3:7, :4], means[1].expand(4, -1), atol=1e-4, rtol=1e-4)
    assert rows[7:, :4].isnan().all()
    assert rows[:8, 4].tolist() == [0.25, 0.5, 0.75, 0.0, 0.25, 0.5, 0.75, 0.0]


@pytest.mark.parametrize("steps", [1, 3, 4, 10, 11, 60])
def test_what_follows_a_seed_comes_with_sampled_groups_that_go_on_where_it_ends(steps):
    model = conditioned("coarse")
    seed = model.normalise(torch.from_numpy(song(60, 3)[:steps, :4].copy()))
    generator = torch.Generator().manual_seed(0)
    conditions = conditions_for(
        model, seed[None], track=None, generator=generator, sampling=SamplingOptions()
    )
    rows = torch.cat(
        [conditions.of_seed()[0], *(conditions.after(i, np.zeros(1)) for i in range(1, 9))]
    )
    assert rows.shape == (steps + 8, 5)
    assert not rows.isnan().any()
    places = (np.arange(1, steps + 9) % GROUP) / GROUP
    np.testing.assert_allclose(rows[:, 4], places, atol=1e-6)
    first = rows[:-1, :4][places[1:] != 0]
    torch.testing.assert_close(first, rows[1:, :4][places[1:] != 0])
    known = coarse_rows(model, seed)
    complete = ~known.isnan().any(dim=1)
    torch.testing.assert_close(rows[:steps][complete], known[complete])


def test_a_track_gives_means_around_the_moment_of_the_next_step():
    model = conditioned("track")
    frames = np.zeros((40, 12), np.float32)
    frames[:, 0] = np.arange(40)
    rows = Track(model, frames).rows(np.array([10, 1, 34]) * SETTINGS.hop_length)
    scale = float(model.std[0])
    level = rows.reshape(3, 5, 4)[:, :, 0] * scale + float(model.mean[0])
    np.testing.assert_allclose(level[0], [9, 10, 11, 12.5, 15.5], atol=1e-4)
    np.testing.assert_allclose(level[1], [0, 1, 2, 3.5, 6.5], atol=1e-4)
    np.testing.assert_allclose(level[2], [33, 34, 35, 36.5, 38.5], atol=1e-4)
    late = Track(model, frames).rows(np.array([39, 41, 500, -9]) * SETTINGS.hop_length)
    known = ~np.isnan(late.reshape(4, 5, 4)).any(axis=-1)
    assert known.tolist() == [
        [True, True, False, False, False],
        [False] * 5,
        [False] * 5,
        [False] * 5,
    ]
