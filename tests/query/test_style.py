"""Which passages of a corpus sound like a seed."""

from types import SimpleNamespace

import numpy as np
import pytest

from db.columns import columns_of
from query.style import (
    AFTER_SECONDS,
    BEFORE_SECONDS,
    FEWEST_UNITS,
    WORLD,
    nearest_in_style,
    style_distances,
    with_followers,
)
from tests.query.test_path import HOP, RATE, Toy

LENGTHS = [200, 150, 120]
CHROMA = columns_of("chroma", n_mfcc=1).names
BEFORE = round(BEFORE_SECONDS * RATE / HOP)  # units
AFTER = round(AFTER_SECONDS * RATE / HOP)


def toy_of(names=("x0", "x1", "x2"), lengths=LENGTHS, seed=0):
    """Random units that drift, so that each passage has a style of its own."""
    toy = Toy(lengths, seed, names=names)
    drift = np.random.default_rng(seed + 1).normal(size=toy.vectors.shape) * 0.3
    toy.vectors += np.cumsum(drift, axis=0).astype(np.float32)
    toy.database.sources = [SimpleNamespace(n_units=length) for length in lengths]
    first = np.cumsum(lengths) - lengths
    toy.database.source_descriptors = lambda number: toy.vectors[
        first[number] : first[number] + lengths[number]
    ]
    return toy


def choose_world(distances, allowed, database, *, seconds, run_seconds):
    chosen = np.zeros(len(allowed), bool)
    chosen[nearest_in_style(distances, allowed, database, seconds=seconds)] = True
    return np.flatnonzero(with_followers(chosen, database, run_seconds) & allowed)


def distances(toy, seed):
    return style_distances(toy.space, seed, np.full(len(seed), HOP))


@pytest.mark.parametrize("unit", [20, 120, 260, 400])
def test_the_nearest_passage_to_a_seed_is_the_seed_itself(unit):
    toy = toy_of()
    found = distances(toy, toy.vectors[unit - BEFORE : unit + AFTER])
    assert found.shape == (len(toy),)
    assert found.argmin() == unit
    assert found[unit] < 1e-3
    assert np.sort(found)[1] > 0.01


def test_levels_do_not_matter():
    toy = toy_of(names=("loudness", "x1", "mfcc0"))
    seed = toy.vectors[100:160].copy()
    before = distances(toy, seed)
    seed[:, [0, 2]] -= 40
    np.testing.assert_array_equal(distances(toy, seed), before)
    seed[:, 1] += 1
    assert np.abs(distances(toy, seed) - before).max() > 0.1


def test_of_passages_that_sound_alike_those_in_the_seeds_key_are_nearer():
    toy = toy_of(names=("x0", *CHROMA))
    toy.vectors[:, 0] = 0
    pitches = np.zeros((3, len(CHROMA)), np.float32)
    pitches[0, [0, 4, 7]] = 1  # as the seed
    pitches[1, [0, 4, 9]] = 1  # two notes of three in common
    pitches[2, [1, 6, 10]] = 1
    toy.vectors[:, 1:] = pitches[toy.units.source]
    # the same style but for the chroma: weights of 0 leave it to the key
    toy.weights = dict.fromkeys(CHROMA, 0.0)
    found = distances(toy, toy.vectors[:60])
    means = [found[toy.units.source == source].mean() for source in range(3)]
    assert means[0] == pytest.approx(0, abs=1e-5)
    assert means[0] < means[1] < means[2]


def test_a_seed_of_one_short_step_has_a_style():
    toy = toy_of()
    found = style_distances(toy.space, toy.vectors[:1], np.array([3]))
    assert np.isfinite(found).all()


def test_a_world_is_what_is_nearest_and_what_would_follow_it():
    toy = toy_of()
    far = np.full(len(toy), 9.0)
    near = np.arange(40, 40 + FEWEST_UNITS)
    far[near] = 1
    allowed = np.ones(len(toy), bool)
    positions = choose_world(far, allowed, toy.database, seconds=1, run_seconds=2.05)
    expected = np.arange(40, 40 + FEWEST_UNITS + round(2.0 * RATE / HOP))
    np.testing.assert_array_equal(positions, expected)


def test_a_world_ends_with_its_source_and_holds_what_is_allowed_only():
    toy = toy_of()
    rank = np.full(len(toy), 9.0)
    rank[LENGTHS[0] - FEWEST_UNITS : LENGTHS[0]] = 1  # the end of the first source
    allowed = np.ones(len(toy), bool)
    allowed[LENGTHS[0] - 5] = False
    rank[300] = 2  # the next nearest, in place of the one that is not allowed
    positions = choose_world(rank, allowed, toy.database, seconds=1, run_seconds=0.35)
    first = [*range(LENGTHS[0] - FEWEST_UNITS, LENGTHS[0])]
    first.remove(LENGTHS[0] - 5)
    np.testing.assert_array_equal(positions, [*first, 300, 301, 302, 303])


def test_a_longer_continuation_has_a_larger_world():
    toy = toy_of()
    allowed = np.ones(len(toy), bool)
    rank = np.arange(len(toy), dtype=np.float32)
    size = {
        seconds: len(choose_world(rank, allowed, toy.database, seconds=seconds, run_seconds=0.0))
        for seconds in (1, 20, 1000)
    }
    assert size[1] == FEWEST_UNITS
    assert size[20] == pytest.approx(WORLD * 20 * RATE / HOP, abs=2)
    assert size[1000] == len(toy)
