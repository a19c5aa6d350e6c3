"""Passages of units, and their harmony."""

from types import SimpleNamespace

import numpy as np

from query.style import harmony_distances, passage_means

SECOND = 100


def database(descriptors, lengths, names):
    """Sources of units that last a second each."""
    first = np.cumsum([0, *lengths])
    return SimpleNamespace(
        sample_rate=SECOND,
        sources=[SimpleNamespace(n_units=length) for length in lengths],
        units=np.zeros(0),
        settings=SimpleNamespace(names=names),
        source_descriptors=lambda i: descriptors[first[i] : first[i + 1]],
    )


class Units:
    def __init__(self, n):
        self.n_samples = np.full(n, SECOND)

    def __len__(self):
        return len(self.n_samples)


def test_a_passage_begins_before_its_unit_and_ends_with_its_source():
    values = np.array([[0.0], [1], [2], [3], [4], [5], [6], [7], [100], [200]])
    toy = database(None, [8, 2], ())
    toy.units = Units(10)
    means = passage_means(toy, values)[:, 0]
    # 1.5 s before and 4.5 s after the beginning of a unit
    np.testing.assert_allclose(means[[0, 4, 7]], [2.0, np.mean([3, 4, 5, 6, 7]), np.mean([6, 7])])
    np.testing.assert_allclose(means[8:], 150)


def test_harmony_is_near_where_chroma_is_alike():
    names = ("mfcc0", *(f"chroma{i}" for i in range(12)))
    rng = np.random.default_rng(0)
    chord = rng.random(12)
    rows = np.concatenate([np.zeros((1, 1)), chord[None]], axis=1)
    toy = database(np.concatenate([rows] * 8 + [np.roll(rows, 6)] * 8), [8, 8], names)
    toy.units = Units(16)
    distances = harmony_distances(toy, rows, np.array([SECOND]), weight=5.0)
    np.testing.assert_allclose(distances[:8], 0, atol=1e-5)
    assert (distances[8:] > 0.5).all()
    without = database(rows, [8, 8], ("mfcc0",))
    without.units = Units(16)
    assert not harmony_distances(without, rows, np.array([SECOND])).any()
