"""Paths over shards against those over one index."""

import numpy as np
import pytest

from query.explain import explain
from query.filters import Filters, parse_condition
from query.options import PathOptions
from query.path import find_paths
from query.range import CorpusSample, farness
from query.settings import SearchSettings
from tests.query.cluster.local import shards_of

STEPS = 80
SEARCHES = {
    "plain": SearchSettings(),
    "rules": SearchSettings(
        path=PathOptions(k=8, max_run=0.3, min_reuse=1.0, novelty=0.2),
        filters=Filters(where=(parse_condition("mfcc0>-300"),)),
        weights={"mfcc0": 0.3},
    ),
    "beam": SearchSettings(path=PathOptions(k=5, continuity=2.0, search="beam")),
    "sources": SearchSettings(
        path=PathOptions(temperature=0.1, rest_threshold=30.0, k=4),
        filters=Filters(sources=("loop*", "tabla*")),
        metric="l1",
    ),
}


def paths_of(database, search, described, **how):
    target = described.descriptors[:STEPS]
    step_samples = described.step_samples[:STEPS]
    index = search.index(database, step_samples)
    paths = find_paths(index, target, search.path, step_samples=step_samples, **how)
    return paths, explain(index.space, paths[0])


def assert_equal(found, expected):
    for path, wanted in zip(found[0], expected[0], strict=True):
        for name in ("positions", "steps", "n_samples", "distances", "joins"):
            assert np.array_equal(getattr(path, name), getattr(wanted, name)), name
        assert path.cost == wanted.cost
        assert np.array_equal(path.matches.positions, wanted.matches.positions)
    assert np.array_equal(found[1].joins, expected[1].joins)
    assert found[1].removed == expected[1].removed


@pytest.mark.parametrize(
    ("name", "n_shards"), [("plain", 1), ("rules", 4), ("beam", 2), ("sources", 4)]
)
def test_paths_equal_those_over_one_index(database, described, name, n_shards):
    search = SEARCHES[name]
    expected = paths_of(database, search, described(database), variations=2)
    for max_bytes in (1 << 26, 0):
        _, paged = shards_of(database, n_shards, max_bytes=max_bytes)
        found = paths_of(paged, search, described(database), variations=2)
        assert_equal(found, expected)


@pytest.mark.parametrize("how", [{"whole_units": True}, {"whole_units": True, "in_time": True}])
def test_whole_units(folder, database, described, how):
    search = SEARCHES["rules"]
    _, paged = shards_of(database, 2)
    found = paths_of(paged, search, described(database), **how)
    assert_equal(found, paths_of(database, search, described(database), **how))


def test_locked_steps(frames, described):
    locked = {3: 17, 4: -1, 9: frames.n_units - 3}
    short = described(frames)
    _, paged = shards_of(frames, 2)
    found = paths_of(paged, SEARCHES["plain"], short, locked=locked)
    assert_equal(found, paths_of(frames, SEARCHES["plain"], short, locked=locked))


def test_few_calls_for_many_steps(frames, described):
    shards, paged = shards_of(frames, 4)
    search = SEARCHES["rules"]
    target = described(frames)
    index = search.index(paged, target.step_samples)
    find_paths(index, target.descriptors, search.path, step_samples=target.step_samples)
    assert len(target.descriptors) > 200
    assert shards.n_calls <= 20


def test_how_far_a_target_lies_from_the_corpus(database, described):
    _, paged = shards_of(database, 4)
    target = described(database).descriptors
    one = SearchSettings().index_of(database)
    several = SearchSettings().index_of(paged)
    expected = farness(one, target, CorpusSample.of(one))
    assert farness(several, target, CorpusSample.of(several)) == expected > 0
