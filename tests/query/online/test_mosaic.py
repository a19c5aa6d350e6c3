"""A mosaic of units chosen one by one, against the greedy search of the whole."""

import numpy as np
import pytest

from db.settings import DescriptorSettings
from files.errors import ParameterError
from query.apply_filters import filter_units
from query.filters import Filters
from query.index import UnitIndex
from query.online.choice import Wishes
from query.online.mosaic import OnlineMosaic, online_index, online_weights
from query.online.past import OnlinePast
from query.options import PathOptions
from query.path import find_path
from query.rules import REST
from query.space import Space
from query.together import NEAR_SECONDS
from query.weights import weight_columns

HOP = 1024


@pytest.fixture(scope="module")
def mosaic(sounds):
    return OnlineMosaic(online_index(Space(sounds), min_samples=HOP))


def play(mosaic, heard, **wishes):
    """Return the positions of a mosaic of what is heard, and its target and join costs."""
    database = mosaic.index.database
    past = OnlinePast(database.units, database.sample_rate)
    choices = []
    for row in heard:
        choice = mosaic.choose(row, past, Wishes(HOP, **wishes))
        past.then(choice.position, HOP, goes_on=choice.position == past.following() != REST)
        choices.append((choice.position, choice.distance, choice.join))
    positions, distances, joins = zip(*choices, strict=True)
    return np.array(positions), np.array(distances), np.array(joins)


@pytest.mark.parametrize(
    "options",
    [
        {"continuity": 0.0},
        {"continuity": 0.5, "novelty": 1.0, "max_run": 0.3},
        {"continuity": 0.25, "temperature": 1.0, "random_seed": 5, "min_reuse": 0.2},
    ],
)
def test_the_path_is_that_of_the_greedy_search(mosaic, heard, options):
    options = PathOptions(search="greedy", **options)
    positions, distances, joins = play(mosaic, heard, options=options)
    step_samples = np.full(len(heard), HOP)
    path = find_path(mosaic.index, heard, options, step_samples=step_samples)
    np.testing.assert_array_equal(positions, path.positions)
    np.testing.assert_allclose(distances, path.distances, rtol=1e-5)
    np.testing.assert_allclose(joins, path.joins, rtol=1e-4, atol=1e-4)


def test_with_cells_it_fits_nearly_as_well(sounds, mosaic, heard):
    options = PathOptions()
    with_cells = OnlineMosaic(UnitIndex(Space(sounds), min_samples=HOP, kind="pq"))
    exact = play(mosaic, heard, options=options)[1].mean()
    assert play(with_cells, heard, options=options)[1].mean() < 1.02 * exact


def test_only_what_the_filters_leave_is_played(sounds, mosaic, heard):
    allowed, _ = filter_units(sounds, Filters(sources=("tabla_*",)))
    positions, _, _ = play(mosaic.changed(allowed=allowed), heard[:40], options=PathOptions())
    assert allowed[positions].all()
    with pytest.raises(ParameterError, match="none has 1024 samples"):
        mosaic.changed(allowed=np.zeros(len(sounds.units), bool))


def test_other_weights_are_those_of_an_index_made_with_them(sounds, mosaic, heard):
    weights = {"mfcc0": 0.0, "chroma": 3.0}
    made = OnlineMosaic(online_index(Space(sounds, weights=weights), min_samples=HOP))
    expected = play(made, heard[:60])
    for found, wanted in zip(
        play(mosaic.changed(weights=weights), heard[:60]), expected, strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_where_the_rules_forbid_all_that_is_near_something_else_is_played(mosaic, heard):
    options = PathOptions(min_reuse=5.0, continuity=0.0)
    positions, _, _ = play(mosaic, np.repeat(heard[:1], 150, axis=0), options=options)
    assert len(np.unique(positions)) == 150


def test_where_the_rules_forbid_everything_they_do_not_hold(sounds, mosaic, heard):
    allowed = np.zeros(len(sounds.units), bool)
    allowed[40:50] = True
    options = PathOptions(min_reuse=60.0, max_run=0.05)
    positions, _, _ = play(mosaic.changed(allowed=allowed), heard[:30], options=options, leave=True)
    assert allowed[positions].all()


def test_a_jump_leads_elsewhere(sounds, mosaic):
    units = sounds.units
    longest = int(units.samples_left.argmax())
    rows = sounds.rows_at(longest + np.arange(20))
    positions, _, _ = play(mosaic, rows, options=PathOptions(), leave=True)
    assert (np.diff(positions) != 1).all()
    same = units.source[positions[1:]] == units.source[positions[:-1]]
    moved = np.abs(np.diff(units.start_sample[positions])) / sounds.sample_rate
    assert (moved[same] > 1.4).all()


def test_a_frozen_moment_is_all_that_is_played(mosaic, heard):
    options = PathOptions(min_reuse=60.0, max_run=0.05)
    positions, _, _ = play(mosaic, heard[:40], options=options, stay=(100, 104))
    assert set(positions) <= set(range(100, 105))


def test_what_another_voice_plays_is_played_by_one_only(sounds, mosaic, heard):
    other = mosaic.choose(
        heard[0], OnlinePast(sounds.units, sounds.sample_rate), Wishes(HOP)
    ).position
    wishes = Wishes(HOP, apart=(other,))
    found = mosaic.choose(heard[0], OnlinePast(sounds.units, sounds.sample_rate), wishes).position
    units = sounds.units
    away = abs(units.start_sample[found] - units.start_sample[other]) / sounds.sample_rate
    assert units.source[found] != units.source[other] or away > NEAR_SECONDS


def test_wanted_pitch_classes_sound(sounds, mosaic, heard):
    chroma = [sounds.settings.names.index(f"chroma{number}") for number in range(12)]

    def share(positions):
        rows = sounds.rows_at(positions)[:, chroma]
        return (rows[:, [2, 9]].sum(axis=1) / rows.sum(axis=1)).mean()

    piano = heard[-150:]
    wanted, _, _ = play(mosaic, piano, pitch_classes=frozenset({2, 9}))
    assert share(wanted) > 2 * share(play(mosaic, piano)[0])


def test_what_is_not_known_while_a_sound_comes_in_counts_nothing():
    assert online_weights(DescriptorSettings()) == {}
    settings = DescriptorSettings(units="beat/4")
    factors = weight_columns(settings, online_weights(settings))
    unknown = [name for name, factor in zip(settings.names, factors, strict=True) if not factor]
    assert unknown == ["log2_duration", "beat_cos", "beat_sin", "tempo", "pulse"]
