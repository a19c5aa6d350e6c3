"""The passages of a database, against the passages of all its units."""

import numpy as np
import pytest

from query.online.passages import PASSAGE_SECONDS, Passages
from query.space import Space
from query.style import harmony_distances, style_distances


@pytest.fixture(scope="module")
def passages(sounds):
    return Passages(sounds)


def test_passages_tile_the_sources(sounds, passages):
    edges = passages.edges
    assert edges[0] == 0
    assert edges[-1] == sounds.n_units
    assert len(passages) == len(edges) - 1
    units = sounds.units
    last = edges[1:] - 1
    np.testing.assert_array_equal(units.source[edges[:-1]], units.source[last])
    lengths = (units.start_sample[last] - units.start_sample[edges[:-1]]) / sounds.sample_rate
    assert lengths.max() < PASSAGE_SECONDS
    assert set(edges) > set(np.flatnonzero(np.diff(units.source)) + 1)


@pytest.mark.parametrize("weights", [{}, {"mfcc": 0.5, "chroma3": 4.0}])
def test_distances_are_those_of_the_passages_of_units(sounds, passages, heard, weights):
    space = Space(sounds, weights=weights)
    lengths = np.full(len(heard), sounds.hop_length)
    found = passages.style_distances(heard, lengths, space.factors)
    found += passages.harmony_distances(heard, lengths)
    of_units = style_distances(space, heard, lengths)[passages.edges[:-1]]
    np.testing.assert_allclose(found, of_units, rtol=1e-3, atol=1e-3)


def test_harmony_is_that_of_the_passages_of_units(sounds, passages, heard):
    lengths = np.full(len(heard), sounds.hop_length)
    of_units = harmony_distances(sounds, heard, lengths, 3.0)[passages.edges[:-1]]
    found = passages.harmony_distances(heard, lengths, 3.0)
    np.testing.assert_allclose(found, of_units, rtol=1e-3, atol=1e-3)


def test_units_that_are_no_parts_of_beats_have_no_tempo(passages):
    np.testing.assert_array_equal(passages.tempo_costs(120.0), np.zeros(len(passages)))
