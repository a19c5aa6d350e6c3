from contextlib import closing

import numpy as np
import pytest

from db.spool import Spool
from files.errors import ParameterError


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


def test_full_folder_for_temporary_files_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with (
        closing(Spool(1)) as spool,
        pytest.raises(ParameterError, match=r"gone: cannot be written \(No such .*\); free some"),
    ):
        spool.append(np.ones((9, 9), np.float32))
