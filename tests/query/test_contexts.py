"""What follows a unit in its source."""

from types import SimpleNamespace

import numpy as np

from query.contexts import units_after


def test_units_after_each_end_with_its_source():
    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    database = SimpleNamespace(
        units=SimpleNamespace(source=np.array([0, 0, 0, 1, 1])),
        settings=SimpleNamespace(n_descriptors=2),
        rows_at=lambda positions: rows[positions],
    )
    following = units_after(database, np.array([0, 1, 3, 4]), 2)
    none = [np.nan, np.nan]
    expected = [[rows[1], rows[2]], [rows[2], none], [rows[4], none], [none, none]]
    np.testing.assert_array_equal(following, np.array(expected, np.float32))
    assert units_after(database, np.array([0, 1]), 0).shape == (2, 0, 2)
