from contextlib import closing

import numpy as np
import pytest

from db.spool import Spool


@pytest.mark.parametrize("memory_bytes", [1, 1 << 20])
def test_arrays_come_back_as_often_as_asked(memory_bytes):
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((1, 3)), np.empty((0, 3))]
    with closing(Spool(memory_bytes)) as spool:
        for array in arrays:
            spool.append(array)
        for _ in range(2):
            again = list(spool)
            assert [block.dtype for block in again] == [np.float32] * 3
            for array, block in zip(arrays, again, strict=True):
                np.testing.assert_array_equal(block, array)
